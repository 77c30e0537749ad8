"""How is a frame read by a person? Percentages with intervals, durations, counts, units in the heads; numbers stay.

What is shown is text made of the frame; the frame itself is not changed and not rounded, and is at hand as `frame`.
"""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import pandas as pd

from verify_analytics.charts.clocks import is_time
from verify_analytics.charts.words import count, group_word, interval, moment, named, percent, printable, seconds
from verify_analytics.errors import ArgumentError, near_name

MOST_ROWS = 40
UNKNOWN = "not known"
# Left out unless asked for by name: the same on every row, or for the machine.
CONTEXT = (
    *("interval", "design_effect", "as_of", "patience_seconds", "window_seconds", "horizon_seconds", "unit"),
    *("small", "shrunk", "shrunk_low", "shrunk_high", "pooled", "low", "high"),
    *("as_of_first", "as_of_second", "p", "p_adjusted", "adjust", "sentence", "only_in"),
)
# Counts of what was left out: shown where any of it is not 0.
LEFT_OUT = ("immature", "unobserved", "unknown", "not_observable", "clock_faults", "incomplete", "coverage_unknown")
SHARES = ("rate", "rate_of_others", "coverage", "floor")
TEXTS = ("measure", "source", "kind", "channel", "from_channel", "to_channel", "first", "second")
HEADS = {
    "rate": "rate, % (95 % interval)",
    "seconds": "time (95 % interval)",
    "mean": "mean (95 % interval)",
    "after_seconds": "after",
    "within_seconds": "within",
    "difference": "difference (95 % interval)",
    "per_hour": "per hour (95 % interval)",
}


class Readable:
    """A frame as a person reads it; `frame` is the frame itself, with every number as it was."""

    def __init__(self, frame: pd.DataFrame, texts: pd.DataFrame, note: str) -> None:
        self.frame = frame
        self.texts = texts
        self.note = note

    def __repr__(self) -> str:
        text = self.texts.to_string(index=False) if len(self.texts) else ""
        return "\n".join(part for part in (text, self.note) if part)

    def _repr_html_(self) -> str:
        numbers = {name for name in self.texts.columns if name not in _names(self.frame)}
        heads = "".join(f'<th scope="col" style="{_side(name in numbers)}">{escape(name)}</th>' for name in self.texts)
        rows = "".join(
            "<tr>"
            + "".join(
                f'<td style="{_side(name in numbers)}">{escape(str(value))}</td>'
                for name, value in zip(self.texts.columns, row, strict=True)
            )
            + "</tr>"
            for row in self.texts.itertuples(index=False, name=None)
        )
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{note}"


def show(frame: pd.DataFrame, *, columns: list[str] | None = None, rows: int = MOST_ROWS) -> Readable:
    """Show a metric's frame readably: percentages with their intervals, durations, counts with commas.

    Parameters
    ----------
    frame
        What a metric gives, or any pandas frame.
    columns
        Which columns; by default those that tell rows apart, the figures, and what was left out where anything was.
    rows
        How many rows at most.

    Returns
    -------
    Readable
        Shown by the notebook. Nothing is lost: the frame is its `frame`. "not known" stands for a figure without cases.

    Raises
    ------
    ArgumentError
        For something else than a pandas frame, a column that is not there, or a number of rows that cannot be.

    Examples
    --------
    >>> made = pd.DataFrame({"channel": ["sms"], "measure": ["confirmed"], "count": [64], "n": [100], "rate": [0.64]})
    >>> print(show(made.assign(low=0.5424, high=0.7273)))
    channel   measure count   n rate, % (95 % interval)
        SMS confirmed    64 100       64.0 (54.2–72.7)
    """
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(f"show takes a pandas frame, as every metric gives; got {type(frame).__name__}")
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ArgumentError(f"rows={rows!r} is no number of rows to show: give a whole number from 1 up")
    for name in columns or []:
        if name not in frame.columns:
            raise ArgumentError(f"no column {name!r}: {near_name(str(name), map(str, frame.columns))}")
    shown = frame.head(rows)
    chosen = list(columns) if columns is not None else _chosen(frame)
    ends = columns is None or not {"low", "high"} & set(chosen)
    made = {HEADS.get(name, _head(name)) if ends else _head(name): _texts(shown, name, ends=ends) for name in chosen}
    more = len(frame) - len(shown)
    note = f"{count(more)} more rows; show(frame, rows={len(frame)}) shows all." if more > 0 else ""
    note = note if len(frame) else "No rows."
    return Readable(frame, pd.DataFrame(made, index=shown.index), note)


def _chosen(frame: pd.DataFrame) -> list[str]:
    dull = {name for name in CONTEXT if name in frame.columns}
    dull |= {name for name in LEFT_OUT if name in frame.columns and not frame[name].fillna(0).any()}
    dull |= {name for name in frame.columns if name in HEADS and frame[name].isna().all()}
    dull |= {name for name in ("source", "kind") if name in frame.columns and (frame[name] == "").all()}
    return [str(name) for name in frame.columns if name not in dull]


