"""How many attempts does a session take, and how long do people wait before they ask again? Shares and waits."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .canvas import MARGIN, Chart, Sheet, Words, in_house_style, message, shortened
from .frames import (
    INTERVAL,
    checked,
    group_name,
    in_reading_order,
    largest,
    left_out,
    seen_from,
    sentence,
    split_by,
    title_of,
)
from .palette import LINE, PAPER, PLAIN, SOFT, Look
from .rows import Mark, Row, Section, draw_rows
from .words import count, many, seconds

NEEDED = ("source", "measure", "count", "n", "rate", "mean", "seconds", "low", "high", "as_of")
MOST_GROUPS = 5
REACHES, GAP, MEAN = "reaches_attempt_", "gap_to_attempt_", "attempts_per_session"
LOOK = Look(PLAIN, "o", "-", "")
ORDINALS = {2: "2nd", 3: "3rd"}
ROW, HEADING, AXIS, LEFT_WIDE, LEFT_NARROW = 30.0, 20.0, 34.0, 120.0, 74.0
TICKS = (0, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)


@in_house_style
def attempts_per_session(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw which share of the sessions takes two attempts or more, three or more, and so on, with intervals.

    Parameters
    ----------
    frame
        What ``metrics.retries`` gives, for any `by`; filter its rows as you like.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError
        For something else than a frame.
    SchemaError
        For a frame without the metric's columns.
    """
    frame = checked(frame, NEEDED, name="attempts_per_session", metric="retries")
    by = split_by(frame, "source")
    rows = frame[(frame["source"] == "") & (frame["n"] > 0)]
    subtitle = sentence("Share of sessions that take so many attempts or more", INTERVAL, seen_from(frame))
    words = Words(title_of("Attempts a session takes", by), subtitle, _left(frame, by))
    reached = rows[rows["measure"].str.startswith(REACHES)]
    means = rows[rows["measure"] == MEAN]
    if means.empty:
        return message(words, "No session is old enough to be judged, so there is nothing to draw.", narrow=narrow)
    kept, more = largest(means, by, MOST_GROUPS)
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.", *words.notes))
    sections, said = [], []
    for _, mean in in_reading_order(kept, by).iterrows():
        name = group_name(mean, by)
        mine = _of_group(reached, mean, by)
        said.append(f"{name + ': ' if name else ''}{_mean(mean)}")
        heading = f"{name}: {mean['mean']:.2f} on average" if name else ""
        sections.append(Section(heading, tuple(_row(row) for _, row in mine.iterrows())))
    if not any(section.rows for section in sections):
        return message(words, "Every session took one attempt.", narrow=narrow)
    if not by:
        words = words._replace(notes=(*said, *words.notes))
    top = next(end for end in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 1.0) if float(reached["high"].max()) <= end)
    return draw_rows(words, [one for one in sections if one.rows], ["share"], narrow=narrow, kind="bar", top=top)


def _mean(row: pd.Series) -> str:
    ends = "" if pd.isna(row["low"]) else f" ({row['low']:.2f} to {row['high']:.2f})"
    return f"{row['mean']:.2f}{ends} attempts a session on average, of {count(row['n'])}."


def _of_group(rows: pd.DataFrame, one: pd.Series, by: list[str]) -> pd.DataFrame:
    for name in by:
        rows = rows[rows[name].isna() if pd.isna(one[name]) else rows[name] == one[name]]
    return rows


def _left(frame: pd.DataFrame, by: list[str]) -> tuple[str, ...]:
    said = left_out(frame[frame["source"] == ""], by, "session", "of which no attempt was seen")
    return (said,) if said else ()


def _row(row: pd.Series) -> Row:
    number = int(str(row["measure"]).removeprefix(REACHES))
    numbers = (float(row["rate"]), float(row["low"]), float(row["high"]), float(row["n"]))
    return Row(f"{number} attempts or more", (Mark("share", *numbers, LOOK),), float(row["count"]))


