"""Channels and outcomes can be told apart by every eye and by every printer, and never change their look."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from verify_analytics.charts.palette import CHANNELS, FAINT, INK, OTHER, OUTCOMES, PLAIN, SOFT, channel_look

# Full colour blindness of each kind, on linear RGB: Machado, Oliveira and Fernandes (2009), severity 1.0.
EYES = {
    "all cones": np.eye(3),
    "no red cones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green cones": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no blue cones": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
# CIE 1976: a difference of 2.3 is just noticeable; apart at a glance is about five times that.
AT_A_GLANCE = 11.5


def linear(colour: str) -> NDArray[np.float64]:
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(colour: str) -> float:
    """Against white paper, as the Web Content Accessibility Guidelines count it."""
    return float(1.05 / (np.array([0.2126, 0.7152, 0.0722]) @ linear(colour) + 0.05))


def distance(one: str, other: str, eye: str) -> float:
    seen = [lab(np.array(EYES[eye]) @ linear(colour)) for colour in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize(
    "colours",
    [{name: look.colour for name, look in CHANNELS.items()} | {"other": OTHER.colour}, dict(OUTCOMES)],
    ids=["channels", "outcomes"],
)
def test_colours_differ_at_a_glance_for_every_eye(colours: dict[str, str], eye: str) -> None:
    near = [
        (one, other, round(distance(colours[one], colours[other], eye), 1))
        for one, other in combinations(colours, 2)
        if distance(colours[one], colours[other], eye) < AT_A_GLANCE
    ]
    assert near == []


def test_without_any_colour_channels_differ_by_sign_line_and_hatch() -> None:
    looks = [*CHANNELS.values(), OTHER]
    assert len({look.marker for look in looks}) == len(looks)
    assert len({str(look.line) for look in looks}) == len(looks)
    assert len({look.hatch for look in looks}) == len(looks)


@pytest.mark.parametrize(
    "colour", [*(look.colour for look in CHANNELS.values()), OTHER.colour, PLAIN, *OUTCOMES.values()]
)
def test_marks_stand_out_from_paper(colour: str) -> None:
    assert contrast(colour) >= 3.0


@pytest.mark.parametrize("colour", [INK, SOFT, PLAIN, OTHER.colour])
def test_texts_can_be_read_on_paper(colour: str) -> None:
    assert contrast(colour) >= 4.5


def test_a_channel_nobody_has_met_is_grey() -> None:
    assert channel_look("pigeon") is OTHER
    assert FAINT not in {look.colour for look in CHANNELS.values()}
