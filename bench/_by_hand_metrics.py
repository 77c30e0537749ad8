"""The four main metrics by hand: counted in arrays, finished by the very code that finishes ours."""
# What finishes ours is no part of what others may call.
# ruff: noqa: SLF001

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench._by_hand import NONE, SECOND, Ints, Table
from bench._by_hand_finish import OUTCOMES, View
from verify_analytics.metrics import delivery, judged, speed, verification, watching
from verify_analytics.metrics.counting import Counts, context_of
from verify_analytics.metrics.error_codes import MEASURES
from verify_analytics.metrics.error_codes import _finish as finish_codes
from verify_analytics.metrics.frames import in_long_form, split_and_total, with_context
from verify_analytics.metrics.outcomes import CATEGORIES, UNSUCCESSFUL
from verify_analytics.metrics.session_ends import LATE_SECONDS, Told
from verify_analytics.metrics.tally import Tally, Within

# Bits of one count within a cluster, so that all counts of a cluster are one number.
_BITS = 6


def delivery_rate(attempts: Table, view: View, covered: int) -> pd.DataFrame:
    """As ``metrics.delivery_rate(attempts, by="channel")``."""
    names = delivery._CATEGORIES
    category = _category(attempts)
    codes = [str(code) for code in attempts.texts["error_code"]]
    failed = category == names.index("failed")
    for kind, listed in ((delivery.POLICY, delivery.POLICY_CODES), (delivery.ACCOUNT, delivery.ACCOUNT_CODES)):
        wanted = [codes.index(code) for code in listed if code in codes]
        category = np.where(failed & np.isin(attempts["error_code"], wanted), names.index(kind), category)
    cells = _Cells(attempts, category)
    found = cells.tally(names, _context(view, covered))
    return split_and_total(lambda _: delivery._finish(found), ["channel"])


def error_codes_by_channel(attempts: Table, view: View, covered: int) -> pd.DataFrame:
    """As ``metrics.error_codes(attempts, by="channel")``."""
    cells = _Cells(attempts, _category(attempts))
    found = cells.tally(CATEGORIES, _context(view, covered))
    bad = np.isin(cells.category, [CATEGORIES.index(name) for name in UNSUCCESSFUL])
    cell, code = cells.cell[bad], attempts["error_code"][cells.rows][bad]
    sizes: list[Any] = [sum(cells.count(CATEGORIES.index(name)) for name in names) for names in MEASURES.values()]
    room = len(attempts.texts["error_code"]) + 1
    pairs, counted = np.unique(cell * room + code + 1, return_counts=True)
    of_cell = pairs // room
    table = pd.DataFrame(
        {"channel": cells.channel[of_cell], "code": pairs % room - 1, "_counted": counted}
        | {f"_size_{i}": size[of_cell] for i, size in enumerate(sizes)}
    )
    table = table.groupby(list(table.columns)).size().rename("rows").reset_index()
    table["_all"], channel = 0, _worded(table.pop("channel"), attempts.texts["channel"])
    table["_by_channel"], table["channel"] = channel, channel
    table["_code"] = _worded(table.pop("code"), attempts.texts["error_code"])
    ints = {name: table[name].to_numpy(dtype=np.int64) for name in ("_counted", "rows", "_size_0", "_size_1")}
    within = Within(table, found.places(table), ints["_counted"], ints["rows"], [ints["_size_0"], ints["_size_1"]])
    return split_and_total(lambda _: finish_codes(found, within), ["channel"])


def verification_rate(sessions: Table, view: View) -> pd.DataFrame:
    """As ``metrics.verification_rate(sessions, by="first_channel")``."""
    found = [(source, _verified(sessions, source, view)) for source in ("app", "callback")]

    def made(split: list[str]) -> pd.DataFrame:
        parts = in_long_form([part for source, one in found for part in verification._parts(one, source)])
        return with_context(parts[[*split, *verification.COLUMNS]], found[0][1].context, window=True)

    return split_and_total(made, ["first_channel"])


