"""Was this source speaking? When it reported first and last, and its long silences, in which nothing can be known.

Judged by whole minutes, as the collector's own gaps are. A silence is a run of whole minutes between two reports; it is
long when it lasted an hour and most of the reports that should have come of the sessions begun in it never came.
"""

from collections.abc import Mapping

import narwhals as nw
from narwhals.typing import IntoFrameT

from verify_analytics.errors import options_by_name
from verify_analytics.model.columns import ATTEMPTS, SILENCES, require
from verify_analytics.model.frames import ONE, Frame, either, is_true, names, no_number, opened
from verify_analytics.model.moments import MINUTE_US, SECOND_US

SOURCES = ("app", "callback")
SOURCED = tuple(
    f"{source}_{what}_us" for source in SOURCES for what in ("first", "last", "silence_from", "silence_until")
)
"""What is known of the sources in a minute."""
LONG_MINUTES = 60
"""A silence that is shorter is none: reports may wait in a queue, and nights are quiet."""
FEWEST_REPORTS = 20
"""So many sessions reported outside of a silence, and so many expected in it, before it says anything."""

# After every moment that can be told.
_NEVER = 2**62
_SUMMED = ("_reached", *(f"_told_{source}" for source in SOURCES))
COUNTS = ("_minute", *_SUMMED, *(f"_{source}_{end}" for source in SOURCES for end in ("first", "last")))
"""Of a minute: sessions begun in it of which a code may have reached somebody, how many of them each source told of in
the end, and when it first and last reported in this minute. Sums, minima and maxima: parts can be added up."""


def minutes_of(counts: Frame) -> Frame:
    """Find the long silences of each source, minute by minute.

    Parameters
    ----------
    counts
        What `of_sessions` gave of all sessions and `of_reports` of all reports, in one frame; several rows of a minute
        are added up.

    Returns
    -------
    Frame
        ``_minute``, counted since 1970 UTC; for each source ``…_first_us`` and ``…_last_us``, by reception;
        ``…_silence_from_us`` and ``…_silence_until_us``, whole minutes, the end excluded: the first long silence that
        was not over in that minute, null where none follows.
    """
    minutes = _added_up(counts).with_columns(nw.lit(1).alias(ONE))
    for source in SOURCES:
        minutes = _with_silence(minutes, source)
    return minutes.select("_minute", *SOURCED)