def _names(frame: pd.DataFrame) -> set[str]:
    """Name the heads of the columns that hold names, not numbers: they stand on the left."""
    texts = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name]) or is_time(str(name))]
    return {_head(str(name)) for name in texts}


def _head(name: str) -> str:
    if name.endswith("_seconds"):
        return name.removesuffix("_seconds").replace("_", " ")
    return group_word(name).replace("_", " ")


def _side(number: bool) -> str:
    return "text-align: right; font-variant-numeric: tabular-nums" if number else "text-align: left"


def _texts(frame: pd.DataFrame, name: str, *, ends: bool) -> list[str]:
    write = _writer(name)
    return [write(row, row[name], ends) for _, row in frame.iterrows()]


Write = Callable[[pd.Series, Any, bool], str]


def _writer(name: str) -> Write:
    writers: Mapping[str, Write] = {
        **dict.fromkeys(SHARES, _share),
        "low": _bound,
        "high": _bound,
        "seconds": _duration,
        "difference": _difference,
        "value_first": _in_unit,
        "value_second": _in_unit,
    }
    if name in writers:
        return writers[name]
    if name in TEXTS:
        return lambda _row, value, _ends: _text(value, name)
    if is_time(name):
        return lambda row, value, _ends: "all" if row.get("pooled") == "all" else named(value, name)
    if name.endswith("_seconds"):
        return lambda _row, value, _ends: UNKNOWN if pd.isna(value) else seconds(float(value))
    return lambda row, value, ends: _plain(row, value, name, ends=ends)


def _text(value: Any, column: str) -> str:
    text = "" if pd.isna(value) else str(value)
    return text.replace("_", " ") if column in {"measure", "kind"} else named(text, column) if text else ""


def _share(row: pd.Series, value: Any, ends: bool) -> str:
    n = float(row["n"]) if "n" in row.index and pd.notna(row["n"]) else 1e9
    if pd.isna(value):
        # A row that is about a mean or a time has no rate; one that is about a rate does not know it.
        other = row.get("measure") == "not_observable" or pd.notna(row.get("mean")) or pd.notna(row.get("seconds"))
        return "" if other else UNKNOWN
    text = percent(float(value), n).removesuffix("\N{NO-BREAK SPACE}%")
    if not ends or "low" not in row.index or str(row.get("unit", "share")) not in {"share", "nan"}:
        return text
    between = interval(float(row["low"]), float(row["high"]), n)
    return f"{text} ({between})" if between else text


def _bound(row: pd.Series, value: Any, _: bool) -> str:
    if pd.isna(value):
        return UNKNOWN
    return seconds(float(value)) if _is_time_row(row) else f"{100 * float(value):.1f}"


def _is_time_row(row: pd.Series) -> bool:
    return str(row.get("unit", "")) == "seconds" or ("unit" not in row.index and pd.notna(row.get("seconds")))


def _duration(row: pd.Series, value: Any, ends: bool) -> str:
    if pd.isna(value):
        measure = str(row.get("measure", ""))
        return "not reached" if measure.startswith("p") and measure[1:].isdigit() else ""
    text = seconds(float(value))
    if not ends or not _is_time_row(row) or "low" not in row.index or pd.isna(row["low"]):
        return text
    end = "open" if pd.isna(row["high"]) else seconds(float(row["high"]))
    return f"{text} ({seconds(float(row['low']))}–{end})"


def _in_unit(row: pd.Series, value: Any, _: bool) -> str:
    if pd.isna(value):
        return UNKNOWN
    unit = str(row.get("unit", "share"))
    return percent(float(value)) if unit == "share" else seconds(float(value)) if unit == "seconds" else f"{value:.2f}"


def _difference(row: pd.Series, value: Any, ends: bool) -> str:
    if pd.isna(value):
        return UNKNOWN
    share = str(row.get("unit", "share")) == "share"
    factor, unit = (100.0, " points") if share else (1.0, " s" if row.get("unit") == "seconds" else "")
    text = f"{factor * float(value):+.1f}{unit}"
    if not ends or "low" not in row.index:
        return text
    bounds = ["open" if pd.isna(row[end]) else f"{factor * float(row[end]):+.1f}" for end in ("low", "high")]
    return f"{text} ({' to '.join(bounds)})"


def _plain(row: pd.Series, value: Any, name: str, *, ends: bool) -> str:
    if isinstance(value, pd.Timestamp):
        return moment(value)
    if value is None or pd.isna(value):
        return "" if name in HEADS or isinstance(value, str) else UNKNOWN
    if isinstance(value, float):
        text = count(value) if value == int(value) and abs(value) >= 1 and name not in HEADS else f"{value:.2f}"
        bounded = ends and name in {"mean", "per_hour"} and "low" in row.index and pd.notna(row["low"])
        return f"{text} ({row['low']:.2f}–{row['high']:.2f})" if bounded else text
    if isinstance(value, int) and not isinstance(value, bool):
        return count(value)
    return printable(str(value), 60)