def time_to_verify(sessions: Table, view: View) -> pd.DataFrame:
    """As ``metrics.time_to_verify(sessions, by="first_channel")``."""
    parts = [
        speed._finish(
            Told(source, _watched(sessions, source, view)), 600.0 * watching.TICKS_PER_SECOND, ["first_channel"]
        )
        for source in ("app", "callback")
    ]
    return split_and_total(lambda _: pd.concat(parts, ignore_index=True), ["first_channel"])


class _Cells:
    """Attempts by session and channel: what lies in one cell is one cluster of a group."""

    def __init__(self, attempts: Table, category: Ints) -> None:
        self.rows = np.flatnonzero(attempts["is_attempt"])
        self.category = category[self.rows]
        self.texts = attempts.texts["channel"]
        room = len(self.texts) + 1
        whole, self.cell = np.unique(
            attempts["session"][self.rows] * room + attempts["channel"][self.rows] + 1, return_inverse=True
        )
        self.channel = whole % room - 1
        order = np.argsort(self.cell, kind="stable")
        starts = np.searchsorted(self.cell[order], np.arange(len(whole)))
        # At most 63 attempts of one kind in one session: checked, because more would run over.
        assert np.diff(np.append(starts, len(order))).max() < 2**_BITS
        self.counts = np.add.reduceat(np.left_shift(1, _BITS * self.category[order]), starts)

    def count(self, category: int) -> Ints:
        """Count those of a category in each cell."""
        found: Ints = (self.counts >> (_BITS * category)) & (2**_BITS - 1)
        return found

    def tally(self, names: Sequence[str], context: dict[str, Any]) -> Tally:
        """Count cells of the same make-up together."""
        table = pd.DataFrame({"channel": self.channel, "counts": self.counts})
        table = table.groupby(["channel", "counts"]).size().rename("rows").reset_index()
        packed = table.pop("counts").to_numpy()
        for number, name in enumerate(names):
            table[f"_in_{name}"] = (packed >> (_BITS * number)) & (2**_BITS - 1)
        table["_by_channel"] = _worded(table.pop("channel"), self.texts)
        return _tally(table, ["channel"], names, context, None)


def _category(attempts: Table) -> Ints:
    """Give the number of `CATEGORIES` of each attempt."""
    of = np.array([CATEGORIES.index(name) if name in CATEGORIES else CATEGORIES.index("unknown") for name in OUTCOMES])
    return np.where(attempts["mature"], of[attempts["outcome"]], CATEGORIES.index("immature"))


def _tally(table: pd.DataFrame, by: list[str], names: Sequence[str], context: dict[str, Any], rows: Any) -> Tally:
    table = table.assign(_all=0, **context)
    table = table.sort_values(list(table.columns), kind="stable", ignore_index=True)
    return Tally(table, by, tuple(names), context_of(table, list(context)), rows)


def _context(view: View, covered: int) -> dict[str, Any]:
    return {"as_of_us": view.as_of_us, "patience_seconds": view.patience_us / SECOND, "covered_until_us": covered}


def _context_of_sessions(sessions: Table, view: View) -> dict[str, Any]:
    window = {"window_seconds": view.window_us / SECOND, "attempts_missing": 0}
    return _context(view, sessions["covered_until_us"]) | window


