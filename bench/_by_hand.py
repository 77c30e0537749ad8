"""The fold and what follows it as a careful analyst writes it in pandas and numpy, to be measured against.

Words are categories, identifiers are factorised once, and everything after that is whole numbers in arrays: sorted, cut
at the borders of groups, and reduced. No loop over rows, and no text is touched but where two texts must be compared.
The result is that of `model.attempts` and `model.sessions`, as far as the metrics read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from verify_analytics.model import outcomes
from verify_analytics.model.silences import SOURCES, _with_silence

Ints = NDArray[np.int64]
Columns = dict[str, Any]
IDS = ("attempt_id", "session_id", "recipient_key", "number_block")
WORDS = ("provider", "session_status", "channel", "channel_status", "error_code", "country")
NUMBERS = ("received_at", "attempt_sequence", "requested_at")
# What a number is that is missing: after all others where the smallest is sought; where the largest is, see below.
NONE = np.iinfo(np.int64).max
MINUTE, SECOND = 60_000_000, 1_000_000
STATES = ("none", *outcomes.STATES, "unlisted")


@dataclass
class Table:
    """Columns of whole numbers, `NONE` where missing; texts as numbers of a vocabulary, -1 where missing."""

    columns: Columns
    texts: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]


def read(folder: Path) -> Table:
    """Read the columns that are needed, identifiers as numbers."""
    files = sorted((folder / "callbacks").rglob("*.parquet"))
    columns: Columns = {}
    texts = {}
    for name in NUMBERS:
        values = _column(files, name).combine_chunks()
        kind = pa.int64()
        columns[name] = values.cast(kind).fill_null(NONE).to_numpy()
    for name in (*IDS, *WORDS):
        values = pd.Series(_column(files, name, words=name in WORDS).to_pandas())
        if name in WORDS:
            values = values.cat.reorder_categories(sorted(values.cat.categories))
            columns[name], texts[name] = values.cat.codes.to_numpy().astype(np.int64), values.cat.categories.to_numpy()
        else:
            columns[name], texts[name] = cast("tuple[Any, Any]", pd.factorize(values))
    return Table(columns, texts)


def _column(files: list[Path], name: str, *, words: bool = False) -> Any:
    read = [pq.ParquetFile(file, read_dictionary=[name] if words else None).read([name])[name] for file in files]
    whole = pa.chunked_array([chunk for one in read for chunk in one.chunks])
    return whole.unify_dictionaries() if words else whole


def fold(given: Table) -> Table:
    """Reduce callbacks to one state for each attempt, as `model.fold` does: smallest and largest of every fact."""
    state, code, codes = _meant(given)
    named = given["attempt_id"] >= 0
    keys = np.where(named, given["attempt_id"], len(given.texts["attempt_id"]) + given["session_id"])
    group = pd.factorize(keys)[0]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    received = given["received_at"][order]

    def least(values: Ints) -> Ints:
        return cast("Ints", np.minimum.reduceat(values, starts))

    def most(values: Ints) -> Ints:
        return cast("Ints", np.maximum.reduceat(values, starts))

    made: Columns = {
        "is_attempt": named[order][starts],
        "first_received_us": least(received),
        "last_received_us": most(received),
        "requested_us": least(given["requested_at"][order]),
        "requested_us_max": _largest(most, given["requested_at"][order]),
        "attempt_sequence": least(given["attempt_sequence"][order]),
        "attempt_sequence_max": _largest(most, given["attempt_sequence"][order]),
    }
    ordered = state[order]
    for number, name in enumerate(outcomes.STATES, 1):
        made[f"{name}_us"] = least(np.where(ordered == number, received, NONE))
    made["has_unknown_status"] = most(np.where(ordered == len(STATES) - 1, 1, 0)) == 1
    said = np.array([outcomes.SESSION_MEANING.get(str(word), "") for word in (*given.texts["session_status"], "")])
    for end in ("verified", "expired"):
        here = (said == end)[given["session_status"]][order]
        made[f"{end}_us"] = least(np.where(here, received, NONE))
    for name in ("failed", "undelivered"):
        mine = np.where(ordered == STATES.index(name), code[order], -1)
        made[f"code_{name}"] = least(np.where(mine < 0, NONE, mine))
        made[f"code_{name}_max"] = most(mine)
    for name in ("provider", "channel", "country", *IDS[1:]):
        values = given[name][order]
        low, high = least(np.where(values < 0, NONE, values)), most(values)
        if name in IDS:
            _settle(low, high, values, starts, given.texts[name])
        made[name], made[f"{name}_max"] = np.where(high < 0, -1, low), high
    made["attempt_id"] = given["attempt_id"][order][starts]
    return Table(made, {**given.texts, "error_code": codes})


def _largest(most: Any, values: Ints) -> Ints:
    found = most(np.where(values == NONE, -1, values))
    return np.where(found < 0, NONE, found)


def _settle(low: Ints, high: Ints, values: Ints, starts: Ints, texts: Any) -> None:
    """Put the smallest and the largest text of groups that hold more than one; their numbers are in no order."""
    ends = np.append(starts[1:], len(values))
    for group in np.flatnonzero((low != high) & (high >= 0)).tolist():
        held = sorted({str(texts[i]): i for i in values[starts[group] : ends[group]].tolist() if i >= 0}.items())
        low[group], high[group] = held[0][1], held[-1][1]


def _meant(given: Table) -> tuple[Ints, Ints, Any]:
    """Say of each callback which state it stands for and which error it names, by tables over the words."""
    channels, statuses = [*map(str, given.texts["channel"]), ""], [*map(str, given.texts["channel_status"]), ""]
    table = np.zeros((len(channels), len(statuses)), dtype=np.int64)
    for i, channel in enumerate(channels):
        meaning = outcomes.MEANING.get(channel, outcomes.MEANING[outcomes.OTHER])
        for j, status in enumerate(statuses):
            table[i, j] = STATES.index(meaning.get(status, "unlisted")) if status else 0
    # A missing word has the number -1: the last row, the last column.
    state = table[given["channel"], given["channel_status"]]
    stripped = [str(text).strip(" \t\r\n") for text in (*given.texts["error_code"], "")]
    codes = sorted({text for text in stripped if text not in outcomes.NO_ERROR})
    number = np.array([codes.index(text) if text in codes else -1 for text in stripped])[given["error_code"]]
    voice = np.array([channel == "voice" for channel in channels])[given["channel"]]
    ended = np.isin(state, [STATES.index("failed"), STATES.index("undelivered")])
    zero = codes.index(outcomes.NO_ERROR_IF_COMPLETED) if outcomes.NO_ERROR_IF_COMPLETED in codes else -2
    return state, np.where((number == zero) & ~(voice & ended), -1, number), np.array(codes)


class Sorted:
    """States by session and place in it, with the borders of the sessions."""

    def __init__(self, states: Table) -> None:
        begun = np.where(states["requested_us"] == NONE, states["first_received_us"], states["requested_us"])
        sequence = np.where(states["is_attempt"], states["attempt_sequence"], NONE)
        place = np.where(states["is_attempt"], np.minimum(sequence, 2**40), 2**40 + 1)
        session = states["session_id"]
        order = np.lexsort((begun, place, session))
        same = (np.diff(session[order]) == 0) & (np.diff(place[order]) == 0) & (np.diff(begun[order]) == 0)
        if same.any():
            # Only where two begin at once does the text of their keys decide.
            tied = np.zeros(len(order), dtype=np.int64)
            rows = np.union1d(np.flatnonzero(same), np.flatnonzero(same) + 1)
            names = np.array([_key(states, i) for i in order[rows].tolist()])
            tied[order[rows]] = np.unique(names, return_inverse=True)[1]
            order = np.lexsort((tied, begun, place, session))
        self.rows = Table({name: values[order] for name, values in states.columns.items()}, states.texts)
        self.begun, self.sequence = begun[order], sequence[order]
        self.session = session[order]
        self.starts = np.flatnonzero(np.diff(self.session, prepend=-1))
        self.number = np.cumsum(np.diff(self.session, prepend=-1) != 0) - 1

    def before(self, values: Any, missing: int = NONE, steps: int = 1) -> Any:
        """Give the value of the row so many before in the same session."""
        found = np.full(len(values), missing)
        if steps > 0:
            found[steps:] = np.where(self.session[steps:] == self.session[:-steps], values[:-steps], missing)
        else:
            found[:steps] = np.where(self.session[:steps] == self.session[-steps:], values[-steps:], missing)
        return found

    def least(self, values: Any) -> Any:
        """Give the smallest of each session."""
        return np.minimum.reduceat(values, self.starts)

    def most(self, values: Any) -> Any:
        """Give the largest of each session."""
        return np.maximum.reduceat(values, self.starts)


def _key(states: Table, row: int) -> str:
    attempt = states["attempt_id"][row]
    if attempt >= 0:
        return str(states.texts["attempt_id"][attempt])
    return f"session:{states.texts['session_id'][states['session_id'][row]]}"


def minutes_of(sessions: Columns, heard_us: Ints, reported_us: Ints) -> dict[str, tuple[Ints, Columns]]:
    """Find each source's first and last report and its long silences; the small table by minute is the model's."""
    reached, callback, app = sessions["reached"], sessions["verified_callback_us"], sessions["verified_app_us"]
    minute = np.concatenate([sessions["begun_us"], heard_us, reported_us]) // MINUTE
    none, here = np.zeros(len(heard_us) + len(reported_us), dtype=np.int64), len(sessions["begun_us"])
    table = pd.DataFrame(
        {
            "_minute": minute,
            "_reached": np.concatenate([reached, none]),
            "_told_app": np.concatenate([np.where(app != NONE, reached, 0), none]),
            "_told_callback": np.concatenate([np.where(callback != NONE, reached, 0), none]),
        }
    )
    counted = table.groupby("_minute").sum()
    for source, first, us in (("callback", here, heard_us), ("app", here + len(heard_us), reported_us)):
        at = pd.Series(us).groupby(minute[first : first + len(us)])
        counted[f"_{source}_first"], counted[f"_{source}_last"] = at.min(), at.max()
    gaps = {name: counted[name].astype("Int64").astype("int64[pyarrow]") for name in counted.columns}
    small: Any = nw.from_native(pd.DataFrame(gaps).reset_index().assign(_one=1))
    found = {}
    for source in SOURCES:
        small = _with_silence(small, source)
    frame = small.to_native()
    for source in SOURCES:
        names = [f"{source}_{what}_us" for what in ("first", "last", "silence_from", "silence_until")]
        values = {name.removeprefix(f"{source}_"): _ints(frame[name]) for name in names}
        found[source] = (frame["_minute"].to_numpy(dtype=np.int64), values)
    return found


def _ints(values: pd.Series) -> Ints:
    return cast("Ints", values.astype("Int64").fillna(NONE).to_numpy(dtype=np.int64))
