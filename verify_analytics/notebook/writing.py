"""How are a frame's numbers written for people? Column by column, as texts; the frame itself is left alone."""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite, isnan
from typing import Any, NamedTuple

import pandas as pd

from verify_analytics.charts.words import count, interval, percent, printable, seconds

NOT_KNOWN = "not known"
NOT_OBSERVABLE = "not observable"
LONGEST = 120
SHARES = {"rate", "rate_of_others", "detect", "power", "coverage", "floor", "shrunk", "shrunk_low", "shrunk_high"}
POINTS = {"difference", "difference_low", "difference_high"}
CHANCES = {"p", "p_adjusted"}
UNITS = {"share", "seconds", "number", ""}
FIGURES = ("rate", "mean", "seconds", "per_hour")
# Written into the figure beside them, or what the figure is in.
PARTS = ("low", "high", "unit")
SIDES = ("value_first", "value_second", "difference")


class Column(NamedTuple):
    """A column as it is shown: its head, a text per row, the exact value per row, and which columns it tells."""

    head: str
    texts: list[str]
    exact: list[str]
    number: bool
    of: tuple[str, ...]


def columns(frame: pd.DataFrame) -> list[Column]:
    """Write every column of a frame; the figure and its interval become one.

    Parameters
    ----------
    frame
        What a metric gave, or any other table.
    """
    names = [str(name) for name in frame.columns]
    units = _units(frame, names)
    figures = [name for name in FIGURES if name in names and "low" in names and "measure" in names]
    if set(SIDES) <= set(names):
        figures = []
    compared = set(SIDES) <= set(names)
    taken = {*figures, *(PARTS[:2] if figures else ()), *(PARTS if compared else ())}
    taken |= {"unit"} if units is not None else set()
    made = []
    for place, name in enumerate(names):
        values = frame.iloc[:, place]
        if compared and name in SIDES:
            made.append(_side(frame, name, units))
        elif name not in taken:
            made.append(_plain(name, values, _few(frame) if name == "n" else None))
        if name == "measure" and figures:
            # Right behind the name: on a narrow screen the rest is out of sight.
            made += [_at(frame["seconds"], units)] if units is not None and "seconds" in figures else []
            made.append(_figure(frame, figures, units))
    return made


def _units(frame: pd.DataFrame, names: Sequence[str]) -> list[str] | None:
    """Give the unit of each row's figure, where the frame tells it."""
    if "unit" not in names or not set(frame["unit"].dropna()) <= UNITS:
        return None
    return [str(unit) for unit in frame["unit"]]


def _few(frame: pd.DataFrame) -> list[bool] | None:
    return None if "small" not in frame.columns else [bool(value) for value in frame["small"]]


def _figure(frame: pd.DataFrame, figures: list[str], units: list[str] | None) -> Column:
    texts, exact, kinds = [], [], set()
    for place in range(len(frame)):
        row = frame.iloc[place]
        kind = _kind(row, figures, units[place] if units is not None else None)
        kinds |= {kind} - {""}
        texts.append(_told(row, kind))
        said = [f"{part}={row[part]!r}" for part in (kind, "low", "high") if part and pd.notna(row[part])]
        exact.append(", ".join(said))
    head = kinds.pop() if len(kinds) == 1 else "figure"
    return Column(f"{head} (95 % interval)", texts, exact, number=True, of=(*figures, *PARTS))


def _kind(row: pd.Series, figures: list[str], unit: str | None) -> str:
    """Say which column holds the row's figure; empty where none does."""
    if unit == "seconds":
        return "seconds"
    if unit == "share":
        return "rate"
    return next((name for name in figures if pd.notna(row[name])), "")


def _told(row: pd.Series, kind: str) -> str:
    if "not_observable" in {str(row.get("measure")), str(row.get("interval"))}:
        return NOT_OBSERVABLE
    value = float(row[kind]) if kind and pd.notna(row[kind]) else float("nan")
    n = float(row["n"]) if "n" in row.index and pd.notna(row["n"]) else float("inf")
    if isnan(value):
        if n == 0:
            return f"{NOT_KNOWN} (no cases)"
        return "not reached" if kind == "seconds" else NOT_KNOWN
    return with_interval(value, float(row["low"]), float(row["high"]), kind, n)


def with_interval(value: float, low: float, high: float, kind: str, n: float = float("inf")) -> str:
    r"""Write a figure and the interval behind it.

    >>> with_interval(0.9124, 0.9012, 0.9234, "rate"), with_interval(92.0, 80.4, float("nan"), "seconds")
    ('91.2\xa0% (90.1–92.3)', '1 min 32 s (1 min 20 s–not known)')
    >>> with_interval(1.2754, 1.2094, 1.3413, "mean")
    '1.28 (1.21–1.34)'
    """
    if kind == "rate":
        ends = interval(low, high, n)
        return percent(value, n) + (f" ({ends})" if ends else "")
    write: Callable[[float], str] = (lambda each: seconds(each, NOT_KNOWN)) if kind == "seconds" else number
    if isnan(low) and isnan(high):
        return write(value)
    return f"{write(value)} ({write(low)}–{write(high)})"


