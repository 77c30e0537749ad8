"""What the rules of `tests/house/test_narwhals_rules.py` are for: seen in the engines, as long as it is so.

When one of these fails after an upgrade, a trap is gone, and its rule may go too.
"""

from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest

from verify_analytics import load

FRAME = {"k": ["a", "a", "b"], "word": ["x", None, "y"], "n": [1, 2, 3]}


def pandas() -> Any:
    return nw.from_native(pd.DataFrame(FRAME))


def polars() -> Any:
    return nw.from_native(pl.DataFrame(FRAME))


def test_pandas_ignores_a_condition_inside_agg() -> None:
    def least(frame: Any) -> list[int]:
        made = frame.group_by("k").agg(nw.when(nw.col("n") > 1).then(nw.col("n")).min()).sort("k")
        return list(made["n"])

    assert least(polars()) == [2, 3]
    assert least(pandas()) == [1, 3]


def test_pandas_keeps_nulls_where_others_drop_them() -> None:
    assert len(polars().filter(nw.col("word") != "x")) == 1
    assert len(pandas().filter(nw.col("word") != "x")) == 2
    assert len(polars().filter(~nw.col("word").is_in(["x"]))) == 1
    assert len(pandas().filter(~nw.col("word").is_in(["x"]))) == 2


def test_a_null_counts_as_a_value() -> None:
    assert polars().group_by("k").agg(nw.col("word").n_unique()).sort("k")["word"].to_list() == [2, 1]


def test_duckdb_sums_integers_to_decimals() -> None:
    relation = load.connection().sql("SELECT 1 AS k, 2::BIGINT AS n")
    summed = nw.from_native(relation).group_by("k").agg(nw.col("n").sum())
    assert nw.to_native(summed).df()["n"].dtype == "float64"


def test_a_rate_without_a_denominator_is_infinite_in_an_engine() -> None:
    assert polars().select(rate=nw.col("n") / (nw.col("n") - nw.col("n")))["rate"][0] == float("inf")


def test_pandas_own_integers_fail_when_they_are_shifted_within_a_group() -> None:
    frame = pd.DataFrame({"k": ["a"] * 3, "n": pd.array([None, None, 1], dtype="Int64"), "order": [1, 2, 0]})
    with pytest.raises(TypeError, match="boolean value of NA is ambiguous"):
        nw.from_native(frame).with_columns(made=nw.col("n").shift(1).over("k", order_by="order"))
    arrow = nw.from_native(frame.astype({"n": "int64[pyarrow]"}))
    made = arrow.with_columns(made=nw.col("n").shift(1).over("k", order_by="order"))
    assert made["made"].is_null().any()


def test_pandas_takes_rows_as_they_lie_where_a_column_is_its_own_only_order() -> None:
    def counted(frame: Any) -> list[int]:
        whole = frame.sort("n", descending=True).with_columns(g=nw.lit(1))
        return list(whole.with_columns(made=nw.col("n").cum_count().over("g", order_by="n"))["made"])

    assert counted(polars()) == [3, 2, 1]
    assert counted(pandas()) == [1, 2, 3]