@in_house_style
def retry_gaps(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw how long after the attempt before it a further attempt is made: half of them, and 90 %, within.

    Parameters
    ----------
    frame
        What ``metrics.retries`` gives, for any `by`; filter its rows as you like.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError
        For something else than a frame.
    SchemaError
        For a frame without the metric's columns.
    """
    frame = checked(frame, NEEDED, name="retry_gaps", metric="retries")
    by = split_by(frame, "source")
    what = "Filled: half of the attempts come within this time; hollow: 90 % do"
    words = Words(
        title_of("How long people wait before they ask again", by), sentence(what, INTERVAL, seen_from(frame))
    )
    rows = frame[frame["measure"].str.startswith(GAP) & frame["seconds"].notna()]
    if rows.empty:
        return message(words, "No session made a second attempt, so there is no wait to draw.", narrow=narrow)
    kept, more = largest(rows, by, MOST_GROUPS)
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.",))
    if kept["high"].isna().any():
        words = words._replace(notes=(*words.notes, "An interval without an end on the right is open: too few waits."))
    return _draw(words, kept, by, narrow=narrow)


def _draw(words: Words, rows: pd.DataFrame, by: list[str], *, narrow: bool) -> Chart:
    groups = list(in_reading_order(rows, by).groupby(by, sort=False)) if by else [((), rows)]
    numbers = [(mine, sorted({_number(name) for name in mine["measure"]})) for _, mine in groups]
    heading = HEADING if by else 0.0
    body = sum(heading + ROW * len(found) for _, found in numbers)
    sheet = Sheet(words, body + AXIS, narrow=narrow)
    left, right = LEFT_NARROW if narrow else LEFT_WIDE, sheet.width - MARGIN - 14
    axes = sheet.axes(left, sheet.top, right, sheet.top + body)
    end = float(np.nanmax(rows[["seconds", "low", "high"]].to_numpy(dtype=np.float64))) * 1.12
    axes.set_xlim(0, end)
    axes.set_ylim(body, 0)
    _axis(axes, end, narrow=narrow)
    y, told = 0.0, []
    for mine, found in numbers:
        if by:
            sheet.write(group_name(mine.iloc[0], by), MARGIN, sheet.top + y + heading / 2, size=9.5, weight="bold")
            y += heading
        for number in found:
            told.append(_gap(sheet, axes, mine, number, y))
            y += ROW
    sheet.figure.say([words.title, words.subtitle, *told, *words.notes])
    return sheet.figure


def _number(measure: str) -> int:
    return int(measure.removeprefix(GAP).partition("_")[0])


def _axis(axes: Axes, end: float, *, narrow: bool) -> None:
    fitting = [tick for tick in TICKS if tick <= end]
    room = 0.18 if narrow else 0.09
    kept = [0]
    for tick in fitting[1:]:
        if (tick - kept[-1]) / end >= room:
            kept.append(tick)
    fitting = kept
    axes.set_xticks(fitting, [seconds(tick).replace(" ", "\N{NO-BREAK SPACE}") if tick else "0" for tick in fitting])
    axes.set_yticks([])
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("after the attempt before it")
    axes.spines["bottom"].set_visible(False)


def _gap(sheet: Sheet, axes: Axes, rows: pd.DataFrame, number: int, y: float) -> str:
    """Draw the waits before one attempt: the half and the 90 %, each with its interval; give them in words."""
    middle = y + ROW / 2
    name = f"{ORDINALS.get(number, f'{number}th')} attempt"
    mine = rows[rows["measure"].str.startswith(f"{GAP}{number}_")].sort_values("seconds")
    room = axes.get_position().x0 * sheet.width - MARGIN - 8
    sheet.write(shortened(name, 9, room), MARGIN, sheet.top + middle - 5)
    sheet.write(f"n = {count(mine['n'].max())}", MARGIN, sheet.top + middle + 7, size=7.5, color=SOFT)
    axes.axhline(middle, color=LINE, linewidth=0.8, zorder=0.5)
    said = []
    for at, (_, row) in enumerate(mine.iterrows()):
        value, low, high = (float(row[each]) for each in ("seconds", "low", "high"))
        here = middle + (2 * at - 1) * 3.0
        end = axes.get_xlim()[1] if np.isnan(high) else high
        half = str(row["measure"]).endswith("_p50")
        label = f"{'half' if half else '90 %'} of {name}"
        axes.plot([low, end], [here, here], color=PLAIN, linewidth=1.5, label=f"interval of {label}", clip_on=False)
        axes.plot(
            [value],
            [here],
            marker="o",
            markersize=5.4,
            color=PLAIN,
            markerfacecolor=PLAIN if half else PAPER,
            markeredgewidth=1.3,
            linestyle="none",
            label=label,
            zorder=3,
        )
        off = (0, 5 if half else -11)
        axes.annotate(
            seconds(value), (value, here), xytext=off, textcoords="offset points", fontsize=7, ha="center", color=SOFT
        )
        said.append(f"{'half' if half else '90 %'} within {seconds(value)}")
    return f"{name}: {', '.join(said)}, n = {count(mine['n'].max())}"
