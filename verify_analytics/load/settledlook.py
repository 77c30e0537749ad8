"""How is what was settled looked at quickly? Most days lie wholly in one run of coverage and beside the same silences.

For those days what is known of each minute is the same for every row, and a number in the query in place of a join.
Only days in which coverage ends, or a silence begins, are joined with the minutes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

from verify_analytics.load import settledfiles
from verify_analytics.load.connection import keep
from verify_analytics.load.settledfiles import Reach
from verify_analytics.load.settling import Sources
from verify_analytics.model.apart import Known, attempts_at, minutes_known, sessions_at
from verify_analytics.model.look import Alike
from verify_analytics.model.moments import MINUTE_US, duration_us, microseconds, moment
from verify_analytics.model.silences import SOURCED

# Groups of parts that are alike in this: each is a query of its own, which takes the engine time to plan.
GROUPS = 8
_Ends = tuple[int, int]


class Look(NamedTuple):
    """How sources are looked at."""

    pulse: Any | None
    patience: str | timedelta
    window: str | timedelta


def known_minutes(counts: Any, sources: Sources, look: Look) -> Known:
    """Work out once what is known of each minute."""
    known = minutes_known(counts, as_of=sources.as_of, verifications=sources.reports.whole, pulse=look.pulse)
    return known._replace(minutes=keep(known.minutes), covered=None if known.covered is None else keep(known.covered))


def seen(place: Path, parts: Mapping[str, Reach], known: Known, as_of: str | datetime, look: Look) -> tuple[Any, Any]:
    """Look at the attempts and the sessions of some parts."""
    attempts, sessions = [], []
    for alike, names in _groups(parts, known, _end_of_waiting(as_of, look)):
        settled = [settledfiles.opened(place, names, kind) for kind in ("attempts", "sessions")]
        attempts.append(attempts_at(settled[0], known, as_of=as_of, patience=look.patience, alike=alike))
        sessions.append(
            sessions_at(settled[1], known, as_of=as_of, patience=look.patience, window=look.window, alike=alike)
        )
    return _together(attempts), _together(sessions)


def _together(relations: Sequence[Any]) -> Any:
    return reduce(lambda one, more: one.union(more), relations)


class _Waiting(NamedTuple):
    """What started by ``mature_us`` has waited long enough, and waits no longer than ``longest_us``."""

    mature_us: int
    longest_us: int


def _end_of_waiting(as_of: str | datetime, look: Look) -> _Waiting:
    patience, window = duration_us(look.patience, name="patience"), duration_us(look.window, name="window")
    return _Waiting(microseconds(moment(as_of)) - patience - window, max(patience, window))


def _groups(parts: Mapping[str, Reach], known: Known, waiting: _Waiting) -> list[tuple[Alike | None, list[str]]]:
    """Put parts together for whose rows all the same is known; the rest, and small groups beyond some, under None."""
    silences, runs = _silences(known), _runs(known)
    groups: dict[Alike | None, list[str]] = {}
    for part, reach in parts.items():
        groups.setdefault(_alike(reach, silences, runs, waiting), []).append(part)

    def rows(alike: Alike | None) -> int:
        return sum(parts[part].rows for part in groups[alike])

    largest = sorted((alike for alike in groups if alike is not None), key=rows, reverse=True)[:GROUPS]
    rest = [part for alike, names in groups.items() if alike not in largest for part in names]
    found: list[tuple[Alike | None, list[str]]] = [(alike, groups[alike]) for alike in largest]
    return [*found, (None, rest)] if rest else found


def _silences(known: Known) -> list[tuple[_Ends, tuple[int | None, ...]]]:
    """Give spans of minutes, and what is known of the sources all through them."""
    names = ", ".join(SOURCED)
    rows = known.minutes.aggregate(f"min(_minute), max(_minute), {names}", names).fetchall()
    return [((first, last), tuple(told)) for first, last, *told in rows]


def _runs(known: Known) -> list[_Ends] | None:
    """Give the first and the last minute of each run of covered minutes, in their order; None without a pulse."""
    if known.covered is None:
        return None
    return sorted(known.covered.aggregate("min(_minute), _run_end", "_run_end").fetchall())


def _alike(
    reach: Reach,
    silences: Sequence[tuple[_Ends, tuple[int | None, ...]]],
    runs: Sequence[_Ends] | None,
    waiting: _Waiting,
) -> Alike | None:
    """Say what is known of all rows of a part alike; None where it differs, or may."""
    first, last = (us // MINUTE_US for us in reach.begun)
    told = [values for (low, high), values in silences if low <= last and high >= first]
    if len(told) != 1:
        return None
    mature = reach.started[1] <= waiting.mature_us
    if not runs:
        return Alike(told[0], (None, None), mature)
    first, last = (us // MINUTE_US for us in reach.started)
    # What lies before the first known minute is taken as covered.
    around = [end for begin, end in runs if (begin <= first or begin == runs[0][0]) and last <= end]
    if not around:
        return None
    # In the last run nobody knows yet what comes after it; in another one waiting must end in it.
    listened = around[0] == runs[-1][1] or (reach.started[1] + waiting.longest_us) // MINUTE_US <= around[0]
    covered = ((runs[-1][1] + 1) * MINUTE_US, (around[0] + 1) * MINUTE_US)
    return Alike(told[0], covered, mature and listened)
