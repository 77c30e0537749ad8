"""A dataframe of any engine comes in, and a small result comes out: checked at the door, brought over at the end."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics.errors import ArgumentError, SchemaError
from verify_analytics.model.frames import Frame

# Read where it is there, and not missed where it is not.
WHERE_THERE = ("attempts_in_session",)


def opened(frame: IntoFrame, columns: Sequence[str], *, asked_by: str, made_by: str) -> Frame:
    """Take a dataframe of any engine, make sure that what will be read is there, and leave the other columns aside.

    Every step names each column again: with fewer a plan is made sooner.

    Raises
    ------
    ArgumentError
        For something that is no dataframe.
    SchemaError
        For a dataframe without one of the columns.
    """
    try:
        opened_frame: Frame = nw.from_native(frame)
    except TypeError as error:
        # What `load.kept_attempts` gives holds both frames by the names of the functions that make them.
        part = made_by.rpartition(".")[2]
        hint = f", whose .{part} is one" if hasattr(frame, part) else ""
        raise ArgumentError(
            f"{asked_by} takes the frame that {made_by} gives (pandas, Polars, DuckDB, …); "
            f"got {type(frame).__name__}{hint}"
        ) from error
    there = opened_frame.collect_schema().names()
    missing = [name for name in columns if name not in there]
    if missing:
        raise SchemaError(
            f"{asked_by} needs the column{'s' * (len(missing) > 1)} {', '.join(missing)}, as {made_by} gives them; "
            f"there are: {', '.join(there)}"
        )
    return opened_frame.select(*columns, *(name for name in WHERE_THERE if name in there and name not in columns))


def collected(frame: Any) -> pd.DataFrame:
    """Bring a small result over from its engine."""
    made: pd.DataFrame = (frame.collect() if isinstance(frame, nw.LazyFrame) else frame).to_pandas()
    return made
