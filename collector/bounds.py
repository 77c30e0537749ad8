"""How much quarantine may hold: it is the one place that a stranger's changed requests, or a new format, could fill."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from collector.store import quarantine

QUARANTINE_ROWS = 100_000
"""How many rows quarantine holds before a further unreadable request is answered 503."""
QUARANTINE_BYTES = 256 * 1024 * 1024
"""And how many bytes of bodies, headers and URLs: about as many rows of the size that callbacks have."""

_SIZE = (
    func.octet_length(quarantine.c.body) + func.octet_length(quarantine.c.headers) + func.octet_length(quarantine.c.url)
)


def octets_of(row: Mapping[str, Any]) -> int:
    """Give the bytes of one row that is about to be kept."""
    return len(row["body"]) + len(row["headers"]) + len(row["url"])


class Room:
    """How much of quarantine is taken, counted on from the last row that was counted.

    Keys are never used twice, so only rows with a higher one are new. Whether others were deleted shows a count of all
    rows, which is made only when it looks full, or for somebody who wants to know (`taken`).
    """

    def __init__(self, rows: int = QUARANTINE_ROWS, octets: int = QUARANTINE_BYTES) -> None:
        self._most = (rows, octets)
        self._taken = (0, 0)
        self._last = 0

    def left(self, connection: Connection) -> tuple[int, int]:
        """Say how many rows and bytes may still come."""
        self._count_on(connection)
        if min(self._difference()) <= 0:
            self.taken(connection)
        return self._difference()

    def taken(self, connection: Connection) -> tuple[int, int]:
        """Say how many rows and bytes there are, also after others were deleted: only then all are added up again."""
        self._count_on(connection)
        if connection.scalar(_ROWS) != self._taken[0]:
            self._taken, self._last = (0, 0), 0
            self._count_on(connection)
        return self._taken

    def _difference(self) -> tuple[int, int]:
        return self._most[0] - self._taken[0], self._most[1] - self._taken[1]

    def _count_on(self, connection: Connection) -> None:
        rows, octets, last = connection.execute(_MORE.where(quarantine.c.quarantine_id > self._last)).one()
        if rows:
            self._taken = (self._taken[0] + rows, self._taken[1] + int(octets))
            self._last = last


_ROWS = select(func.count()).select_from(quarantine)
_MORE = select(func.count(), func.sum(_SIZE), func.max(quarantine.c.quarantine_id))