def number(value: float) -> str:
    """Write a number that is no share: two decimals, or three figures of a small one.

    >>> number(1.2754), number(0.00312), number(52769.6), number(float("nan"))
    ('1.28', '0.00312', '52,770', 'not known')
    """
    if not isfinite(value):
        return NOT_KNOWN if isnan(value) else ("above all bounds" if value > 0 else "below all bounds")
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value == 0 or abs(value) >= 0.1 else f"{value:.3g}"


def _at(values: pd.Series, units: list[str]) -> Column:
    """Write the time at which a share of a curve is told; times that are figures stand elsewhere."""
    pairs = list(zip(values, units, strict=True))
    texts = [seconds(float(value), "") if unit == "share" else "" for value, unit in pairs]
    return Column("at", texts, [_exact(value) for value in values], number=True, of=("seconds",))


def _side(frame: pd.DataFrame, name: str, units: list[str] | None) -> Column:
    """Write one side of a comparison, or the difference with its interval."""
    texts = []
    for place in range(len(frame)):
        row = frame.iloc[place]
        unit = units[place] if units is not None else "share"
        value = float(row[name]) if pd.notna(row[name]) else float("nan")
        if name != "difference":
            texts.append(_amount(value, unit))
        elif isnan(value):
            texts.append(NOT_KNOWN)
        else:
            ends = [float(row[end]) for end in ("low", "high")]
            told = " to ".join(signed(end, unit).removesuffix(" points") for end in ends)
            texts.append(signed(value, unit) + (f" ({told})" if not all(map(isnan, ends)) else ""))
    head = f"{name} (95 % interval)" if name == "difference" else name
    of = (name, *PARTS) if name == "difference" else (name,)
    return Column(head, texts, [_exact(value) for value in frame[name]], number=True, of=of)


def _amount(value: float, unit: str) -> str:
    if isnan(value):
        return NOT_KNOWN
    return percent(value) if unit == "share" else seconds(value) if unit == "seconds" else number(value)


def signed(value: float, unit: str) -> str:
    """Write a difference with its sign; of shares in points.

    >>> signed(0.0204, "share"), signed(-75.0, "seconds"), signed(float("nan"), "share")
    ('+2.0 points', '−1 min 15 s', 'not known')
    """
    if isnan(value):
        return NOT_KNOWN
    sign = "−" if value < 0 else "+"
    size = abs(value)
    return sign + (f"{100 * size:.1f} points" if unit == "share" else _amount(size, unit))


def _plain(name: str, values: pd.Series, few: list[bool] | None) -> Column:
    exact = [_exact(value) for value in values]
    write, head, is_number = _writer(name, values)
    texts = [NOT_KNOWN if _missing(value) else write(value) for value in values]
    if few is not None:
        texts = [f"{text} (few)" if small else text for text, small in zip(texts, few, strict=True)]
    return Column(head, texts, exact, number=is_number, of=(name,))


def _writer(name: str, values: pd.Series) -> tuple[Callable[[Any], str], str, bool]:
    """Choose how a column is written, how its head reads, and whether it holds numbers."""
    title = printable(name, LONGEST)
    kind = values.dtype
    if pd.api.types.is_bool_dtype(kind):
        return (lambda value: "yes" if value else "no"), title, False
    if isinstance(kind, pd.DatetimeTZDtype):
        return _moment, f"{title} (UTC)", False
    if not pd.api.types.is_numeric_dtype(kind):
        return (lambda value: printable(str(value), LONGEST)), title, False
    return _number_writer(name, values), title, True


def _number_writer(name: str, values: pd.Series) -> Callable[[Any], str]:
    if name.endswith("seconds"):
        return lambda value: seconds(float(value), NOT_KNOWN)
    if name in SHARES:
        return lambda value: percent(float(value))
    if name in POINTS:
        return lambda value: signed(float(value), "share")
    if name in CHANCES:
        return lambda value: f"{value:.3g}"
    whole = pd.api.types.is_integer_dtype(values.dtype) or all(float(each).is_integer() for each in values.dropna())
    return count if whole else lambda value: number(float(value))


def _moment(value: Any) -> str:
    at = pd.Timestamp(value).tz_convert("UTC")
    return f"{at:%Y-%m-%d %H:%M}" if not at.second and not at.microsecond else f"{at:%Y-%m-%d %H:%M:%S}"


def _missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _exact(value: Any) -> str:
    if _missing(value) or isinstance(value, str):
        return ""
    return str(value.item()) if hasattr(value, "item") else str(value)


def told_once(values: Iterable[str]) -> str | None:
    """Give the one text that all rows share, or None if they differ."""
    seen = set(values)
    return seen.pop() if len(seen) == 1 else None
