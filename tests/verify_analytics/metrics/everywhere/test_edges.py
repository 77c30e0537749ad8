"""What an expert tries first: histories with nothing in them, nothing but trouble, or everything at once.

Made as callbacks, read by the model, and asked of every metric. Whatever the history, counts add up, no evidence is
not zero, an interval holds its rate, and nothing is raised but documented doubts.
"""

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pytest

from tests.verify_analytics.conftest import arrow, callback
from verify_analytics import model
from verify_analytics.errors import DoubtfulWarning

Row = dict[str, Any]
Make = Callable[..., Row]
AS_OF = "2026-11-05T00:00Z"
ENGINES = ("polars", "pandas", "pandas-numpy", "pandas-nullable", "pandas-arrow", "duckdb")
START = pd.Timestamp("2026-09-01T12:00Z")


def after(moment: str) -> float:
    """Give the seconds from the start of these histories to a moment in UTC."""
    return (pd.Timestamp(moment, tz="UTC") - START).total_seconds()


def session(make: Make, name: str, start: float, *steps: tuple[str, float, str], **facts: Any) -> list[Row]:
    """Make a session: each step a channel, its second and its last status, which comes 5 seconds later."""
    rows = []
    for number, (channel, second, status) in enumerate(steps, 1):
        about = {"session_id": name, "attempt_id": f"{name}-{number}", "attempt_sequence": number, "channel": channel}
        about |= {"requested_at": start + second, "country": "DE", "number_block": "+491520", **facts}
        code = "30" if status in ("failed", "undelivered") else None
        rows += [make(start + second + 1, "queued", **about)]
        rows += [make(start + second + 5, status, **{"error_code": code, **about})]
    return rows


def ordinary(make: Make, name: str, start: float = 0.0, **facts: Any) -> list[Row]:
    """Make five sessions of all kinds."""
    kinds: list[list[tuple[str, float, str]]] = [
        [("sms", 0, "delivered")],
        [("sms", 0, "undelivered"), ("sms", 30, "delivered")],
        [("sms", 0, "sent"), ("voice", 45, "completed")],
        [("whatsapp", 0, "failed"), ("sms", 20, "failed"), ("voice", 60, "busy")],
        [("voice", 0, "queued")],
    ]
    return [row for i, steps in enumerate(kinds) for row in session(make, f"{name}{i}", start + i, *steps, **facts)]


def said(name: str, seconds: float, start: float = 0.0) -> Row:
    """Make the application's report on a session."""
    return {"session_id": name, "verified_at": start + seconds, "received_at": start + max(seconds, 0) + 1}


def nulls(make: Make) -> list[Row]:
    """Make one session for each column that may be missing, without it, and one without any of them."""
    columns = [column.name for column in model.CALLBACKS if column.nullable]
    missing = [*([name] for name in columns), columns]
    return [
        {**row, **dict.fromkeys(names)}
        for i, names in enumerate(missing)
        for row in session(make, f"null{i}", 60.0 * i, ("sms", 0, "failed"), ("voice", 30, "completed"))
    ]


