"""Which reports of the application lie in the listed parts of an archive, and which elsewhere? Kept days ask."""

from collections.abc import Collection, Mapping
from functools import reduce
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

from verify_analytics.load import files, frames, statefiles, stores
from verify_analytics.load.connection import connection
from verify_analytics.load.places import STORES, Place, place_of
from verify_analytics.load.statefiles import Part
from verify_analytics.model.columns import VERIFICATIONS


class KnownReports(NamedTuple):
    """Reports by where they lie: in the listed parts of an archive, by name, and in any other place.

    ``whole`` is all of them, None where none are kept; ``elsewhere`` is None where there is no other place. A report
    may be in both: it is the earliest of a session that counts.
    """

    archive: Path | None
    parts: Mapping[str, Part]
    elsewhere: Any | None
    whole: Any | None

    def of(self, names: Collection[str]) -> Any | None:
        """Give the reports of some parts, in the shape of all."""
        if self.whole is None or self.archive is None or not names:
            return None if self.whole is None else self.whole.limit(0)
        return _reports_in(self.archive, names)

    def with_elsewhere(self, names: Collection[str]) -> Any | None:
        """Give the reports of some parts, and all that lie elsewhere."""
        if self.archive is None:
            return self.whole
        found = self.of(names)
        return found if found is None or self.elsewhere is None else found.union(self.elsewhere)


def known_reports(places: Collection[Any], archive: Path) -> KnownReports:
    """Find the reports of several places, of which one is an archive beside which states are kept."""
    # Stores first: what has left them by then is listed in the manifest that is read afterwards.
    given = [stores.streamed(place, "verifications", VERIFICATIONS) for place in places if place_of(place) in STORES]
    parts = statefiles.parts_of(archive, "verifications") or {}
    given.extend(
        files.relation(place, "verifications", VERIFICATIONS) for place in places if place_of(place) is Place.PARQUET
    )
    there = files.relation(archive, "verifications", VERIFICATIONS)
    unlisted = [part for part in files.parts_of(archive, "verifications") if part not in parts]
    if unlisted:
        given.append(_reports_in(archive, unlisted))
    elif not parts:
        # A single file beside the parts of callbacks.
        given.append(there)
    elsewhere = _together(given)
    return KnownReports(archive, parts, elsewhere, _together([there, elsewhere]))


def _together(given: Collection[Any | None]) -> Any | None:
    found = [one for one in given if one is not None]
    return reduce(lambda one, more: one.union(more), found) if found else None


def _reports_in(archive: Path, parts: Collection[str]) -> Any:
    # DuckDB reads names as patterns: run[1] would be run1.
    read = connection().read_parquet([escape(str(archive / part)) for part in parts], hive_partitioning=False)
    return frames.shaped(read, VERIFICATIONS, what=f"verifications in {str(archive)!r}")
