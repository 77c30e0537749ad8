"""Where curves go wrong first: nothing, one, all alike, ties, no place known; the same rows from every engine."""

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.verify_analytics.metrics.rows import AS_OF_US, MINUTE, SECOND, START_US, Row
from verify_analytics import metrics
from verify_analytics.errors import DoubtfulWarning
from verify_analytics.metrics.definitions import undefined

Build = Callable[..., Any]
DOUBT = f"ignore::{DoubtfulWarning.__module__}.DoubtfulWarning"


def verified(seconds: float | None, *, start: int = START_US, **more: Any) -> Row:
    """Describe a session, as either source has it."""
    at = None if seconds is None else start + round(seconds * SECOND)
    both = {"verified_app_us": at, "verified_callback_us": at}
    return {"started_us": start, "last_started_us": start, "mature": start < AS_OF_US - 25 * MINUTE, **both, **more}


def delivered(seconds: float | None, *, start: int = START_US, **more: Any) -> Row:
    """Describe an attempt."""
    at = None if seconds is None else start + round(seconds * SECOND)
    mature = start <= AS_OF_US - 15 * MINUTE
    outcome = "delivered" if at is not None else "silent" if mature else "pending"
    return {"started_us": start, "settled_us": at, "delivered_us": at, "outcome": outcome, "mature": mature, **more}


def value(frame: pd.DataFrame, measure: str, column: str = "rate") -> float:
    rows = frame[frame["measure"] == measure]
    assert len(rows) == 1, frame
    return float(rows.iloc[0][column])


@pytest.fixture(params=["sessions", "attempts"])
def curve_of(request: pytest.FixtureRequest, sessions_of: Build, attempts_of: Build) -> Build:
    """Draw the curve of units given by their time and whatever else, as sessions and as attempts.

    Of Polars and of pandas; that all engines agree is held below.
    """

    def of(units: list[tuple[float | None, Row]], **options: Any) -> pd.DataFrame:
        if request.param == "sessions":
            rows = [verified(at, **more) for at, more in units]
            return metrics.time_to_verify(pl.from_pandas(sessions_of(rows)), source="app", **options)
        return metrics.time_to_deliver(attempts_of([delivered(at, **more) for at, more in units]), floor=0, **options)

    return of


@pytest.mark.filterwarnings(DOUBT)
def test_nothing_is_not_observable_and_no_zero(curve_of: Build) -> None:
    found = curve_of([])
    assert found[["measure", "n", "count"]].to_numpy().tolist() == [["not_observable", 0, 0]]
    assert found[["rate", "low", "high", "seconds", "design_effect"]].isna().all(axis=None)
    split = curve_of([], by="country")
    assert split.empty
    assert split.drop(columns="country").dtypes.to_dict() == found.dtypes.to_dict()


def test_one_tells_next_to_nothing_and_says_so(curve_of: Build) -> None:
    found = curve_of([(5, {})])
    assert value(found, "within_10s") == 1
    assert value(found, "within_10s", "low") < 0.25
    assert value(found, "p50", "seconds") == 5
    assert math.isnan(value(found, "p90", "high"))
    assert value(found, "within_10s", "design_effect") == 1


@pytest.mark.filterwarnings(DOUBT)
def test_all_too_young_are_censored_where_they_can_be_and_nothing_where_not(
    curve_of: Build, sessions_of: Build
) -> None:
    found = curve_of([(None, {"start": AS_OF_US - 20 * SECOND})] * 3)
    assert value(found, "within_10s") == 0
    assert 0.5 < value(found, "within_10s", "high") < 1
    assert math.isnan(value(found, "within_30s"))
    assert found["censored"].iloc[0] == found["n"].iloc[0] == 3
    # A callback may be 7 minutes late: of these nothing can be said.
    young = sessions_of([verified(5, start=AS_OF_US - MINUTE)] * 3)
    blind = metrics.time_to_verify(young, source="callback")
    assert blind[["measure", "n", "immature"]].to_numpy().tolist() == [["not_observable", 0, 3]]


def test_all_arrived_is_no_certainty(curve_of: Build) -> None:
    found = curve_of([(each, {}) for each in (1, 2, 3, 4)])
    assert value(found, "within_10s") == 1
    assert 0.3 < value(found, "within_10s", "low") < 0.6
    assert value(found, "p95", "seconds") == 4
    assert value(found, "restricted_mean", "seconds") == 2.5


