"""Each operation that a formula may use gives the same rows on every engine; nulls are everywhere."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import narwhals as nw
import pyarrow as pa
import pytest

from verify_analytics.model.frames import differ, earlier, either, is_true, no_number, on_every_row

ROWS = pa.table(
    {
        "n": pa.array([1, 2, 3, 4, 5, 6], pa.int64()),
        "group": ["a", "a", "b", None, "b", None],
        "word": ["x", None, "y", "x", None, " z "],
        "other": ["x", "x", None, "y", None, " z "],
        "size": pa.array([10, None, 30, 40, None, 1_790_000_000_000_001], pa.int64()),
        "flag": [True, False, True, False, True, False],
    }
)
MOMENT = datetime(2026, 10, 29, tzinfo=UTC)
col = nw.col
Frame = Any
Operation = Callable[[Frame], Frame]


def by_group(frame: Frame, *reductions: nw.Expr) -> Frame:
    """Group, and give the groups in place of the rows: the null group is n = 0."""
    grouped = frame.group_by("group").agg(*reductions)
    return grouped.with_columns(n=nw.when(col("group") == "a").then(1).when(col("group") == "b").then(2).otherwise(0))


def small(frame: Frame) -> Frame:
    return frame.filter(col("n") <= 3).select("n", "group", "word")


# What it is: how it is said, and the values of the column `made` by ascending n.
OPERATIONS: dict[str, tuple[Operation, list[Any]]] = {
    "when, then": (
        lambda f: f.with_columns(made=nw.when(col("word") == "x").then(col("size"))),
        [10, None, None, 40, None, None],
    ),
    "when, then, otherwise": (
        lambda f: f.with_columns(made=nw.when(is_true(col("size") > 20)).then(nw.lit("big")).otherwise(nw.lit("not"))),
        ["not", "not", "big", "big", "not", "big"],
    ),
    "a chain of when with a null text": (
        lambda f: f.with_columns(
            made=nw.when(col("word").is_null())
            .then(nw.lit(None, dtype=nw.String))
            .when(col("flag"))
            .then(col("word"))
            .otherwise(nw.lit("-"))
        ),
        ["x", None, "y", "-", None, "-"],
    ),
    "a null condition is no": (
        lambda f: f.with_columns(made=nw.when(col("size") > 20).then(1).otherwise(0).cast(nw.Int64)),
        [0, 0, 1, 1, 0, 1],
    ),
    "filter by a positive test": (
        lambda f: f.filter(col("word").is_in(["x", "y"])).with_columns(made=col("n")),
        [1, 3, 4],
    ),
    "filter where null is dropped": (lambda f: f.filter(col("size") > 20).with_columns(made=col("n")), [3, 4, 6]),
    "unequal after filling": (
        lambda f: f.filter(col("word").fill_null("") != "x").with_columns(made=col("n")),
        [2, 3, 5, 6],
    ),
    "not among, after filling": (
        lambda f: f.filter(~col("word").fill_null("").is_in(["x"])).with_columns(made=col("n")),
        [2, 3, 5, 6],
    ),
    "differ, null equal to null": (
        lambda f: f.with_columns(made=differ("word", "other", empty="")),
        [False, True, True, True, False, False],
    ),
    "either": (lambda f: f.with_columns(made=either("word", "other")), ["x", "x", "y", "x", None, " z "]),
    "earlier": (lambda f: f.with_columns(made=earlier("size", "n")), [1, 2, 3, 4, 5, 6]),
    "a column of nulls": (lambda f: f.with_columns(made=no_number("n")), [None] * 6),
    "and, or, not of flags": (
        lambda f: f.with_columns(made=(col("flag") & ~is_true(col("size") > 20)) | (col("n") == 6)),
        [True, False, False, False, True, True],
    ),
    "is null": (lambda f: f.with_columns(made=col("word").is_null()), [False, True, False, False, True, False]),
    "strip": (lambda f: f.with_columns(made=col("word").str.strip_chars()), ["x", None, "y", "x", None, "z"]),
    "concatenated text": (
        lambda f: f.with_columns(made=nw.concat_str([nw.lit("session:"), col("word").fill_null("?")])),
        ["session:x", "session:?", "session:y", "session:x", "session:?", "session: z "],
    ),
    "whole division": (lambda f: f.with_columns(made=col("size") // 7), [1, None, 4, 5, None, 255714285714285]),
    "sum and difference": (
        lambda f: f.with_columns(made=col("size") + 1 - col("n")),
        [10, None, 28, 37, None, 1_789_999_999_999_996],
    ),
    "seconds from microseconds": (
        lambda f: f.with_columns(made=(col("size") - col("n")).cast(nw.Float64) / 1_000_000),
        [9e-06, None, 2.7e-05, 3.6e-05, None, 1_789_999_999.999995],
    ),
    "at least": (
        lambda f: f.with_columns(made=is_true(col("size") >= 30)),
        [False, False, True, True, False, True],
    ),
    "a column times a constant": (
        lambda f: f.with_columns(made=col("n") * 60_000_000),
        [60_000_000 * n for n in range(1, 7)],
    ),
    "the beginning of a text": (
        lambda f: f.with_columns(made=col("other").str.slice(0, 2)),
        ["x", "x", None, "y", None, " z"],
    ),
    "distinct rows": (
        lambda f: f.select("flag").unique().with_columns(made=col("flag"), n=col("flag").cast(nw.Int64)),
        [False, True],
    ),
    "the first after sorting": (lambda f: f.sort("n").head(2).with_columns(made=col("n")), [1, 2]),
    "literals": (lambda f: f.with_columns(made=nw.lit(7, dtype=nw.Int64)), [7] * 6),
    "a literal moment": (lambda f: f.with_columns(made=nw.lit(MOMENT, dtype=nw.Datetime("us", "UTC"))), [MOMENT] * 6),
    "flags as numbers": (lambda f: f.with_columns(made=col("flag").cast(nw.Int64)), [1, 0, 1, 0, 1, 0]),
    "smallest by group": (lambda f: by_group(f, col("size").min().alias("made")), [40, 10, 30]),
    "largest text by group": (lambda f: by_group(f, col("word").max().alias("made")), ["x", "x", "y"]),
    "smallest text by group": (lambda f: by_group(f, col("word").min().alias("made")), [" z ", "x", "y"]),
    "any by group": (lambda f: by_group(f, col("flag").max().alias("made")), [False, True, True]),
    "rows by group": (
        lambda f: by_group(f, nw.len().alias("made")).with_columns(col("made").cast(nw.Int64)),
        [2, 2, 2],
    ),
    "sum by group, cast": (
        lambda f: by_group(f, col("n").sum().alias("made")).with_columns(col("made").cast(nw.Int64)),
        [10, 3, 8],
    ),
    "mean by group": (lambda f: by_group(f, col("n").mean().alias("made")), [5.0, 1.5, 4.0]),
    "groups of no rows": (
        lambda f: f.filter(col("n") > 9).group_by("group").agg(made=col("size").min()).with_columns(n=nw.lit(1)),
        [],
    ),
    "smallest over a group": (lambda f: f.with_columns(made=col("size").min().over("group")), [10, 10, 30, 40, 30, 40]),
    "largest text over a group": (
        lambda f: f.with_columns(made=col("word").max().over("group")),
        ["x", "x", "y", "x", "y", "x"],
    ),
    "sum over a group, cast": (
        lambda f: f.with_columns(made=col("n").sum().over("group")).with_columns(col("made").cast(nw.Int64)),
        [3, 3, 8, 10, 8, 10],
    ),
    "the one before in a group": (
        lambda f: f.with_columns(made=col("size").shift(1).over("group", order_by=["flag", "n"])),
        [None, None, None, None, 30, 40],
    ),
    "the one after in a group": (
        lambda f: f.with_columns(made=col("word").shift(-1).over("group", order_by="n")),
        [None, None, None, " z ", None, None],
    ),
    "two before in a group": (
        lambda f: f.with_columns(_g=nw.lit(1)).with_columns(made=col("size").shift(2).over("_g", order_by="n")),
        [None, None, 10, None, 30, 40],
    ),
    "how many of a group are known": (
        lambda f: by_group(
            f.with_columns(_big=nw.when(col("size") > 20).then(nw.lit(1))), col("_big").count().alias("made")
        ).with_columns(col("made").cast(nw.Int64)),
        [2, 0, 1],
    ),
    "a count that runs": (
        lambda f: f.with_columns(_g=nw.lit(1)).with_columns(
            made=col("_g").cum_sum().over("_g", order_by="n").cast(nw.Int64)
        ),
        [1, 2, 3, 4, 5, 6],
    ),
    "a count of what is known that runs": (
        lambda f: f.with_columns(_g=nw.lit(1)).with_columns(
            made=col("word").cum_count().over("_g", order_by="n").cast(nw.Int64)
        ),
        [1, 1, 2, 3, 3, 4],
    ),
    "the smallest from here on": (
        lambda f: f.with_columns(
            _g=nw.lit(1), _s=nw.when(col("n") == 3).then(2).when(col("n") == 5).then(1)
        ).with_columns(made=col("_s").fill_null(9).cum_min(reverse=True).over("_g", order_by="n").cast(nw.Int64)),
        [1, 1, 1, 1, 1, 9],
    ),
    "rank in a group": (
        lambda f: f.with_columns(made=col("n").rank("ordinal").over("group").cast(nw.Int64)),
        [1, 2, 1, 1, 2, 2],
    ),
    "left join on a key with nulls": (
        lambda f: f.join(small(f).group_by("group").agg(made=col("n").max()), on="group", how="left"),
        [2, 2, 3, None, 3, None],
    ),
    "left join on two keys": (
        lambda f: f.join(small(f).select("group", "word", made="n"), on=["group", "word"], how="left"),
        [1, None, 3, None, None, None],
    ),
    "left join of other names": (
        lambda f: f.with_columns(_next=col("n") + 1).join(
            f.select(_n="n", made="word"), left_on="_next", right_on="_n", how="left"
        ),
        [None, "y", "x", None, " z ", None],
    ),
    "inner join": (
        lambda f: f.join(f.filter(col("size") > 20).select("n", made="size"), on="n", how="inner"),
        [30, 40, 1_790_000_000_000_001],
    ),
    "semi join": (
        lambda f: f.join(f.filter(col("size") > 20).select("n"), on="n", how="semi").with_columns(made=col("n")),
        [3, 4, 6],
    ),
    "anti join": (
        lambda f: f.join(f.filter(col("size") > 20).select("n"), on="n", how="anti").with_columns(made=col("n")),
        [1, 2, 5],
    ),
    "full join": (
        lambda f: (
            small(f)
            .select("n", "word")
            .join(f.filter(col("n") > 1).select(_n="n", made="size"), left_on="n", right_on="_n", how="full")
            .with_columns(n=either("n", "_n"))
        ),
        [None, None, 30, 40, None, 1_790_000_000_000_001],
    ),
    "one row beside every row": (
        lambda f: on_every_row(f, f.with_columns(_one=nw.lit(1)).group_by("_one").agg(made=col("size").max())),
        [1_790_000_000_000_001] * 6,
    ),
    "no row beside every row": (
        lambda f: on_every_row(
            f, f.filter(col("n") > 9).with_columns(_one=nw.lit(1)).group_by("_one").agg(made=col("size").max())
        ),
        [None] * 6,
    ),
    "concatenation": (
        lambda f: nw.concat([f.filter(col("n") > 4), f.filter(col("n") <= 2)]).with_columns(made=col("word")),
        ["x", None, None, " z "],
    ),
    "drop and select": (lambda f: f.drop("word").select("n", made="group"), ["a", "a", "b", None, "b", None]),
    "sort": (lambda f: f.sort("flag", "n").with_columns(made=col("n")), [1, 2, 3, 4, 5, 6]),
}


@pytest.mark.parametrize("what", OPERATIONS)
def test_an_operation_gives_the_same_rows(what: str, engine: Any, rows_of: Any) -> None:
    operation, made = OPERATIONS[what]
    frame = nw.from_native(engine.of(ROWS))
    rows = sorted(rows_of(nw.to_native(operation(frame).select("n", "made"))), key=lambda row: row["n"])
    assert [row["made"] for row in rows] == [round(value, 6) if isinstance(value, float) else value for value in made]


@pytest.mark.parametrize("what", OPERATIONS)
def test_an_operation_gives_the_same_type(what: str, engine: Any, quick: Any, kinds: Any) -> None:
    operation, _ = OPERATIONS[what]
    seen, expected = (
        kinds(nw.to_native(operation(nw.from_native(one.of(ROWS))).select("made"))) for one in (engine, quick)
    )
    assert seen == expected


def test_linear_quantiles_agree(engine: Any, rows_of: Any) -> None:
    frame = nw.from_native(engine.of(ROWS)).select(made=col("n").quantile(0.4, interpolation="linear"))
    assert rows_of(nw.to_native(frame)) == [{"made": 3.0}]
