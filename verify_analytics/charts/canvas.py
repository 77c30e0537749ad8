"""What do all charts share? A sheet with a title, what is shown and from when, room to draw, and notes below.

Everything is placed in points from the top left corner, so that a chart looks the same for any data on any machine.
A chart comes wide (for a page) or narrow (for a phone). No pyplot: each chart is an object without hidden state.
"""

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache, wraps
from itertools import pairwise
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib.style
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from verify_analytics.errors import options_by_name

from .palette import INK, SOFT
from .words import printable

WIDE, NARROW = 540.0, 270.0
MARGIN = 8.0
INCH = 72.0
LINE_HEIGHT = 1.36
# Hinting may draw a line of text a little wider than it measures.
SLACK = 0.98

P = ParamSpec("P")
R = TypeVar("R")


class Chart(Figure):
    """A matplotlib figure that knows in words what it shows."""

    title: str = ""
    alt: str = ""

    def say(self, sentences: Sequence[str]) -> None:
        """Set the alternative text: what somebody who cannot see the chart should know."""
        said = [printable(sentence, 1000).rstrip(".") + "." for sentence in sentences if sentence.strip()]
        self.alt = " ".join(said)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Show the chart in a notebook, which without pyplot would print only the object's name."""
        with house_style():
            picture = io.BytesIO()
            self.savefig(picture, format="png", metadata={"Software": None})
        width = round(self.get_figwidth() * 96)
        return (
            {"image/png": picture.getvalue(), "text/plain": self.alt or self.title},
            {"image/png": {"width": width, "alt": self.alt}},
        )


class Words(NamedTuple):
    """The texts around a drawing: its subject, what exactly is shown, and notes on what it leaves out."""

    title: str
    subtitle: str
    notes: tuple[str, ...] = ()


def house_style() -> AbstractContextManager[None]:
    """Draw in the project's style and leave the user's own settings as they were."""
    return matplotlib.style.context(["default", f"{__package__}.style"])


def in_house_style(draw: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing function in the project's style."""
    asked = options_by_name(draw)

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> R:
        with house_style():
            return asked(*args, **kwargs)

    return styled


@cache
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Measure a line of text in points; the font comes with matplotlib, so the answer is the same everywhere."""
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=size)
    return float(text_to_path.get_text_width_height_descent(drawable(text), font, False)[0])


@cache
def _letters() -> frozenset[int]:
    path = font_manager.findfont(FontProperties(family="DejaVu Sans"))
    return frozenset(font_manager.get_font(path).get_charmap())


def drawable(text: str) -> str:
    """Replace letters that the font does not have, so that drawing never warns of them."""
    return "".join(letter if ord(letter) in _letters() else "\N{WHITE SQUARE}" for letter in text)


def wrapped(text: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """Break a text into lines that fit."""
    lines: list[str] = []
    for word in text.split(" "):
        together = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(together, size, bold=bold) <= SLACK * width:
            lines[-1] = together
        else:
            lines.append(word)
    return lines


def shortened(text: str, size: float, width: float, *, bold: bool = False) -> str:
    """Cut a text that does not fit, with an ellipsis."""
    if text_width(text, size, bold=bold) <= SLACK * width:
        return text
    while text and text_width(text + "…", size, bold=bold) > SLACK * width:
        text = text[:-1].rstrip()
    return text + "…"


def apart(places: Sequence[float], gap: float, end: float) -> list[float]:
    """Move places apart so that no two are nearer than a gap, each as little as needed from the top down.

    >>> apart([10.0, 12.0, 60.0], 11.0, 100.0)
    [10.0, 21.0, 60.0]
    >>> apart([95.0, 99.0], 11.0, 100.0)
    [89.0, 100.0]
    """
    order = sorted(range(len(places)), key=lambda at: places[at])
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    beyond = end
    for at in reversed(order):
        moved[at] = min(moved[at], beyond)
        beyond = moved[at] - gap
    return moved


class Sheet:
    """A figure of known width and height to draw on, in points from the top left corner."""

    def __init__(self, words: Words, body: float, *, narrow: bool) -> None:
        self.narrow = narrow
        self.width = NARROW if narrow else WIDE
        room = self.width - 2 * MARGIN
        head = 11.0 if narrow else 13.0
        title = wrapped(words.title, head, room, bold=True)
        subtitle = wrapped(words.subtitle, 8.5, room)
        notes = [line for note in words.notes for line in wrapped(note, 7.5, room)]
        top = MARGIN + len(title) * head * LINE_HEIGHT + len(subtitle) * 8.5 * LINE_HEIGHT + 10
        self.height = top + body + 8 + len(notes) * 7.5 * LINE_HEIGHT + MARGIN
        self.figure = Chart(figsize=(self.width / INCH, self.height / INCH))
        self.figure.title = words.title
        self.top = top
        y = MARGIN
        for line in title:
            self.write(line, MARGIN, y, size=head, weight="bold", va="top")
            y += head * LINE_HEIGHT
        for line in subtitle:
            self.write(line, MARGIN, y, size=8.5, color=SOFT, va="top")
            y += 8.5 * LINE_HEIGHT
        y = top + body + 8
        for line in notes:
            self.write(line, MARGIN, y, size=7.5, color=SOFT, va="top")
            y += 7.5 * LINE_HEIGHT

    def write(self, text: str, x: float, y: float, *, size: float = 9.0, color: str = INK, **how: Any) -> None:
        """Write one line of text; `y` is its middle unless `va` says otherwise."""
        how.setdefault("va", "center")
        where = (x / self.width, 1 - y / self.height)
        self.figure.text(*where, drawable(text), fontsize=size, color=color, **how)

    def axes(self, left: float, top: float, right: float, bottom: float) -> Axes:
        """Add room to draw in, given by its edges in points from the top left corner of the sheet."""
        return self.figure.add_axes(
            (
                left / self.width,
                1 - bottom / self.height,
                (right - left) / self.width,
                (bottom - top) / self.height,
            )
        )


def message(words: Words, text: str, *, narrow: bool) -> Chart:
    """Make a chart that says in words why there is nothing to draw."""
    room = (NARROW if narrow else WIDE) - 4 * MARGIN
    lines = wrapped(text, 10, room)
    height = 40 + len(lines) * 10 * LINE_HEIGHT
    sheet = Sheet(words, height, narrow=narrow)
    for place, line in enumerate(lines):
        y = sheet.top + 20 + (place + 0.5) * 10 * LINE_HEIGHT
        sheet.write(line, sheet.width / 2, y, size=10, color=SOFT, ha="center")
    sheet.figure.say([words.title, words.subtitle, text, *words.notes])
    return sheet.figure
