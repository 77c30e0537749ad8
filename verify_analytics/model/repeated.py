"""How are states joined quickly where few of them need it? DuckDB's own words for the law of `fold`.

The smallest and the largest of a key that has one row are that row. Only keys that are repeated are grouped; the others
are passed on as they are. Narwhals has no word for a result that is read several times and worked out once.
"""

from typing import TYPE_CHECKING

import narwhals as nw

from verify_analytics.model.columns import LARGEST, SMALLEST, STATES
from verify_analytics.model.frames import Frame

if TYPE_CHECKING:
    import duckdb


def joined_where_repeated(states: Frame) -> Frame:
    """Take the smallest and the largest by key, as `fold` has it, of states on DuckDB; lazy.

    Parameters
    ----------
    states
        The columns `STATES`, several rows for some keys.
    """
    smallest = [f"min({_quoted(name)}) AS {_quoted(name)}" for name in SMALLEST]
    largest = [f"max({_quoted(name)}) AS {_quoted(name)}" for name in LARGEST]
    held = ", ".join(map(_quoted, STATES))
    relation: duckdb.DuckDBPyRelation = nw.to_native(states.select(*STATES))
    query = f"""
        WITH once AS MATERIALIZED (FROM some_states),
            repeated AS MATERIALIZED (SELECT key FROM once GROUP BY key HAVING count(*) > 1),
            joined AS (
                SELECT key, {", ".join(smallest + largest)} FROM once SEMI JOIN repeated USING (key) GROUP BY key
            )
        SELECT {held} FROM once ANTI JOIN repeated USING (key)
        UNION ALL
        SELECT {held} FROM joined
        """  # noqa: S608 - declared names
    return nw.from_native(relation.query("some_states", query))


def _quoted(name: str) -> str:
    return f'"{name}"'