def _verified(sessions: Table, source: str, view: View) -> Tally:
    names = verification.CATEGORIES
    verified, seen = sessions[f"verified_{source}_us"], sessions["attempts_before_verified"]
    ended = sessions["ended_us"]
    in_time = (verified != NONE) & (ended != NONE) & (verified <= ended)
    fault = (verified < sessions["started_us"]) & (sessions["lowest_sequence"] == 1)
    second = np.where(sessions["second_started_us"] == NONE, 1, 2)
    most = np.maximum(seen, second)
    attempt = np.where(sessions["attempts"] <= seen, np.maximum(most, sessions["highest_sequence"]), most)
    place = np.minimum(attempt, 3) - 1
    kind = np.where(fault, names.index(verification.FAULTS[0]), names.index(verification.VERIFIED[0])) + place
    kind = np.where(in_time, kind, names.index(verification.WAITED))
    to_the_end = sessions["last_started_us"] + view.window_us <= sessions[f"{source}_last_us"]
    kind = np.where(sessions[f"observable_{source}"] & to_the_end, kind, names.index(judged.NOT_OBSERVABLE))
    kind = np.where(seen > 0, kind, names.index("unknown"))
    kind = np.where(sessions["unobserved"], names.index("unobserved"), kind)
    kind = np.where(sessions["mature"], kind, names.index("immature"))
    # Sessions of one channel, kind and number of attempts are alike.
    attempts = np.where(kind >= names.index(verification.VERIFIED[0]), attempt, 0)
    table = pd.DataFrame(
        {"channel": sessions["channel"], "kind": kind, verification.ATTEMPTS_OF_VERIFIED: attempts},
    )
    table = table.groupby(list(table.columns)).size().rename("rows").reset_index()
    for number, name in enumerate(names):
        table[f"_in_{name}"] = (table["kind"] == number).astype(np.int64)
    table["_by_first_channel"] = _first_channel(table.pop("channel"), sessions)
    table = table.drop(columns="kind")
    return _tally(table, ["first_channel"], names, _context_of_sessions(sessions, view), None)


def _watched(sessions: Table, source: str, view: View) -> watching.Watched:
    started, verified = sessions["started_us"], sessions[f"verified_{source}_us"]
    cut = np.minimum(sessions[f"{source}_last_us"], view.as_of_us - LATE_SECONDS[source] * SECOND)
    ended = sessions["ended_us"]
    in_time = (verified != NONE) & (verified <= cut) & (verified <= ended)
    event = np.where(in_time, 1, np.where((ended != NONE) & (ended <= cut), 2, 0))
    spent = np.where(event == 1, verified, np.where(event == 2, ended, cut)) - started
    kind = np.where(spent < 0, 1, 0)
    kinds = (judged.SEEN, judged.CLOCK_FAULTS, "immature", judged.NOT_OBSERVABLE, "unobserved", "unknown")
    kind = np.where(started >= cut, kinds.index("immature"), kind)
    kind = np.where(sessions[f"observable_{source}"], kind, kinds.index(judged.NOT_OBSERVABLE))
    kind = np.where(sessions["unobserved"], kinds.index("unobserved"), kind)
    kind = np.where(sessions["lowest_sequence"] == 1, kind, kinds.index("unknown"))
    longest = watching.LONGEST_SECONDS * SECOND
    event, spent = np.where(spent > longest, 0, event), np.minimum(spent, longest)
    ticks = np.where(kind == 0, (spent + (watching.TICK_US - 1)) // watching.TICK_US, -1)
    table = pd.DataFrame({"channel": sessions["channel"], "kind": kind, "_event": event, "_ticks": ticks})
    table = table.groupby(list(table.columns)).size().rename("rows").reset_index()
    table["_class"] = np.array(kinds)[table.pop("kind")]
    table["_by_first_channel"] = _first_channel(table.pop("channel"), sessions)
    table["_ticks"] = table["_ticks"].where(table["_ticks"] >= 0)
    context = _context_of_sessions(sessions, view)
    table = table.assign(_all=0, **context)
    counts = Counts(table, ["first_channel"], context_of(table, list(context)))
    return watching.Watched(counts, np.ones(len(counts.groups)))


def _first_channel(channel: pd.Series, sessions: Table) -> pd.Series:
    return _worded(channel.where(channel != NONE, -1), sessions.texts["channel"])


def _worded(numbers: pd.Series, texts: Any) -> pd.Series:
    """Give words by their numbers, missing where the number is -1."""
    words = np.array([*map(str, texts), None], dtype=object)[numbers.to_numpy()]
    return pd.Series(words, index=numbers.index, dtype="str")
