"""From a notebook's parameters to what its cells ask: callbacks, attempts and sessions of one period, folded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from html import escape
from typing import Any

from verify_analytics import load, model
from verify_analytics.charts.words import FEW, count, many, moment, printable
from verify_analytics.errors import ArgumentError, options_by_name
from verify_analytics.model.moments import duration_us, microseconds
from verify_analytics.model.moments import moment as read_moment

from .places import found
from .progress import Steps, face, speak_plainly

When = str | datetime | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Study:
    """What a notebook looks at: everything of the sessions that started in one period, seen from one moment.

    Parameters
    ----------
    store
        How the store is called, without what leads to it.
    callbacks
        The arrivals of these sessions; `everything` has those of all. One row per arrival.
    verifications, pulse
        What was kept beside the callbacks, or None. The pulse holds the minutes of the period alone.
    attempts, sessions
        As `model` makes them; one row per attempt, one per session.
    everything
        All callbacks of the store, up to its last one.
    as_of, since, until
        The moments; `since` and `until` may be None.
    patience, window
        As they were asked for.

    Notes
    -----
    `counts` are the callbacks, attempts and sessions; `notices` what a reader should know before any figure.
    """

    store: str
    callbacks: Any
    verifications: Any
    pulse: Any
    attempts: Any
    sessions: Any
    everything: Any
    as_of: datetime
    since: datetime | None
    until: datetime | None
    patience: str | timedelta
    window: str | timedelta
    counts: tuple[int, int, int] = field(init=False)
    notices: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Count once what is looked at."""
        counts = _rows(self.callbacks), _rows(self.attempts.filter("is_attempt")), _rows(self.sessions)
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "notices", tuple(_notices(self)))

    def part(self, since: When, until: When) -> Study:
        """Give the part of it that started in a period, seen from the same moment.

        Parameters
        ----------
        since, until
            As for `study`. A part is never more than the whole.

        Raises
        ------
        ArgumentError
            If the one is not before the other, or not before `as_of`.
        """
        begin, end = _optional(since, "since"), _optional(until, "until")
        _check(begin, end, self.as_of)
        begins = [each for each in (begin, self.since) if each is not None]
        ends = [each for each in (end, self.until) if each is not None]
        return _limited(self, max(begins, default=None), min(ends, default=None))

    def lines(self) -> tuple[str, ...]:
        """Say in a few lines what is looked at."""
        callbacks, attempts, sessions = self.counts
        ends = [("from", self.since), ("before", self.until)]
        period = " ".join(f"{word} {moment(end)}" for word, end in ends if end is not None)
        what = f"{many(callbacks, 'callback')}, {many(attempts, 'attempt')}, {many(sessions, 'session')}"
        which = f"Sessions started {period}" if period else "All sessions of the store"
        seen = f"as of {moment(self.as_of)}, patience {self.patience}, window {self.window}"
        return f"{self.store}: {what}", f"{which}, {seen}"

    def __repr__(self) -> str:
        """Say it on a terminal."""
        return "\n".join([*self.lines(), *(f"- {notice}" for notice in self.notices)])

    def _repr_html_(self) -> str:
        first, *more = (escape(line) for line in self.lines())
        said = "".join(f"<li>{escape(notice)}</li>" for notice in self.notices)
        return f"<p><strong>{first}</strong><br>{'<br>'.join(more)}</p>" + (f"<ul>{said}</ul>" if said else "")


@options_by_name
def study(
    store: str | Sequence[str],
    *,
    as_of: str | datetime,
    since: When = None,
    until: When = None,
    patience: str | timedelta = "15min",
    window: str | timedelta = "10min",
    progress: bool | None = None,
) -> Study:
    """Open a store as a notebook's parameters ask, and fold it once.

    Parameters
    ----------
    store
        A SQLite file, a database URL, a Parquet file, an archive folder or a CSV file in our words; or a list of an
        archive and the store that feeds it. A relative path is tried from the notebook's folder and from the project's
        root.
    as_of
        The moment to look from: what was received later does not exist yet.
    since, until
        Keep the sessions that started at or after the first and before the second, whole: with the attempts and
        callbacks that came after `until`. Who is old enough to be judged is still told by `as_of`. None keeps all.
    patience, window
        As for `model.attempts` and `model.sessions`.
    progress
        None shows how far the work is in a notebook and nothing in a script; True always, False never.

    Returns
    -------
    Study
        A store without callbacks, or a period without sessions, gives frames without rows, and says so in `notices`.

    Raises
    ------
    NotFoundError, SchemaError, ArgumentError
        As for `load.callbacks`; and if `since` is not before `until`, or not before `as_of`.
    """
    seen_from = read_moment(as_of)
    begin, end = (_optional(given, name) for given, name in ((since, "since"), (until, "until")))
    _check(begin, end, seen_from)
    duration_us(patience, name="patience"), duration_us(window, name="window")
    speak_plainly()
    steps = Steps(face(progress))
    where = found(store) if isinstance(store, str) else [found(each) for each in store]
    try:
        everything = steps("reading the store", lambda: load.callbacks(where))
        verifications = steps("reading the reports", lambda: load.verifications(where))
        pulse = steps("reading the pulse", lambda: load.pulse(where))

        def fold() -> Any:
            # Beside an archive most of it has been folded before.
            states = load.states(where, as_of=seen_from, callbacks=everything)
            finished = model.finish(
                states, as_of=seen_from, patience=patience, verifications=verifications, pulse=pulse
            )
            return load.keep(finished)

        attempts = steps("folding callbacks into attempts", fold)
        sessions = steps("grouping attempts into sessions", lambda: load.keep(model.sessions(attempts, window=window)))
    finally:
        steps.close()
    whole = Study(
        store=_named(store) if isinstance(store, str) else " and ".join(_named(each) for each in store),
        callbacks=everything.filter(f"received_us <= {microseconds(seen_from)}"),
        verifications=verifications,
        pulse=None if pulse is None else pulse.filter(f"minute_us <= {microseconds(seen_from)}"),
        attempts=attempts,
        sessions=sessions,
        everything=everything,
        as_of=seen_from,
        since=None,
        until=None,
        patience=patience,
        window=window,
    )
    return whole if begin is None and end is None else _limited(whole, begin, end)


