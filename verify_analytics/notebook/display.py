"""How is a frame read in a notebook? As a table with units, percentages and intervals; the frame stays as it is."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import narwhals as nw
import pandas as pd

from verify_analytics.charts.words import count, printable
from verify_analytics.errors import ArgumentError, near_name, options_by_name

from .writing import NOT_KNOWN, Column, columns, told_once

MOST = 20
# Texts up to here stay on one line.
SHORT = 30
# The same for all rows more often than not; then said once, below the table.
CONTEXT = (
    *("as_of", "patience_seconds", "window_seconds", "horizon_seconds", "within_seconds", "floor", "detect", "power"),
    *("first", "second", "as_of_first", "as_of_second", "adjust", "source"),
    *("immature", "unobserved", "unknown", "not_observable", "clock_faults", "censored", "incomplete"),
    *("coverage_unknown", "without_attempt", "without_status", "minutes_up", "minutes_down", "gaps"),
)
# For those who ask: they stay in the frame.
ASIDE = (
    *("design_effect", "small", "shrunk", "shrunk_low", "shrunk_high", "pooled"),
    *("p", "p_adjusted", "only_in", "sentence", "count_first", "count_second"),
)


class Body(NamedTuple):
    """What stands in the table and below it."""

    columns: list[Column]
    notes: tuple[str, ...]


class Shown:
    """A frame as it is shown in a notebook; `frame` is the frame itself, untouched.

    Parameters
    ----------
    frame
        What was given.
    body
        What is shown of it.
    caption
        What the table is about.
    """

    def __init__(self, frame: Any, body: Body, caption: str) -> None:
        self.frame = frame
        self._body = body
        self._caption = caption

    def __repr__(self) -> str:
        """Write the table for a terminal."""
        table = self._body.columns
        widths = [max(map(len, (column.head, *column.texts))) for column in table]
        lines = [[column.head for column in table], *map(list, zip(*(column.texts for column in table), strict=True))]
        told = [
            "  ".join(
                text.rjust(width) if column.number else text.ljust(width)
                for text, width, column in zip(line, widths, table, strict=True)
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*([self._caption] if self._caption else []), *told, *self._body.notes])

    def _repr_html_(self) -> str:
        table = self._body.columns
        head = "".join(_cell("th", column.head, column, scope="col") for column in table)
        rows = []
        for place in range(len(table[0].texts) if table else 0):
            cells = [
                _cell("td" if at else "th", column.texts[place], column, scope="" if at else "row", place=place)
                for at, column in enumerate(table)
            ]
            rows.append(f"<tr>{''.join(cells)}</tr>")
        caption = (
            f'<caption style="text-align:left;white-space:nowrap">{escape(self._caption)}</caption>'
            if self._caption
            else ""
        )
        notes = "".join(f"<br>{escape(note)}" for note in self._body.notes).removeprefix("<br>")
        return (
            f'<div style="overflow-x:auto"><table>{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>" + (f"<p><small>{notes}</small></p>" if notes else "")
        )


def _cell(tag: str, text: str, column: Column, *, scope: str, place: int | None = None) -> str:
    align = "right" if column.number else "left"
    exact = column.exact[place] if place is not None and column.number else ""
    told = f' title="{escape(exact)}"' if exact and exact != text else ""
    scoped = f' scope="{scope}"' if scope else ""
    longest = max(map(len, column.texts), default=0)
    # A long text is broken into a few lines, not into one a word.
    room = "white-space:nowrap" if column.number or longest <= SHORT else f"min-width:{min(18, 6 + longest // 4)}em"
    style = f"text-align:{align};{room};font-variant-numeric:tabular-nums"
    return f'<{tag}{scoped}{told} style="{style}">{escape(text)}</{tag}>'


@options_by_name
def show(frame: Any, *, columns: Sequence[str] | None = None, caption: str = "", most: int = MOST) -> Shown:
    """Show a frame so that it reads well: percentages with their intervals, durations, moments, what is not known.

    Parameters
    ----------
    frame
        What a metric gave, or any table: pandas, Polars, a DuckDB relation.
    columns
        Which of its columns to show, and in which order; by default those that say something. A figure brings its
        interval with it.
    caption
        What the table is about.
    most
        How many rows at most; a note says how many there are.

    Returns
    -------
    Shown
        Draws itself in a notebook as an HTML table and elsewhere as text. `frame` is what was given, untouched; the
        words of its text columns are shown as they stand in it, so that they can be filtered by.

    Raises
    ------
    ArgumentError
        If it is no table, `most` is no positive number, or a column is not there.
    """
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ArgumentError(f"most={most!r} is no number of rows: give a whole number from 1 up")
    head, rows = _first(frame, most)
    body = _body(head, rows, _asked(head, columns), most)
    return Shown(frame, body, printable(caption, 300))


def _first(frame: Any, most: int) -> tuple[pd.DataFrame, int]:
    """Give the first rows of any table as pandas, and how many rows it has."""
    if isinstance(frame, pd.DataFrame):
        return frame.head(most), len(frame)
    try:
        table = nw.from_native(frame)
    except TypeError:
        raise ArgumentError(
            f"show takes a table, such as metrics.delivery_rate gives, and not {type(frame).__name__}"
        ) from None
    if isinstance(table, nw.DataFrame):
        return table.head(most).to_pandas(), len(table)
    rows = table.select(nw.len()).collect().item()
    return table.head(most).collect().to_pandas(), int(rows)


def _asked(head: pd.DataFrame, asked: Sequence[str] | None) -> list[str] | None:
    if asked is None:
        return None
    there = [str(name) for name in head.columns]
    for name in [asked] if isinstance(asked, str) else asked:
        if name not in there:
            raise ArgumentError(f"no column {name!r} in this frame: {near_name(str(name), there)}")
    return [asked] if isinstance(asked, str) else list(asked)


def _body(head: pd.DataFrame, rows: int, asked: list[str] | None, most: int) -> Body:
    written = columns_of(head, asked)
    notes: list[str] = []
    if asked is None and "measure" in head.columns and len(head):
        written, notes = _sorted_out(written)
        # What a comparison says comes before what it was made of.
        written.sort(key=lambda column: column.of[0].startswith("n_"))
    if not rows:
        notes.insert(0, "No rows: there is nothing to count.")
    if rows > most:
        notes.append(f"The first {count(most)} of {count(rows)} rows; all are in the frame.")
    return Body(written, tuple(notes))


def columns_of(head: pd.DataFrame, asked: list[str] | None) -> list[Column]:
    """Write the columns that were asked for, in that order; a figure once, where the first of its parts was named."""
    every = columns(head)
    if asked is None:
        return every
    chosen: list[Column] = []
    for name in asked:
        column = next((each for each in every if name in each.of), None)
        if column is not None and not any(column is each for each in chosen):
            chosen.append(column)
    return chosen


def _sorted_out(written: list[Column]) -> tuple[list[Column], list[str]]:
    """Part what differs by row from what is the same for all, which is told once."""
    kept, same, beside, unknown, intervals = [], [], [], [], []
    for column in written:
        name, once = column.of[0], told_once(column.texts)
        if name in ASIDE or (once == "" and name not in CONTEXT):
            continue
        if name == "interval":
            intervals = sorted(set(column.texts) - {"", "none", "not_observable"})
        elif once == NOT_KNOWN:
            unknown.append(name)
        elif name not in CONTEXT or once is None:
            kept.append(column)
        elif column.number and once.replace(",", "").isdigit():
            beside += [f"{name} {once}"] if once != "0" else []
        elif once:
            utc = " UTC" if column.head.endswith("(UTC)") else ""
            same.append(f"{name.removesuffix('_seconds')} {once}{utc}")
    notes = ["; ".join(same)] if same else []
    notes += ["Beside the figures, not in them: " + ", ".join(beside)] if beside else []
    notes += ["Not known in any row: " + ", ".join(unknown)] if unknown else []
    notes += ["95 % intervals: " + ", ".join(intervals)] if intervals else []
    return kept, notes
