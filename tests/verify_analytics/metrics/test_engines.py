"""The same numbers from every engine, from lazy frames, and from frames that an analyst has cut and sorted."""

from collections.abc import Callable
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa

from verify_analytics import metrics

Build = Callable[..., Any]


def test_lazy_frames_work_like_eager_ones(attempts_of: Build, sessions_of: Build) -> None:
    attempts, sessions = attempts_of([{}, {"outcome": "failed", "error_code": "20"}]), sessions_of([{}, {}])
    for metric, given in (
        (metrics.delivery_rate, attempts),
        (metrics.error_codes, attempts),
        (metrics.retries, attempts),
        (metrics.time_to_verify, sessions),
        (metrics.clock_faults, sessions),
    ):
        lazy = metric(pl.from_pandas(given).lazy())
        pd.testing.assert_frame_equal(lazy, metric(given))


def test_a_narwhals_frame_is_a_frame_too(attempts_of: Build) -> None:
    given = attempts_of([{}])
    pd.testing.assert_frame_equal(metrics.delivery_rate(nw.from_native(given)), metrics.delivery_rate(given))
    pd.testing.assert_frame_equal(metrics.retries(nw.from_native(given)), metrics.retries(given))


def test_the_order_and_labels_of_rows_do_not_matter(attempts_of: Build, engine: Build) -> None:
    rows = [
        {
            "session_id": f"s{number // 2}",
            "attempt_sequence": number % 2 + 1,
            "role": ("first_choice", "resend")[number % 2],
            "outcome": ("delivered", "failed", "silent")[number % 3],
            "error_code": None if number % 3 != 1 else "20",
            "delivered_us": 1_793_145_600_000_000 + number if number % 3 == 0 else None,
            "seconds_since_previous": (None, 7.0)[number % 2],
            "attempts_in_session": 2,
        }
        for number in range(20)
    ]
    given = attempts_of([*rows, {"is_attempt": False, "session_id": "s0", "attempts_in_session": 2}])
    shuffled = given.sample(frac=1, random_state=4)
    # As after a careless concat: all rows have one label.
    shuffled.index = pd.Index([7] * len(shuffled))
    for metric in (metrics.delivery_rate, metrics.error_codes, metrics.retries):
        expected = metric(given)
        pd.testing.assert_frame_equal(metric(engine(shuffled)), expected, rtol=0, atol=1e-9)


def test_pandas_frames_of_arrow_columns_work_too(attempts_of: Build, sessions_of: Build) -> None:
    def arrow(frame: pd.DataFrame) -> pd.DataFrame:
        made: pd.DataFrame = pa.Table.from_pandas(frame).to_pandas(types_mapper=pd.ArrowDtype)
        return made

    attempts = attempts_of([{"country": None}, {"outcome": "failed", "error_code": "20"}])
    for metric in (metrics.delivery_rate, metrics.error_codes):
        pd.testing.assert_frame_equal(metric(arrow(attempts), by="country"), metric(attempts, by="country"))
    pd.testing.assert_frame_equal(metrics.retries(arrow(attempts)), metrics.retries(attempts))
    sessions = sessions_of([{"country": None}, {"verified_app_us": 1_793_145_605_000_000}])
    pd.testing.assert_frame_equal(
        metrics.time_to_verify(arrow(sessions), by="country"), metrics.time_to_verify(sessions, by="country")
    )
