"""How are some sessions settled, and which belong to a day? Those whose earliest state lies in it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from verify_analytics.load import statefold
from verify_analytics.load.connection import forget, keep
from verify_analytics.load.known_reports import KnownReports
from verify_analytics.load.known_states import KnownStates
from verify_analytics.load.settledfiles import Reach, Settled, Span
from verify_analytics.load.settledlinks import nodes_with
from verify_analytics.load.settledqueries import Writing
from verify_analytics.load.statefiles import Day
from verify_analytics.load.watching import tell

# States that are settled at once.
PART = 2_000_000
# States of days that are settled together: of the newest days, to which something is still added, and of older ones.
NEW, SPAN, OLD_SPAN = 3, 200_000, 1_000_000


class Sources(NamedTuple):
    """What is settled from, and up to when reports count."""

    states: KnownStates
    reports: KnownReports
    as_of: str | datetime


def spans_of(known: KnownStates, days: Collection[str]) -> list[tuple[str, ...]]:
    """Put days together that are settled at once, for engines are slow on little; the newest apart from the others."""
    newest = sorted(known.days)[-NEW:]
    spans: list[list[str]] = []
    for some, limit in (([day for day in days if day not in newest], OLD_SPAN), (newest, SPAN)):
        rows = limit
        for day in sorted(set(some).intersection(days)):
            rows += known.days[day].rows
            if rows > limit:
                spans.append([])
                rows = known.days[day].rows
            spans[-1].append(day)
    return [tuple(span) for span in spans]


def span_settled(place: Path, settled: Settled, sources: Sources, writing: Writing, days: tuple[str, ...]) -> Span:
    """Settle the sessions whose earliest state lies in some days of kept states."""
    known = sources.states
    linked = sorted(settled.linked(days).difference(days))
    reports = sources.reports.of([name for name in linked if name in sources.reports.parts])
    near = [known.days[name] for name in linked if name in known.days]
    own = statefold.states_in(_archive(known), [known.days[day] for day in days])
    steps = max(1, -(-sum(known.days[day].rows for day in days) // PART))
    made = {}
    for step in range(steps):
        # All rows of a session lie in one step.
        some = own.filter(f"hash(session_id) % {steps} = {step}") if steps > 1 else own
        part = f"from={days[0]}/{settled.next():06}"
        with _with_near(known, some, near, days) as whole:
            made[part] = writing.part(place, part, whole, reports)
    return Span(days, made)


def settled_now(place: Path, settled: Settled, sources: Sources, writing: Writing, states: Any) -> dict[str, Reach]:
    """Settle sessions for this moment alone; give the parts."""
    kept = keep(states)
    try:
        rows = kept.aggregate("count(*)").fetchall()[0][0]
        steps = max(1, -(-rows // PART))
        names = nodes_with(place, settled, kept) if settled.nodes else set()
        reports = sources.reports.with_elsewhere([name for name in sorted(names) if name in sources.reports.parts])
        made = {}
        for step in range(steps):
            part = f"now/{settled.next():06}"
            some = kept.filter(f"hash(session_id) % {steps} = {step}")
            made[part] = writing.part(place, part, some, reports)
            tell("attempts", rows * (step + 1) // steps, rows)
        return made
    finally:
        forget(kept)


def states_of_the_moment(settled: Settled, known: KnownStates, days: Collection[str], sessions: Any | None) -> Any:
    """Give the states of sessions that belong to some days, and of some other sessions.

    Parameters
    ----------
    settled
        Says which days are linked with these.
    known
        All states.
    days
        Days of kept states.
    sessions
        ``session_id`` of sessions of which something was folded just now, or which lie in these days; or None.
    """
    around = {name for name in settled.linked(days) if name in known.days}
    whole = keep(known.whole(around).project(f"*, {statefold.HOME} AS home"))
    first = whole.aggregate("session_id, min(home) AS first", "session_id").set_alias("first")
    chosen = first.filter(f"first IN ({_numbers(days)})").project("session_id")
    if sessions is not None:
        chosen = chosen.union(sessions.project("session_id")).distinct()
    return whole.join(chosen, "session_id", how="semi").project("* EXCLUDE (home)")


@contextmanager
def _with_near(known: KnownStates, own: Any, near: Collection[Day], days: Collection[str]) -> Iterator[Any]:
    """Leave out sessions that began on another day, and bring in what the others told of on other days."""
    if not near:
        yield own
        return
    ids = own.project("session_id").set_alias("own")
    found = keep(statefold.states_in(_archive(known), near).join(ids, "session_id", how="semi"))
    among = own.join(found.project("session_id").set_alias("found"), "session_id", how="semi").union(found)
    first = among.project(f"session_id, {statefold.HOME} AS home").aggregate("session_id, min(home) AS first")
    others = keep(first.filter(f"first NOT IN ({_numbers(days)})").project("session_id"))
    try:
        yield own.union(found).join(others, "session_id", how="anti")
    finally:
        forget(others)
        forget(found)


def _numbers(days: Collection[str]) -> str:
    return ", ".join(str(statefold.number_of(day)) for day in sorted(days)) or "NULL"


def _archive(known: KnownStates) -> Path:
    if known.archive is None:
        raise AssertionError("days of states are kept beside an archive")
    return known.archive
