"""What may be shown when small cells are to be hidden? Rows that tell of fewer than so many are taken out.

Taken out of the frames themselves, before anything is drawn, told or written: so no file holds what the page hides.
"""

import re
from collections.abc import Iterable, Mapping

import pandas as pd

from verify_analytics.charts.words import many
from verify_analytics.errors import ArgumentError

MOST = 1_000
# What says more of a code, and is no group.
DESCRIBES = ("name", "meaning", "category", "retryable", "unit", "kind")
# Shares of one whole among several rows, told apart by these columns.
PARTS = {
    "share_of_unsuccessful": ("channel", "code"),
    "share_of_all": ("channel", "code"),
    "second_attempt": ("from_channel", "to_channel"),
}
# One without the other would be misread: see the meaning of delivery by channel and role.
TOGETHER = ("confirmed", "accepted")
# Rows in the order of time, each holding those before it.
ALONG = ("after_seconds", "seconds")
# What other frames show by itself.
SHOWN = ("channel", "country")
LEFT_OUT = (
    *("immature", "unobserved", "unknown", "not_observable", "incomplete", "clock_faults", "censored"),
    *("not_asked", "coverage_unknown"),
)


def checked(min_cell: object) -> int:
    """Read the size below which cells are hidden; 0 hides nothing.

    Raises
    ------
    ArgumentError
        For anything but a whole number from 0 to 1,000.
    """
    if isinstance(min_cell, bool) or not isinstance(min_cell, int) or not 0 <= min_cell <= MOST:
        raise ArgumentError(f"min_cell={min_cell!r} must be a whole number from 0 (hide nothing) to {MOST:,}")
    return min_cell


def suppressed(frames: Mapping[str, pd.DataFrame], min_cell: int) -> tuple[dict[str, pd.DataFrame], int]:
    """Take out of every frame what tells of fewer than `min_cell`, also what would follow by subtraction.

    Out goes a row with fewer than `min_cell` cases; one whose count, or the rest of whose cases, is so small without
    being nothing; one whose numbers differ by so little from those of another measure of its group; and, where the
    rows that went are a single one of a whole or so few together, the next smallest. Curves keep the points between
    which at least so many lie. How many were left out is not told at all where one of these counts is small.

    Returns
    -------
    dict, int
        The frames, and how many rows were taken out.
    """
    if min_cell < 2:
        return dict(frames), 0
    made = {name: _frame(frame, min_cell) for name, frame in frames.items()}
    if any(_few(frame[name], min_cell).any() for frame in frames.values() for name in LEFT_OUT if name in frame):
        made = {
            name: frame.assign(**{each: pd.array([pd.NA] * len(frame), "Int64") for each in LEFT_OUT if each in frame})
            for name, frame in made.items()
        }
    return made, sum(len(frame) - len(made[name]) for name, frame in frames.items())


def told(number: int, one: str, min_cell: int, more: str = "") -> str:
    """Write a count with its noun, or that it is small.

    >>> told(12, "attempt", 10), told(3, "attempt", 10), told(3, "attempt", 0)
    ('12 attempts', 'fewer than 10 attempts', '3 attempts')
    """
    if 0 < number < min_cell:
        return f"fewer than {many(min_cell, one, more)}"
    return many(number, one, more)


def at_least(number: int, one: str, min_cell: int, more: str = "") -> str:
    """Write a total: exactly, or so roughly that no small part of it follows from the others.

    >>> at_least(537, "attempt", 10), at_least(537, "attempt", 0)
    ('at least 530 attempts', '537 attempts')
    """
    if min_cell < 2:
        return many(number, one, more)
    return f"at least {many(number // min_cell * min_cell, one, more)}"


def without_few(sentence: str, min_cell: int) -> str:
    """Write a metric's doubt without small counts of people.

    >>> without_few("3 of 400 sessions ended before they started", 10)
    'fewer than 10 of 400 sessions ended before they started'
    """
    few = re.compile(r"(?<![\d.,])(\d{1,4})(?= (?:of \d|[a-z]* ?(?:session|attempt|row|callback|report)))")
    return few.sub(lambda found: f"fewer than {min_cell}" if 0 < int(found[1]) < min_cell else found[1], sentence)


def _few(values: pd.Series, min_cell: int) -> pd.Series:
    return ((values > 0) & (values < min_cell)).fillna(value=False).astype(bool)


