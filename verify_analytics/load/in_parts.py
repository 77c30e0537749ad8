"""How are attempts worked out that are more than memory holds, and not again where it stands? Some days at a time.

An engine that joins and groups more than it may hold writes the whole to the disk and reads it again, several times.
Sessions know nothing of each other but when the sources reported, which is a small table by minute. So they are settled
some at a time (`model.apart`), in memory, and kept by the day they began on. The clock enters on reading.
"""

from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from verify_analytics.errors import VerifyAnalyticsError
from verify_analytics.load import settledfiles, settledlinks, statefold
from verify_analytics.load.connection import forget, keep
from verify_analytics.load.settledfiles import Reach, Settled
from verify_analytics.load.settledlook import Look, known_minutes, seen
from verify_analytics.load.settledqueries import Writing, writing
from verify_analytics.load.settling import Sources, settled_now, span_settled, spans_of, states_of_the_moment
from verify_analytics.load.statefiles import FOLDER
from verify_analytics.load.watching import tell
from verify_analytics.model.moments import duration_us


class Finished(NamedTuple):
    """Attempts and sessions, each a DuckDB relation over files."""

    attempts: duckdb.DuckDBPyRelation
    sessions: duckdb.DuckDBPyRelation


def finished_in(folder: str | Path, sources: Sources, look: Look) -> Finished:
    """Settle into a folder what is not settled yet, and look at all of it."""
    duration_us(look.patience, name="patience")
    duration_us(look.window, name="window")
    place = Path(folder)
    try:
        with settledfiles.alone(place):
            settled = settledfiles.read(place)
            with writing(sources.as_of, with_reports=sources.reports.whole is not None) as made:
                parts = _settled(place, settled, sources, made)
            settledfiles.write(place, settled)
            settledfiles.tidy(place, settled, parts)
            counts = settledfiles.opened(place, parts, "minutes")
            known = known_minutes(counts, sources, look)
    except (OSError, duckdb.IOException) as error:
        raise VerifyAnalyticsError(
            f"{str(place)!r} could not be written: {str(error).splitlines()[0]}; give a folder on a disk with room for "
            "about 140 bytes a callback"
        ) from None
    return Finished(*seen(place, parts, known, sources.as_of, look))


def _settled(place: Path, settled: Settled, sources: Sources, made: Writing) -> dict[str, Reach]:
    """Make the parts that are missing; give all that the answer is read from."""
    known = sources.states
    if known.archive is None:
        settled.nodes, settled.spans = {}, []
        return settled_now(place, settled, sources, made, known.whole())
    _bring_up_nodes(place, settled, sources)
    settledfiles.write(place, settled)
    heard = _heard_of(sources)
    try:
        blocked = _blocked(place, settled, sources, heard)
        in_a_span = {day for span in settled.spans for day in span.days}
        missing = spans_of(known, [day for day in known.days if day not in blocked and day not in in_a_span])
        rows = [sum(known.days[day].rows for day in days) for days in missing]
        for number, days in enumerate(missing):
            settled.spans.append(span_settled(place, settled, sources, made, days))
            # Whoever is stopped here goes on from here.
            settledfiles.write(place, settled)
            tell("attempts", sum(rows[: number + 1]), sum(rows))
        whole = [span for span in settled.spans if blocked.isdisjoint(span.days)]
        parts = {part: reach for span in whole for part, reach in span.parts.items()}
        if blocked or heard is not None or not parts:
            states = states_of_the_moment(settled, known, blocked, heard)
            parts.update(settled_now(place, settled, sources, made, states))
        return parts
    finally:
        if heard is not None:
            forget(heard)


def _bring_up_nodes(place: Path, settled: Settled, sources: Sources) -> None:
    """Let the list know of each day of states and each part of reports that there is now."""
    known, reports = sources.states, sources.reports
    archive = known.archive
    if archive is None:
        return
    marks = {name: settledfiles.mark_of(archive / FOLDER / day.file) for name, day in known.days.items()}
    marks.update({name: part.digest for name, part in reports.parts.items()})

    def rows_of(name: str) -> Any:
        return statefold.states_in(archive, [known.days[name]]) if name in known.days else reports.of([name])

    def last_of(name: str) -> int:
        if name in known.days:
            return known.days[name].last_received_us
        last = rows_of(name).aggregate("max(received_us)").fetchall()[0][0]
        return 0 if last is None else int(last)

    settledlinks.bring_up(place, settled, marks, rows_of=rows_of, last_of=last_of)


def _heard_of(sources: Sources) -> Any | None:
    """Name the sessions of which something is told that no listed file of the archive tells; None where nothing is."""
    known = sources.states
    found = []
    if known.fresh is not None and known.archive is not None:
        found.append(known.fresh.project("session_id"))
        # A callback that names another session for the same attempt takes it from the one it was in.
        keys = known.fresh.project("key")
        met = statefold.days_with(known.archive, known.days, keys)
        if met:
            states = statefold.states_in(known.archive, [known.days[day] for day in met])
            found.append(states.join(keys, "key", how="semi").project("session_id"))
    if sources.reports.elsewhere is not None:
        found.append(sources.reports.elsewhere.project("session_id"))
    if not found:
        return None
    heard = found[0]
    for more in found[1:]:
        heard = heard.union(more)
    return keep(heard.distinct())


def _blocked(place: Path, settled: Settled, sources: Sources, heard: Any | None) -> set[str]:
    """Name the days that cannot be taken as they are kept: something linked is later, or told elsewhere too."""
    known = sources.states
    later = {name for name, node in settled.nodes.items() if node.last_received_us > known.until}
    blocked = {name for name in settled.linked(later) if name in known.days}
    if heard is not None:
        blocked.update(name for name in settledlinks.nodes_with(place, settled, heard) if name in known.days)
    for span in settled.spans:
        if not blocked.isdisjoint(span.days):
            blocked.update(span.days)
    return blocked