# Each history: its callbacks, and what the application reported (None: it reports nothing, ever).
def histories(make: Make) -> dict[str, tuple[list[Row], list[Row] | None]]:
    usual, old = ordinary(make, "usual"), after("2026-09-10 00:00")
    young = after("2026-11-04 23:50")
    swapped: list[Row] = [
        {"channel": "voice", "country": "US", "attempt_sequence": 2, "recipient_key": "k:2"},
        {"session_id": "c9"},
    ]
    again: list[Row] = []
    for number, facts in enumerate(swapped):
        for row in ordinary(make, "c"):
            named = {"arrival_id": f"{row['arrival_id']} {number}", "digest": f"1:{number}"}
            again.append({**row, **facts, **named})
    backwards = session(make, "back0", old, ("sms", 100, "delivered"), ("sms", 40, "delivered"))
    odd = {"channel": "pigeon", "channel_status": "odd", "error_code": "77777", "country": "ZZ", "number_block": "+99"}
    return {
        "nothing": ([], []),
        "one row": (usual[:1], None),
        "all immature": (ordinary(make, "young", young), [said("young0", 20, young)]),
        "all verified": (
            [{**row, "session_status": "verified"} for row in usual],
            [said(f"usual{i}", 20 + i) for i in range(5)],
        ),
        "no verification observable": (usual, None),
        "only redeliveries": (
            [{**row, "received_at": row["received_at"] + wait, "arrival_id": f"{row['arrival_id']} {wait}"}
             for row in ordinary(make, "again") for wait in (60, 180, 420)],
            [said("again1", 40), said("again1", 40)],
        ),
        "no attempt named": ([{**row, "attempt_id": None} for row in ordinary(make, "none")], [said("none0", 9)]),
        "unknown words": ([{**row, **odd} for row in ordinary(make, "odd")], [said("odd0", 9), said("nobody", 9)]),
        "conflicting facts": (
            [*ordinary(make, "c"), *again],
            [said("c0", 20), said("c0", 30)],
        ),
        "clocks running backwards": (
            [*backwards, *({**row, "received_at": row["requested_at"] - 30} for row in ordinary(make, "before", old))],
            [said("back0", -50, old), said("before0", -3600, old), said("before1", 30, old)],
        ),
        "across midnight and the end of a month": (
            [row for i, end in enumerate(("2026-09-30", "2026-10-31", "2026-10-04"))
             for row in ordinary(make, f"late{i}", after(f"{end} 23:59:40"))],
            [said("late01", 50, after("2026-09-30 23:59:40"))],
        ),
        "clocks that change": (
            [row for i, (country, block, at) in enumerate((
                ("DE", "+491520", "2026-10-25 00:30"), ("DE", "+491520", "2026-10-25 01:30"),
                ("US", "+1212555", "2026-11-01 05:30"), ("US", "+1212555", "2026-11-01 06:30"),
                ("US", None, "2026-11-01 06:30"),
            )) for row in ordinary(make, f"dst{i}", after(at), country=country, number_block=block)],
            [],
        ),
        "a null in every column": (nulls(make), [said("null0", 40), said("null1", 90)]),
    }  # fmt: skip


NAMES = [*histories(lambda at, status=None, **more: {"received_at": at, "arrival_id": "", "requested_at": 0, **more})]
EVERYTHING = "everything at once"
# A metric's first options split nothing, its last do; which of them tells more of a history.
WHOLE, SPLIT = 0, -1
TOLD_BY_SPLITS = {
    *("no attempt named", "unknown words", "conflicting facts", "a null in every column"),
    *("across midnight and the end of a month", "clocks that change"),
}
# By default half of them, and all at once in the test below them.
TOLD_BY_OTHERS = {
    "one row",
    "all immature",
    "only redeliveries",
    "no attempt named",
    "unknown words",
    "clocks that change",
}
BY_DEFAULT = {(EVERYTHING, "duckdb")}


@pytest.fixture(scope="module")
def told(given_of: Callable[..., Any]) -> Callable[[str, str], Any]:
    """Read a history by its name in an engine; once."""

    @cache
    def give(name: str, engine: str) -> Any:
        made = histories(callback)
        if name == EVERYTHING:
            callbacks = {row["arrival_id"]: row for rows, _ in made.values() for row in rows}
            reports: list[Row] | None = [row for _, some in made.values() for row in some or []]
            rows = list(callbacks.values())
        else:
            rows, reports = made[name]
        verifications = None if reports is None else arrow(reports, model.VERIFICATIONS)
        return given_of(engine, arrow(rows, model.CALLBACKS), verifications, None, as_of=AS_OF)

    return give


@pytest.fixture(scope="module")
def expected(told: Callable[[str, str], Any], registry: Mapping[str, Any]) -> Callable[..., pd.DataFrame]:
    """Ask a metric, by its name, of a history in Polars, with its last and richest options if not others; once."""

    @cache
    def give(metric: str, name: str, option: int = -1) -> pd.DataFrame:
        return asked(registry[metric], told(name, "polars"), registry[metric].options[option])

    return give


