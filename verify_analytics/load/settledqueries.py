"""Which queries settle some sessions and write them? They are planned once and run for one span after the other.

Putting them together takes longer than running them on a small day. Their text names a table of states and a view of
reports, whose contents are exchanged from run to run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from verify_analytics.load.connection import connection, new_name
from verify_analytics.load.settledfiles import KINDS, Reach, name_of
from verify_analytics.model.apart import counts_by_minute, settled_attempts, settled_sessions

_REACH = (
    "count(*), min(session_begun_us), max(session_begun_us), min(started_us), "
    "max(greatest(started_us, last_started_us))"
)


class Writing:
    """Settles states with reports, and writes what comes of them."""

    def __init__(self, as_of: str | datetime, *, with_reports: bool) -> None:
        self._as_of = as_of
        self._with_reports = with_reports
        self._states, self._reports, self._attempts = (new_name(name) for name in ("states", "reports", "settled"))
        self._texts: dict[str, str] = {}

    def part(self, place: Path, part: str, states: Any, reports: Any | None) -> Reach:
        """Write one part.

        Parameters
        ----------
        place
            The folder.
        part
            Its name in it.
        states
            All states of some sessions, a relation of ours.
        reports
            At least those about these sessions; None where reports are not kept.
        """
        run = connection().execute
        run(f"CREATE OR REPLACE TABLE {self._states} AS {states.sql_query()}")
        if reports is not None:
            run(f"CREATE OR REPLACE VIEW {self._reports} AS {reports.sql_query()}")
        texts = self._texts or self._planned()
        run(f"CREATE OR REPLACE TABLE {self._attempts} AS {texts['attempts']}")
        (place / part).parent.mkdir(exist_ok=True)
        for kind in KINDS:
            target = str(place / name_of(part, kind)).replace("'", "''")
            text = f"FROM {self._attempts}" if kind == "attempts" else texts[kind]
            run(f"COPY ({text}) TO '{target}' (FORMAT parquet, COMPRESSION lz4)")
        rows, *reach = connection().table(self._attempts).aggregate(_REACH).fetchall()[0]
        # Without a row it lies nowhere.
        return Reach(rows, (reach[0], reach[1]), (reach[2], reach[3])) if rows else Reach(0, (1, 0), (1, 0))

    def _planned(self) -> dict[str, str]:
        """Put the queries together."""
        states = connection().table(self._states)
        reports = connection().view(self._reports) if self._with_reports else None
        attempts = settled_attempts(states, as_of=self._as_of, verifications=reports)
        # The table of attempts must be there for the query that groups it.
        attempts.limit(0).create(self._attempts)
        self._texts = {
            "attempts": attempts.sql_query(),
            "minutes": counts_by_minute(states, as_of=self._as_of, verifications=reports).sql_query(),
            "sessions": settled_sessions(connection().table(self._attempts)).sql_query(),
        }
        return self._texts

    def end(self) -> None:
        """Drop what the queries named."""
        connection().execute(f"DROP VIEW IF EXISTS {self._reports}")
        for name in (self._states, self._attempts):
            connection().execute(f"DROP TABLE IF EXISTS {name}")


@contextmanager
def writing(as_of: str | datetime, *, with_reports: bool) -> Iterator[Writing]:
    """Prepare to write parts; rows are written as they come, for none has to wait for those that stand before it."""
    made = Writing(as_of, with_reports=with_reports)
    connection().execute("SET preserve_insertion_order = false")
    try:
        yield made
    finally:
        connection().execute("RESET preserve_insertion_order")
        made.end()