def with_silences(attempts: Frame, minutes: Frame) -> Frame:
    """Put beside each row what `minutes_of` says of the minute its session began in."""
    placed = attempts.with_columns(_minute=nw.col("session_begun_us") // MINUTE_US)
    return placed.join(minutes, on="_minute", how="left")


def of_sessions(states: Frame, reports: Frame | None) -> Frame:
    """Count, for each minute, the sessions begun in it, and note when callbacks told of a success.

    Parameters
    ----------
    states
        All states of some sessions. They are read by themselves, and only as far as needed: an engine that is lazy
        would make the attempts with all their neighbours twice. The first callback of each that says verified is a
        report of ``callback``.
    reports
        Of the application about these sessions, received by now, or None.

    Returns
    -------
    Frame
        The columns `COUNTS`. Those of other sessions are added to them by `minutes_of`. One row per minute.
    """
    sessions = _sessions(states).with_columns(_minute=either("_attempts_begun", "_any_begun") // MINUTE_US)
    if reports is None:
        sessions = sessions.with_columns(_app_verified=no_number("_any_begun"))
    else:
        first = reports.group_by("session_id").agg(nw.col("verified_us").min().alias("_app_verified"))
        sessions = sessions.join(first, on="session_id", how="left")
    told = {
        f"_told_{source}": nw.when(~nw.col(f"_{source}_verified").is_null()).then(nw.col("_reached")).otherwise(0)
        for source in SOURCES
    }
    heard = states.filter(~nw.col("verified_us").is_null())
    return _added_up(
        nw.concat(
            [
                _counts(sessions.with_columns(**told), {}, like="_any_begun"),
                _counts(_in_minute_of(heard, "verified_us"), {"callback": "verified_us"}, like="verified_us"),
            ]
        )
    )


def of_reports(reports: Frame) -> Frame:
    """Note for each minute when the application reported in it; as `of_sessions`, with no session counted."""
    return _added_up(_counts(_in_minute_of(reports, "received_us"), {"app": "received_us"}, like="received_us"))


def _sessions(states: Frame) -> Frame:
    """Reduce states to one row per session: when it began, whether a code may have reached anybody, who told of it.

    Where carriers deliver nothing nobody can verify, and that is no silence of the reporter.
    """
    refused = ~nw.col("failed_us").is_null() | ~nw.col("undelivered_us").is_null()
    reached = ~nw.col("delivered_us").is_null() | (~nw.col("accepted_us").is_null() & ~refused)
    begun = either("requested_us", "first_received_us")
    marked = states.with_columns(
        _any_begun=begun,
        _attempts_begun=nw.when(nw.col("is_attempt")).then(begun),
        _reached=nw.when(reached).then(1).otherwise(0).cast(nw.Int64),
    )
    return marked.group_by("session_id").agg(
        nw.col("_attempts_begun").min(),
        nw.col("_any_begun").min(),
        nw.col("_reached").max(),
        nw.col("verified_us").min().alias("_callback_verified"),
    )


def _in_minute_of(frame: Frame, moment: str) -> Frame:
    """Add the minute of a moment; no session is counted."""
    nothing = dict.fromkeys(_SUMMED, nw.lit(0, dtype=nw.Int64))
    return frame.with_columns(**nothing, _minute=nw.col(moment) // MINUTE_US)


def _counts(frame: Frame, heard: Mapping[str, str], *, like: str) -> Frame:
    """Give the columns `COUNTS`: a source was heard at the moment in its column, first and last."""
    moments = {
        f"_{source}_{end}": nw.col(heard[source]) if source in heard else no_number(like)
        for source in SOURCES
        for end in ("first", "last")
    }
    return frame.with_columns(**moments).select(*(nw.col(name).cast(nw.Int64) for name in COUNTS))


def _added_up(counts: Frame) -> Frame:
    """Make one row of each minute."""
    made = counts.group_by("_minute").agg(
        *(nw.col(name).sum() for name in _SUMMED),
        *(nw.col(f"_{source}_first").min() for source in SOURCES),
        *(nw.col(f"_{source}_last").max() for source in SOURCES),
    )
    # DuckDB sums integers to 128 bits, which leave it as decimals.
    return made.select(*(nw.col(name).cast(nw.Int64) for name in COUNTS))


def _with_silence(minutes: Frame, source: str) -> Frame:
    """Add the span of one source's reports, and the first long silence that a minute lies in or before."""
    first, last, told = f"_{source}_first", f"_{source}_last", nw.col(f"_told_{source}")
    heard, reached = ~nw.col(first).is_null(), nw.col("_reached")
    runs = (
        minutes.with_columns(_is_heard=heard, _heard=nw.when(heard).then(nw.col("_minute")))
        .with_columns(
            # A minute with a report and those without one up to the next: a run, named by how many reports came before.
            _run=nw.col("_heard").cum_count().over(ONE, order_by="_minute").cast(nw.Int64),
            _heard_next=nw.col("_heard").shift(-1).over("_is_heard", order_by="_minute"),
        )
        .with_columns(_begin=nw.col("_heard").max().over("_run"), _end=nw.col("_heard_next").max().over("_run"))
    )
    silent = ~heard & ~nw.col("_end").is_null()
    between = heard | ~nw.col("_end").is_null()
    zero = nw.lit(0, dtype=nw.Int64)
    masked = runs.with_columns(
        _in=nw.when(silent).then(reached).otherwise(zero),
        _told_in=nw.when(silent).then(told).otherwise(zero),
        _all=nw.when(between).then(reached).otherwise(zero),
        _told_all=nw.when(between).then(told).otherwise(zero),
    ).with_columns(
        _in=nw.col("_in").sum().over("_run").cast(nw.Int64),
        _told_in=nw.col("_told_in").sum().over("_run").cast(nw.Int64),
        _all=nw.col("_all").sum().over(ONE).cast(nw.Int64),
        _told_all=nw.col("_told_all").sum().over(ONE).cast(nw.Int64),
    )
    begun, reported = nw.col("_in"), nw.col("_told_in")
    others, others_reported = nw.col("_all") - nw.col("_in"), nw.col("_told_all") - nw.col("_told_in")
    # Expected of those begun in it: begun * others_reported / others; multiplied out, so that all are whole numbers.
    long = (
        is_true(nw.col("_end") - nw.col("_begin") > LONG_MINUTES)
        & (others_reported >= FEWEST_REPORTS)
        & (begun * others_reported >= FEWEST_REPORTS * others)
        & (2 * reported * others < begun * others_reported)
    )
    edges = masked.with_columns(
        _from=nw.when(long).then((nw.col("_begin") + 1) * MINUTE_US).otherwise(_NEVER),
        _until=nw.when(long).then(nw.col("_end") * MINUTE_US).otherwise(_NEVER),
    ).with_columns(
        _from=nw.col("_from").cum_min(reverse=True).over(ONE, order_by="_minute"),
        _until=nw.col("_until").cum_min(reverse=True).over(ONE, order_by="_minute"),
    )
    return edges.with_columns(
        **{
            f"{source}_first_us": nw.col(first).min().over(ONE),
            f"{source}_last_us": nw.col(last).max().over(ONE),
            f"{source}_silence_from_us": nw.when(nw.col("_from") < _NEVER).then(nw.col("_from")),
            f"{source}_silence_until_us": nw.when(nw.col("_until") < _NEVER).then(nw.col("_until")),
        }
    )


@options_by_name
def silences(attempts: IntoFrameT) -> IntoFrameT:
    """List the long silences of each source: spans in which nobody can say who was verified, because it reported none.

    Parameters
    ----------
    attempts
        What `model.attempts` gave, filtered or not; only sessions that are in it are counted.

    Returns
    -------
    frame of the same engine
        The columns `SILENCES`, in no order. ``source`` is ``app`` or ``callback``; ``from_us`` and ``until_us`` bound
        the silence in whole minutes, the end excluded; ``sessions`` started in it; of these ``delivered`` have a
        delivered receipt, and ``verified_by_other`` were verified as the other source says. One row per source and
        long silence.

    Raises
    ------
    SchemaError
        If a column is missing.

    Notes
    -----
    A silence is a run of whole minutes without a report, between the first and the last one. It is long when it lasts
    at least 60 minutes, at least 20 sessions were reported outside of it, at least 20 reports were to be expected of
    the sessions that started in it (at the share reported outside), and less than half as many came later. Counted are
    sessions of which a code may have reached somebody: delivered, or accepted by the network with no failure told.

    It misleads where nobody could verify although codes arrived: an application that was down, or a burst of machines
    in an otherwise quiet night. Then those sessions are ``not observable`` and in truth were not verified, so the rate
    is too good. ``verified_by_other`` above 0 proves that the source was silent; 0, where the other source is used and
    reports at other times, says that rather nobody was verified.
    """
    frame = opened(attempts)
    needed = [column.name for column in ATTEMPTS]
    require(needed, names(frame), what="attempts", advice="Make them with model.attempts(...)")
    listed = [_listed(frame, source, other) for source, other in (SOURCES, SOURCES[::-1])]
    return nw.to_native(nw.concat(listed))  # type: ignore[no-any-return]


def _listed(attempts: Frame, source: str, other: str) -> Frame:
    """List one source's long silences. Every session that started before the end of one knows of it."""
    begin, end = f"{source}_silence_from_us", f"{source}_silence_until_us"
    knowing = attempts.filter(~nw.col(begin).is_null())
    sessions = knowing.group_by("session_id", begin, end).agg(
        nw.col("session_started_us").min(),
        nw.col("delivered_us").min(),
        nw.col(f"session_verified_{other}_us").min().alias("_verified_us"),
        nw.col("as_of").min(),
    )
    inside = is_true(nw.col("session_started_us") >= nw.col(begin))
    flagged = sessions.with_columns(
        sessions=inside.cast(nw.Int64),
        delivered=(inside & ~nw.col("delivered_us").is_null()).cast(nw.Int64),
        verified_by_other=(inside & ~nw.col("_verified_us").is_null()).cast(nw.Int64),
    )
    counts = ("sessions", "delivered", "verified_by_other")
    counted = flagged.group_by(begin, end).agg(*(nw.col(name).sum() for name in counts), nw.col("as_of").min())
    return counted.with_columns(
        *(nw.col(name).cast(nw.Int64) for name in counts),
        source=nw.lit(source),
        from_us=nw.col(begin),
        until_us=nw.col(end),
        seconds=(nw.col(end) - nw.col(begin)).cast(nw.Float64) / SECOND_US,
    ).select(*(column.name for column in SILENCES))