def test_ties_at_one_time_are_one_step(curve_of: Build) -> None:
    """One jump of half; to spread ties would draw a ramp, and move the median."""
    found = curve_of([(5, {})] * 5 + [(None, {})] * 5)
    drawn = found[found["measure"] == "curve"]
    assert drawn[["seconds", "rate"]].to_numpy().tolist() == [[0, 0], [5, 0.5], [600, 0.5]]
    assert drawn["at_risk"].tolist() == [10, 10, 5]


def test_an_end_and_a_censoring_at_one_time_the_end_comes_first(curve_of: Build) -> None:
    start = AS_OF_US - 5 * SECOND
    found = curve_of([(5, {"start": start}), (None, {"start": start}), (9, {}), (9, {})])
    # One of four at 5 s, when the censored one still counts; then two of two at 9 s.
    assert found.loc[found["measure"] == "curve", "rate"].tolist() == [0, 0.25, 1, 1]


def test_a_horizon_before_the_first_arrival_sees_none(curve_of: Build) -> None:
    found = curve_of([(5, {}), (8, {}), (None, {})], horizon="2s")
    drawn = found[found["measure"] == "curve"]
    assert drawn[["seconds", "rate", "count"]].to_numpy().tolist() == [[0, 0, 0], [2, 0, 0]]
    assert value(found, "restricted_mean", "seconds") == 2
    assert value(found, "restricted_mean", "low") < 2
    assert value(found, "within_10s") == pytest.approx(2 / 3)
    assert set(found["horizon_seconds"]) == {2.0}


def test_a_curve_may_be_shorter_than_a_second(curve_of: Build) -> None:
    found = curve_of([(0.1, {}), (None, {})], horizon="0.5s")
    assert found.loc[found["measure"] == "curve", "seconds"].tolist() == [0]
    assert value(found, "restricted_mean", "seconds") == pytest.approx((0.1 + 0.5) / 2)


def test_at_once_is_no_clock_fault_and_before_the_start_is(curve_of: Build) -> None:
    with pytest.warns(DoubtfulWarning, match="a clock is wrong"):
        found = curve_of([(0, {}), (-0.000001, {}), (3, {})])
    assert found.loc[found["measure"] == "curve", "rate"].tolist() == [0.5, 1, 1]
    assert found["clock_faults"].iloc[0] == 1


def test_the_local_hour_is_that_of_the_phone_when_the_clock_goes_back(curve_of: Build) -> None:
    """Berlin shows 2:30 twice on 25 October; the two hours are one group, and the next hour is the next."""
    begin = int(pd.Timestamp("2026-10-25T00:30Z").value) // 1000
    units = [(5, {"start": begin + hour * 60 * MINUTE, "country": "DE"}) for hour in range(3)]
    units.append((5, {"start": begin, "country": None}))
    found = curve_of(units, by="local_hour")
    within = found[found["measure"] == "within_10s"]
    hours = within["local_hour"].astype(object).where(within["local_hour"].notna(), None)
    assert list(zip(hours, within["n"], strict=True)) == [(2, 2), (3, 1), (None, 1)]