def asked(metric: Any, given: Any, options: Mapping[str, Any]) -> pd.DataFrame:
    """Ask a metric; whatever it doubts aloud must be a documented doubt that names who doubts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found: pd.DataFrame = metric.ask(given, **options)
    for warning in caught:
        assert issubclass(warning.category, DoubtfulWarning), warning
        assert str(warning.message).startswith("metrics."), warning
    return found


def check(metric: Any, found: pd.DataFrame, given: Any) -> None:
    """Hold a frame to what every figure promises."""
    numbers = found.select_dtypes("number")
    assert (numbers[[name for name in numbers if numbers[name].dtype == "int64"]] >= 0).all(axis=None)
    if "design_effect" in found:
        assert (found["design_effect"].dropna() >= 1).all()
    if {"count", "rate", "interval"} <= set(found.columns):
        check_rates(found[found["interval"].isin(["wilson", "cluster_wilson"])])
    if {"low", "high"} <= set(found.columns):
        bounded = found.dropna(subset=["low", "high"])
        assert (bounded["low"] <= bounded["high"]).all()
    if "rate" in found:
        assert found["rate"].dropna().between(0, 1).all()
    sizes = {"attempts": lambda: attempts_in(given), "sessions": lambda: rows_in(given.sessions)}
    for whole in metric.whole:
        check_whole(found, whole, sizes[whole.grain]())


def check_rates(rates: pd.DataFrame) -> None:
    """A rate lies in its interval, and of nothing there is none."""
    assert (rates["count"] <= rates["n"]).all()
    nothing = rates["n"] == 0
    assert nothing.equals(rates["rate"].isna())
    assert nothing.equals(rates["low"].isna())
    some = rates[~nothing]
    assert np.allclose(some["rate"], some["count"] / some["n"], rtol=0, atol=1e-9)
    assert ((some["low"] <= some["rate"] + 1e-9) & (some["rate"] <= some["high"] + 1e-9)).all()
    assert some[["low", "high"]].apply(lambda bounds: bounds.between(0, 1)).all(axis=None)


def check_whole(found: pd.DataFrame, whole: Any, size: int) -> None:
    """What counts and what was left out are all there is; of each source, and the whole beside the groups."""
    rows = found[found["measure"].isin(whole.measures)]
    kinds = rows.get("pooled", pd.Series("", index=rows.index)).replace("others", "")
    sources = rows.get("source", kinds)
    summed = rows[["n", *whole.left_out]].sum(axis="columns").groupby([sources, kinds]).sum()
    assert len(summed) > 0 or size == 0
    assert set(summed) <= {size}


def rows_in(frame: Any) -> int:
    return int(nw.from_native(frame).lazy().collect("pyarrow").shape[0])


def attempts_in(given: Any) -> int:
    return int(nw.from_native(given.attempts).lazy().filter(nw.col("is_attempt")).collect("pyarrow").shape[0])


@pytest.mark.parametrize(
    ("name", "option"),
    [
        pytest.param(
            name,
            option,
            marks=[pytest.mark.full] * ((option == SPLIT) != (name in TOLD_BY_SPLITS) or name in TOLD_BY_OTHERS),
        )
        for name in NAMES
        for option in (WHOLE, SPLIT)
    ],
)
def test_figures_keep_their_promises_whatever_happened(
    name: str, option: int, registry: Any, told: Callable[..., Any], expected: Callable[..., pd.DataFrame]
) -> None:
    """On Polars, the quickest; that others give the same is told below."""
    given = told(name, "polars")
    for metric in registry:
        check(registry[metric], expected(metric, name, option), given)


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        pytest.param(name, engine, marks=[] if (name, engine) in BY_DEFAULT else [pytest.mark.full])
        for name in [*NAMES, EVERYTHING]
        for engine in ENGINES[1:]
    ],
)
def test_every_history_is_the_same_everywhere(
    name: str, engine: str, registry: Any, told: Callable[..., Any], expected: Callable[..., pd.DataFrame]
) -> None:
    given = told(name, engine)
    for metric in registry:
        found = asked(registry[metric], given, registry[metric].options[-1])
        check(registry[metric], found, given)
        pd.testing.assert_frame_equal(found, expected(metric, name), rtol=0, atol=1e-9)
