"""What became of a session, as one source tells it, and after how long? For every figure on the time to verify."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame

from verify_analytics.errors import DoubtfulWarning
from verify_analytics.model.frames import Frame
from verify_analytics.model.moments import SECOND_US

from .by import columns_of
from .clusters import cluster_columns
from .counting import CONTEXT_OF_SESSIONS, MISSING, warn_if_cut, warn_if_stale
from .engine import opened
from .judged import CLOCK_FAULTS, NOT_OBSERVABLE, SEEN
from .outcomes import IMMATURE, UNKNOWN, UNOBSERVED
from .sources import columns_of_source, warn_not_observable
from .watching import Watched, watched, with_ticks

# A callback's retries may bring it 7 minutes late, so the last minutes before `as_of` are not whole yet.
LATE_SECONDS = {"app": 0, "callback": 8 * 60}

NEEDED = (MISSING, "unobserved", "started_us", "lowest_sequence", "ended_us", "mature", *CONTEXT_OF_SESSIONS)


class Told(NamedTuple):
    """What one source told of the sessions."""

    source: str
    found: Watched


def opened_sessions(
    sessions: IntoFrame, names: Sequence[str], sources: Sequence[str], *, asked_by: str, extra: Sequence[str] = ()
) -> Frame:
    """Take a frame of sessions, and make sure that what its sources told is there."""
    of_source = [column for each in sources for column in columns_of_source(each)]
    columns = dict.fromkeys([*NEEDED, *of_source, *columns_of(names), *extra])
    return opened(sessions, list(columns), asked_by=asked_by, made_by="model.sessions")


def ends_by_source(frame: Frame, sources: Sequence[str]) -> dict[str, Frame]:
    """Say of each session how it ended and when, as each source tells it."""
    return {each: with_ticks(with_ends(frame, each)) for each in sources}


def told_by(frame: Frame, source: str, names: Sequence[str], *, cluster: str, top: int | None) -> Told:
    """Count what one source told of the sessions of each group; `frame` as `ends_by_source` has it."""
    context = (*CONTEXT_OF_SESSIONS, MISSING)
    return Told(source, watched(frame, names, unit="session", cluster=cluster, context=context, top=top))


def columns_of_clusters(cluster: str) -> list[str]:
    """Name the columns beyond the session's own from which clusters are told."""
    return [] if cluster == "session" else cluster_columns(cluster)


def with_ends(frame: Frame, source: str) -> Frame:
    """Say of each session whether it can be watched (`_class`), what became of it (`_event`) and when (`_spent`, µs).

    Nested choices on integers alone, each written as a positive test: what a missing value does is the
    same on every engine.
    """
    started, verified = nw.col("started_us"), nw.col(f"verified_{source}_us")
    late = nw.col("as_of_us") - LATE_SECONDS[source] * SECOND_US
    # After its last report a source says nothing of those who still wait.
    last_report = nw.col(f"{source}_last_us")
    frame = frame.with_columns(_cut=nw.when(last_report < late).then(last_report).otherwise(late))
    ended, cut = nw.col("ended_us"), nw.col("_cut")
    in_time = (verified <= cut) & (ended.is_null() | (verified <= ended))
    ended_otherwise = nw.when(ended <= cut).then(nw.lit(2)).otherwise(nw.lit(0))
    frame = frame.with_columns(_event=nw.when(in_time).then(nw.lit(1)).otherwise(ended_otherwise).cast(nw.Int64))
    last = nw.when(nw.col("_event") == 2).then(ended).otherwise(cut)
    frame = frame.with_columns(_last=nw.when(nw.col("_event") == 1).then(verified).otherwise(last))
    frame = frame.with_columns(_spent=nw.col("_last") - started)
    # The last one asked is the first one that counts.
    kind = nw.when(nw.col("_spent") < 0).then(nw.lit(CLOCK_FAULTS)).otherwise(nw.lit(SEEN))
    kind = nw.when(started >= cut).then(nw.lit(IMMATURE)).otherwise(kind)
    kind = nw.when(nw.col(f"observable_{source}")).then(kind).otherwise(nw.lit(NOT_OBSERVABLE))
    kind = nw.when(nw.col("unobserved")).then(nw.lit(UNOBSERVED)).otherwise(kind)
    kind = nw.when(nw.col("lowest_sequence") == 1).then(kind).otherwise(nw.lit(UNKNOWN))
    return frame.with_columns(_class=kind)


def warn_of_sessions(told: Sequence[Told], *, asked_by: str) -> None:
    """Say what a reader should doubt; pointed at the line that asked for the metric."""
    warn_if_stale(told[0].found.counts.context, asked_by=asked_by, stacklevel=5)
    warn_if_cut(told[0].found.counts.context, asked_by=asked_by, stacklevel=5)
    classes = [(each, found.counts.table["_class"]) for each, found in told]
    if not any((kind == SEEN).any() for _, kind in classes):
        warn_not_observable([each for each, _ in told], asked_by=asked_by)
    for each, found in told:
        faults = int(found.counts.rows[found.counts.table["_class"] == CLOCK_FAULTS].sum())
        if faults:
            warnings.warn(
                f"{asked_by}: {faults} session{'s' * (faults > 1)} ended before the start according to {each!r}: a "
                "clock is wrong. They are left out; metrics.clock_faults(sessions) lists them",
                DoubtfulWarning,
                stacklevel=4,
            )