def nulled(rows: list[Row], frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Give each row of a frame one more null, in one nullable column after the other."""
    made = [frame.iloc[[at % len(rows)]].assign(**{name: None}) for at, name in enumerate(columns)]
    return pd.concat([frame, *(row.astype(frame.dtypes.to_dict()) for row in made)], ignore_index=True)


def many(seed: int, size: int = 120) -> list[tuple[float | None, Row]]:
    random = np.random.default_rng(seed)
    return [
        (
            float(random.integers(0, 9000)) / 10 if random.random() < 0.7 else None,
            {
                "start": AS_OF_US - int(random.integers(1, 4000)) * SECOND,
                "country": str(random.choice(["DE", "FR", "US"])),
                "recipient_key": f"r{random.integers(40)}",
                "session_id": f"s{random.integers(80)}",
            },
        )
        for _ in range(size)
    ]


def no_future(rows: list[Row]) -> list[Row]:
    """Take back what lies after `as_of`, as the model does."""
    for row in rows:
        for name in [name for name in row if name.startswith(("verified_", "delivered_", "settled_"))]:
            if row[name] is not None and row[name] > AS_OF_US:
                row[name] = None
                row["outcome"] = "pending" if "settled_us" in row else "open"
    return rows


S_NULLABLE = ["country", "first_channel", "number_block", "recipient_key", "lowest_sequence", "ended_us"]
A_NULLABLE = ["country", "channel", "role", "number_block", "recipient_key", "outcome", "attempt_id"]
ASKED: dict[str, tuple[str, Callable[[Any], pd.DataFrame]]] = {
    "verify": ("sessions", lambda given: metrics.time_to_verify(given, by=["country", "6h"], top=2, totals=True)),
    "recipients": ("sessions", lambda given: metrics.time_to_verify(given, by="first_channel", cluster="recipient")),
    "switch": ("sessions", lambda given: metrics.when_to_switch(given, by="country", cluster="recipient", totals=True)),
    "deliver": ("attempts", lambda given: metrics.time_to_deliver(given, by=["channel", "role"], totals=True)),
    "countries": ("attempts", lambda given: metrics.time_to_deliver(given, by="country", floor=0, cluster="recipient")),
}


class Asking(NamedTuple):
    """A question, what it is asked of, and the answer of pandas: of the whole, and of what an analyst chose."""

    ask: Callable[[Any], pd.DataFrame]
    given: pd.DataFrame
    whole: pd.DataFrame
    cut: pd.DataFrame


# What these add is asked with the others' options, or in `everywhere`, in every run.
SELDOM = ("recipients", "countries")


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.full] * (name in SELDOM)) for name in ASKED]
)
def asking(request: pytest.FixtureRequest, sessions_of: Build, attempts_of: Build) -> Asking:
    what, ask = ASKED[request.param]
    if what == "sessions":
        rows = no_future([verified(at, **{**more, "session_id": f"s{i}"}) for i, (at, more) in enumerate(many(3))])
        given = nulled(rows, sessions_of(rows), [*S_NULLABLE, "verified_app_us", "covered_until_us"])
    else:
        rows = no_future([delivered(at, **more) for at, more in many(4)])
        given = nulled(rows, attempts_of(rows), [*A_NULLABLE, "accepted_us", "covered_until_us"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulWarning)
        return Asking(ask, given, ask(given), ask(chosen(given)))


def chosen(native: Any) -> Any:
    """Filter a frame as an analyst does, in any engine; a filtered pandas frame keeps labels with holes."""
    if isinstance(native, pd.DataFrame):
        return native[native["country"].fillna("").ne("FR")]
    return nw.from_native(native).filter(nw.col("country").fill_null("") != "FR").to_native()


@pytest.mark.filterwarnings(DOUBT)
def test_every_engine_gives_the_same_rows_of_a_filtered_frame_with_a_null_in_every_nullable_column(
    asking: Asking, engine: Build
) -> None:
    assert len(asking.cut) > 20
    assert (asking.cut["n"] > 0).any()
    found = asking.ask(chosen(engine(asking.given.sample(frac=1, random_state=1))))
    pd.testing.assert_frame_equal(found, asking.cut, rtol=0, atol=1e-9)


@pytest.mark.filterwarnings(DOUBT)
def test_pandas_frames_of_arrow_columns_and_lazy_ones_give_the_same_rows(asking: Asking) -> None:
    arrow: pd.DataFrame = pa.Table.from_pandas(asking.given).to_pandas(types_mapper=pd.ArrowDtype)
    pd.testing.assert_frame_equal(asking.ask(chosen(arrow)), asking.cut, rtol=0, atol=1e-9)
    pd.testing.assert_frame_equal(asking.ask(pl.from_pandas(asking.given).lazy()), asking.whole, rtol=0, atol=1e-9)


def test_nobody_gets_lost_between_the_curve_and_what_is_beside_it(asking: Asking) -> None:
    found = asking.whole
    left_out = ["immature", "unobserved", "unknown", "not_observable", "clock_faults"]
    split = list(found.columns[: list(found.columns).index("measure")])
    first = found[found["pooled"] != "all"].drop_duplicates(split)
    n = first["sessions"] if "sessions" in first else first["n"]
    sources = first["source"].nunique() if "source" in first else 1
    assert (n + first[left_out].sum(axis="columns")).sum() == len(asking.given) * sources


def test_every_measure_is_defined(asking: Asking) -> None:
    metric = {"after_seconds": "when_to_switch", "coverage": "time_to_deliver"}
    name = next((metric[column] for column in metric if column in asking.whole), "time_to_verify")
    assert undefined(name, asking.whole["measure"]) == []


def test_two_readings_in_one_frame_are_refused(sessions_of: Build, attempts_of: Build) -> None:
    for ask, frame, one in (
        (metrics.time_to_deliver, attempts_of, delivered(5)),
        (metrics.when_to_switch, sessions_of, verified(5)),
    ):
        with pytest.raises(ValueError, match="more than one as_of"):
            ask(frame([one, {**one, "as_of_us": AS_OF_US + MINUTE}]))