def _limited(whole: Study, begin: datetime | None, end: datetime | None) -> Study:
    within = _within(begin, end)
    sessions = whole.sessions.filter(within.format("started_us"))
    # A pulse belongs to no session, so its minutes are limited by themselves.
    pulse = None if whole.pulse is None else whole.pulse.filter(within.format("minute_us"))
    return replace(
        whole,
        callbacks=whole.callbacks.join(sessions.select("session_id"), "session_id", how="semi"),
        pulse=pulse,
        attempts=whole.attempts.filter(within.format("session_started_us")),
        sessions=sessions,
        since=begin,
        until=end,
    )


def _optional(given: When, name: str) -> datetime | None:
    """Read a moment that may be missing; papermill hands an empty text for nothing."""
    return None if given is None or given == "" else read_moment(given, name=name)


def _check(begin: datetime | None, end: datetime | None, seen_from: datetime) -> None:
    for name, later in (("until", end), ("as_of", seen_from)):
        if begin is not None and later is not None and begin >= later:
            raise ArgumentError(f"since={_iso(begin)} is not before {name}={_iso(later)}")


def _iso(value: datetime) -> str:
    return f"{value:%Y-%m-%dT%H:%MZ}"


def _within(begin: datetime | None, end: datetime | None) -> str:
    """Write the period as a condition on a column of microseconds; empty for all time."""
    conditions = [] if begin is None else [f"{{0}} >= {microseconds(begin)}"]
    conditions += [] if end is None else [f"{{0}} < {microseconds(end)}"]
    return " AND ".join(conditions) or "true"


def _rows(relation: Any) -> int:
    return int(relation.aggregate("count(*) AS rows").fetchall()[0][0])


def _named(store: str) -> str:
    """Name a store without folders of a machine, user, password or host.

    >>> _named("sqlite:////srv/callbacks.db"), _named("postgresql://me:secret@db/verify"), _named("a/b/")
    ('callbacks.db', 'postgresql:…/verify', 'b')
    """
    backend, address, rest = store.partition("://")
    last = printable((rest if address else store).split("?")[0].rstrip("/").rpartition("/")[2])
    return last if not address or backend.startswith("sqlite") else f"{backend.split('+')[0]}:…/{last}"


def _notices(study: Study) -> Iterator[str]:
    sessions = study.counts[2]
    if not sessions:
        yield _nothing(study.everything, study.as_of)
    elif sessions < FEW:
        yield f"Only {many(sessions, 'session')}: read counts, for a share of so few says little."
    if study.verifications is None or not _rows(study.verifications.limit(1)):
        yield "The application's reports of success are not here: what it knows is not observable."
    if study.pulse is None:
        yield "No pulse was kept: when the collector was down is not known."


def _nothing(everything: Any, seen_from: datetime) -> str:
    """Say why there is nothing to look at."""
    ends = everything.aggregate("min(received_us) AS low, max(received_us) AS high, count(*) AS rows").fetchall()[0]
    if not ends[2]:
        return "This store holds no callbacks yet: every table and chart below is empty."
    first, last = (datetime.fromtimestamp(each / 1e6, tz=seen_from.tzinfo) for each in ends[:2])
    if first > seen_from:
        return f"Nothing was received up to as_of: the first callback came {moment(first)}. Try a later as_of."
    return (
        "No session started in this period: the store's "
        f"{count(ends[2])} callbacks were received from {moment(first)} to {moment(last)}. Try other since and until."
    )