def _frame(frame: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Take the small rows out of one frame."""
    if frame.empty or not {"measure", "count"} <= set(frame.columns):
        return frame
    if "n" not in frame:  # requests at the collector's door: nobody's attempts, and parts of no whole
        return frame[~_few(frame["count"], min_cell)]
    size = frame["n"]
    rest = (size - frame["count"]).where(frame["rate"].notna()) if "rate" in frame else size * 0
    keep = ~(_few(size, min_cell) | _few(frame["count"], min_cell) | _few(rest, min_cell))
    if "at_risk" in frame:  # still waiting then, and ended otherwise by then
        keep &= ~(_few(frame["at_risk"], min_cell) | _few(size - frame["count"] - frame["at_risk"], min_cell))
    keys = [name for name in _keys(frame) if name not in ("measure", "pooled")]
    groups = list(frame.groupby(keys, sort=False, dropna=False).indices.values()) if keys else [range(len(frame))]
    for rows in groups:
        _thin(frame, keep, [at for at in rows if keep.iloc[at]], min_cell)
    before = -1
    while before != int(keep.sum()):
        before = int(keep.sum())
        for rows in groups:
            _together(frame, keep, rows)
        for measure in frame["measure"].unique():
            _complement(frame, keep, str(measure), min_cell)
    return frame[keep]


def _keys(frame: pd.DataFrame) -> list[str]:
    """Name the columns that tell groups apart."""
    upto = [str(name) for name in frame.columns[: list(frame.columns).index("measure") + 1]]
    return [name for name in upto if name not in DESCRIBES]


def _thin(frame: pd.DataFrame, keep: pd.Series, rows: Iterable[int], min_cell: int) -> None:
    """Take out rows of one group from which, with one that stays, a small number would follow by one subtraction.

    Whatever is counted in one group is a part of something else counted there, or may be. Summaries are asked before
    the points of a curve, of which there are many.
    """
    points = frame["measure"].isin(("curve", "verified_next"))
    seen: list[int] = []
    for at in sorted(rows, key=lambda at: bool(points.iloc[at])):
        row = frame.iloc[at]
        numbers = [int(row[name]) for name in ("count", "n", "at_risk") if name in frame and pd.notna(row[name])]
        if "at_risk" in frame and len(numbers) == 3:
            numbers.append(numbers[1] - numbers[0] - numbers[2])  # ended otherwise by then
        if any(0 < abs(one - other) < min_cell for one in numbers for other in seen):
            keep.iloc[at] = False
        else:
            seen += numbers


def _together(frame: pd.DataFrame, keep: pd.Series, rows: Iterable[int]) -> None:
    """Take out a group whose main figures are only read beside each other, where one of them went."""
    pair = [at for at in rows if frame["measure"].iloc[at] in TOGETHER]
    if pair and not all(keep.iloc[at] for at in pair):
        for at in rows:
            keep.iloc[at] = False


def _complement(frame: pd.DataFrame, keep: pd.Series, measure: str, min_cell: int) -> None:
    """Take out the next smallest rows where those taken out would follow from a total and the rows that stay."""
    parts = PARTS.get(measure, ())
    named = [name for name in _keys(frame) if name not in ("measure", "source", "pooled", *ALONG)]
    flows = ("from_channel", "to_channel")
    apart = [name for name in named if name in parts or (not parts and name not in flows)]
    if not apart:
        return
    mine = frame[frame["measure"] == measure]
    by = "count" if parts else "n"
    source = ["source"] if "source" in frame else []
    around = [name for name in named if name not in apart and name not in flows]
    # Of which rows a total is shown: of all; of each channel or country, in another frame; of a period, beside a code.
    lines = [[*source, *around], *([*source, name] for name in apart if name in SHOWN and not parts and len(apart) > 1)]
    if around:
        lines.append([*source, *apart])
    changed = True
    while changed:
        changed = False
        for line in lines:
            for rows in mine.groupby(line, sort=False, dropna=False).indices.values() if line else [range(len(mine))]:
                changed |= _one_more(mine.iloc[list(rows)], keep, by, min_cell)


def _one_more(rows: pd.DataFrame, keep: pd.Series, by: str, min_cell: int) -> bool:
    """Hide one more of the rows of a whole, if what is hidden could be told from the rest."""
    shown = keep.loc[rows.index].to_numpy()
    gone, left = rows[~shown], rows[shown]
    left = left[left[by] > 0]
    if gone.empty or left.empty:
        return False
    sums = [int(gone["count"].sum()), *([] if by == "count" or "n" not in gone else [int(gone["n"].sum())])]
    sums += [sums[1] - sums[0]] if len(sums) > 1 else []
    if len(gone) > 1 and not any(0 < each < min_cell for each in sums):
        return False
    smallest = left.index[int(left[by].argmin())]
    keep[keep.index == smallest] = False
    return True
