"""How are attempts known without folding everything again? States kept beside the archive, and the rest folded now.

Kept states know what was received up to the end of the archive. A reading from an earlier moment takes those whose last
callback had come by then; of the few that were under way just then it folds the callbacks again.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any

import narwhals as nw

from verify_analytics.load import files, statefiles, statefold, stores
from verify_analytics.load.connection import forget, keep
from verify_analytics.load.places import FILES, STORES, Place, place_of
from verify_analytics.load.statefiles import Kept
from verify_analytics.load.watching import Pace, tell
from verify_analytics.model.columns import CALLBACKS, STATES
from verify_analytics.model.fold import fold, merge, with_key
from verify_analytics.model.frames import opened
from verify_analytics.model.moments import microseconds, moment

_COLUMNS = ", ".join(f'"{name}"' for name in STATES)


def states_of(where: Any, callbacks: Any, *, as_of: str | datetime) -> Any:
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
    until = microseconds(moment(as_of))
    places = list(where) if isinstance(where, list | tuple) else [where]
    kinds = [place_of(place) for place in places]
    archives = [Path(place) for place, kind in zip(places, kinds, strict=True) if kind is Place.ARCHIVE]
    if len(archives) != 1 or any(kind not in (*STORES, *FILES) for kind in kinds):
        return fold(_received(callbacks(), until))
    [archive] = archives
    # Stores first: what has left them by then is listed in the manifest that is read afterwards. A row that is in both
    # is folded twice, which changes nothing.
    hot = [stores.streamed(place, "callbacks", CALLBACKS) for place in places if place_of(place) in STORES]
    kept = _kept(archive)
    if kept is None:
        return fold(_received(callbacks(), until))
    others = [files.relation(place, "callbacks", CALLBACKS) for place in places if place_of(place) is Place.PARQUET]
    unlisted = [part for part in files.parts_of(archive, "callbacks") if part not in kept.parts]
    if unlisted:
        others.append(statefold.callbacks_in(archive, unlisted))
    rest = [_received(part, until) for part in (*hot, *others)]
    return _at(archive, kept, rest, until)


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


def _at(archive: Path, kept: Kept, rest: Sequence[Any], until: int) -> Any:
    """Put kept states, as they were at a moment, and further callbacks together."""
    settled = [day for day in kept.days.values() if day.last_received_us <= until]
    moving = [day for day in kept.days.values() if day.first_received_us <= until < day.last_received_us]
    parts = [statefold.states_in(archive, days) for days in (settled, moving) if days]
    if moving:
        parts[-1] = parts[-1].filter(f"last_received_us <= {until}")
        under_way = statefold.states_in(archive, moving).filter(
            f"first_received_us <= {until} AND last_received_us > {until}"
        )
        rest = [*rest, *_again(archive, kept, under_way, until)]
    whole = reduce(lambda one, more: one.union(more), parts) if parts else None
    if not rest:
        return whole if whole is not None else _nothing(archive, kept)
    fresh = keep(fold(reduce(lambda one, more: one.union(more), rest)))
    if whole is None:
        return fresh
    if not fresh.limit(1).fetchall():
        forget(fresh)
        return whole
    keys = fresh.project("key")
    met = keep(merge(fresh, whole.join(keys, "key", how="semi").project(_COLUMNS)))
    return whole.join(keys, "key", how="anti").project(_COLUMNS).union(met)


def _again(archive: Path, kept: Kept, under_way: Any, until: int) -> list[Any]:
    """Find the callbacks, received by then, of attempts that were under way."""
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


def _nothing(archive: Path, kept: Kept) -> Any:
    """Give states without a row."""
    return statefold.states_in(archive, list(kept.days.values())[:1]).limit(0)
