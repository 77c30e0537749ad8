"""How are attempts known without folding everything again? States kept beside the archive, and the rest folded now.

Kept states know what was received up to the end of the archive. A reading from an earlier moment takes those whose last
callback had come by then; of the few that were under way just then it folds the callbacks again.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import narwhals as nw

from verify_analytics.load import files, statefiles, statefold, stores
from verify_analytics.load.connection import forget, keep
from verify_analytics.load.places import FILES, STORES, Place, place_of
from verify_analytics.load.statefiles import Day, Kept
from verify_analytics.load.watching import Pace, tell
from verify_analytics.model.columns import CALLBACKS, STATES
from verify_analytics.model.fold import fold, merge, with_key
from verify_analytics.model.frames import opened
from verify_analytics.model.moments import microseconds, moment

_COLUMNS = ", ".join(f'"{name}"' for name in STATES)


class KnownStates(NamedTuple):
    """States of all attempts as they were at a moment: the days that are kept, and what was folded just now.

    ``fresh`` is None where nothing had to be folded.
    """

    archive: Path | None
    days: Mapping[str, Day]
    fresh: Any | None
    until: int

    def whole(self, names: Collection[str] | None = None) -> Any:
        """Give the states of all days, or of some, and what is fresh: as `model.fold` makes them of all callbacks.

        Where some days are chosen, they must be all in which keys lie that are fresh too.
        """
        if self.archive is None:
            return self.fresh
        chosen = [day for name, day in self.days.items() if names is None or name in names]
        days = [day for day in chosen if day.first_received_us <= self.until]
        if not days:
            return _nothing(self.archive, self.days) if self.fresh is None else self.fresh
        kept = _as_they_were(self.archive, days, self.until)
        if self.fresh is None:
            return kept
        keys = self.fresh.project("key")
        met = keep(merge(self.fresh, kept.join(keys, "key", how="semi").project(_COLUMNS)))
        return kept.join(keys, "key", how="anti").project(_COLUMNS).union(met)


def states_of(where: Any, callbacks: Callable[[], Any], *, as_of: str | datetime) -> Any:
    """Give the states of all attempts as `model.fold` makes them of the callbacks received up to a moment.

    Parameters
    ----------
    where
        What `load.callbacks` was given.
    callbacks
        Called for what it gave, where no states are kept.
    as_of
        The moment.
    """
    return known_states(where, callbacks, as_of=as_of).whole()


def known_states(where: Any, callbacks: Callable[[], Any], *, as_of: str | datetime) -> KnownStates:
    """Find what is kept of the states at a moment, and fold the rest; as `states_of`, but not put together yet."""
    until = microseconds(moment(as_of))
    places = list(where) if isinstance(where, list | tuple) else [where]
    archive = archive_among(places)
    if archive is None:
        return KnownStates(None, {}, fold(_received(callbacks(), until)), until)
    # Stores first: what has left them by then is listed in the manifest that is read afterwards. A row that is in both
    # is folded twice, which changes nothing.
    hot = [stores.streamed(place, "callbacks", CALLBACKS) for place in places if place_of(place) in STORES]
    kept = _kept(archive)
    if kept is None:
        return KnownStates(None, {}, fold(_received(callbacks(), until)), until)
    others = [files.relation(place, "callbacks", CALLBACKS) for place in places if place_of(place) is Place.PARQUET]
    unlisted = [part for part in files.parts_of(archive, "callbacks") if part not in kept.parts]
    if unlisted:
        others.append(statefold.callbacks_in(archive, unlisted))
    rest = [_received(part, until) for part in (*hot, *others)]
    moving = [day for day in kept.days.values() if day.first_received_us <= until < day.last_received_us]
    if moving:
        rest.extend(_again(archive, kept, moving, until))
    fresh = keep(fold(reduce(lambda one, more: one.union(more), rest))) if rest else None
    if fresh is not None and not fresh.limit(1).fetchall():
        forget(fresh)
        fresh = None
    return KnownStates(archive, kept.days, fresh, until)


def archive_among(places: Sequence[Any]) -> Path | None:
    """Name the one archive beside which states are kept; None where there is none, or nothing else can be added."""
    kinds = [place_of(place) for place in places]
    archives = [Path(place) for place, kind in zip(places, kinds, strict=True) if kind is Place.ARCHIVE]
    is_known = len(archives) == 1 and all(kind in (*STORES, *FILES) for kind in kinds)
    return archives[0] if is_known else None


def _kept(archive: Path) -> Kept | None:
    """Bring the states of an archive up to date; None where they cannot be kept."""
    parts = statefiles.parts_of(archive)
    if not parts:
        return None
    with statefiles.alone(archive) as is_ours:
        if not is_ours:
            return None
        kept = statefiles.read(archive, parts)
        if not kept.parts:
            statefiles.clear(archive)
        pace = Pace()
        statefold.bring_up(
            archive, kept, parts, told=lambda done, of: tell("states", done, of) if pace.is_due() else None
        )
    return kept


def _received(callbacks: Any, until: int) -> Any:
    return nw.to_native(opened(callbacks).filter(nw.col("received_us") <= until))


def _as_they_were(archive: Path, days: Sequence[Day], until: int) -> Any:
    """Open the states of some days that have not changed since a moment."""
    settled = [day for day in days if day.last_received_us <= until]
    moving = [day for day in days if day.last_received_us > until]
    parts = [statefold.states_in(archive, some) for some in (settled, moving) if some]
    if moving:
        parts[-1] = parts[-1].filter(f"last_received_us <= {until}")
    return reduce(lambda one, more: one.union(more), parts)


def _again(archive: Path, kept: Kept, moving: Sequence[Day], until: int) -> list[Any]:
    """Find the callbacks, received by then, of attempts that were under way."""
    under_way = statefold.states_in(archive, moving).filter(
        f"first_received_us <= {until} AND last_received_us > {until}"
    )
    keys = keep(under_way.project("key, first_received_us"))
    try:
        since = keys.aggregate("min(first_received_us) AS low").fetchall()[0][0]
        if since is None:
            return []
        received = statefold.callbacks_in(archive, kept.parts).filter(f"received_us BETWEEN {since} AND {until}")
        found = nw.to_native(with_key(opened(received))).join(keys.project("key"), "key", how="semi")
        return [keep(found.project(", ".join(received.columns)))]
    finally:
        forget(keys)


def _nothing(archive: Path, days: Mapping[str, Day]) -> Any:
    """Give states without a row."""
    return statefold.states_in(archive, list(days.values())[:1]).limit(0)
