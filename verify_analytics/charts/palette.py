"""Which colour, marker, line and hatch stands for what? The same in every chart, and safe without colour vision.

A channel or an outcome keeps its look everywhere, so that a reader learns it once. Colour is never alone: markers,
line styles and hatches differ too, so that a chart survives a black-and-white printer.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

INK = "#1f2933"
SOFT = "#52606d"
FAINT = "#9aa5b1"
LINE = "#e4e7eb"
PAPER = "#ffffff"
PLAIN = "#334e68"
"""For marks that stand for no channel and no outcome."""


class Look(NamedTuple):
    """How one thing is drawn: hexadecimal colour, matplotlib marker, line style and hatch."""

    colour: str
    marker: str
    line: str | tuple[float, tuple[float, ...]]
    hatch: str


CHANNELS: Mapping[str, Look] = MappingProxyType(
    {
        "sms": Look("#126fb7", "o", "-", ""),
        "voice": Look("#d1590a", "s", "--", "////"),
        "whatsapp": Look("#11885a", "^", "-.", "\\\\\\\\"),
        "rcs": Look("#8a3a8f", "D", ":", "||||"),
    }
)
"""Blue, orange, green and purple after Okabe and Ito (2008), darkened to be seen on white paper."""

OTHER = Look("#6b6b6b", "P", (0, (1, 2, 4, 2)), "----")
"""Any channel that has no look of its own."""

OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "delivered": "#217d5c",
        "accepted": "#3c91c7",
        "silent": "#8693a0",
        "undelivered": "#c8553d",
        "failed": "#7d1d3a",
        "pending": "#b28f15",
        "unknown": "#4a5856",
        "unobserved": "#7f729e",
    }
)
"""Colours of an attempt's outcomes."""


def channel_look(channel: str) -> Look:
    """Give the look of a channel; one that nobody has met yet is grey.

    >>> channel_look("sms").marker, channel_look("pigeon").colour
    ('o', '#6b6b6b')
    """
    return CHANNELS.get(channel, OTHER)
