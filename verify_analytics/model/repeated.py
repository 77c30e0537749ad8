"""How are states joined quickly where few of them need it? DuckDB's own words for the law of `fold`.

The smallest and the largest of a key that has one row are that row. Only keys that are repeated are grouped; the others
are passed on as they are. Narwhals has no word for a result that is read several times and worked out once.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import narwhals as nw

from verify_analytics.model.columns import LARGEST, SMALLEST, STATES
from verify_analytics.model.frames import Frame

if TYPE_CHECKING:
    import duckdb


def joined_where_repeated(states: Frame, told_by: Mapping[str, str] | None = None) -> Frame:
    """Take the smallest and the largest by key, as `fold` has it, of states on DuckDB; lazy.

    Parameters
    ----------
    states
        The columns `STATES`, but for those that others tell; several rows for some keys.
    told_by
        Of `STATES` what others tell in each row, and how in SQL. It is not held while repeated keys are looked for,
        which is what takes the time: nearly all of a row are texts that say the same thing again.
    """
    told = told_by or {}
    said = {name: told.get(name, _quoted(name)) for name in STATES}
    smallest = [f"min({said[name]}) AS {_quoted(name)}" for name in SMALLEST]
    largest = [f"max({said[name]}) AS {_quoted(name)}" for name in LARGEST]
    columns = ", ".join(map(_quoted, STATES))
    relation: duckdb.DuckDBPyRelation = nw.to_native(states.select(*(name for name in STATES if name not in told)))
    query = f"""
        WITH once AS MATERIALIZED (FROM some_states),
            repeated AS MATERIALIZED (SELECT key FROM once GROUP BY key HAVING count(*) > 1),
            joined AS (
                SELECT key, {", ".join(smallest + largest)} FROM once SEMI JOIN repeated USING (key) GROUP BY key
            )
        SELECT {", ".join(f"{words} AS {_quoted(name)}" for name, words in said.items())}
        FROM once ANTI JOIN repeated USING (key)
        UNION ALL
        SELECT {columns} FROM joined
        """  # noqa: S608 - declared names
    return nw.from_native(relation.query("some_states", query))


def _quoted(name: str) -> str:
    return f'"{name}"'
