"""What can be switched, what is refused, and that a switch moves nothing but its own."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from verify_analytics.errors import ArgumentError
from verify_analytics.simulate import Features, History
from verify_analytics.simulate.history import Part

Make = Callable[..., History]


def columns(part: Part) -> dict[str, Any]:
    """Give everything that one part of a history holds, by name."""
    found: dict[str, Any] = {}
    for name in ("story", "said", "arrivals", "reports", "manners"):
        for key, value in vars(getattr(part, name)).items():
            if key == "start":
                found |= {f"start.{one}": column for one, column in vars(value).items()}
            else:
                found[f"{name}.{key}"] = value
    return found


def changed(before: Part, after: Part) -> set[str]:
    """Name the columns that are not the same."""
    one, other = columns(before), columns(after)
    return {name for name in one if not np.array_equal(np.asarray(one[name]), np.asarray(other[name]))}


WAY = {"arrivals.callback", "arrivals.tried", "arrivals.received_us", "arrivals.nonce"}
SAID = {
    f"said.{name}"
    for name in ("session", "cell", "attempt", "named", "at_us", "status", "session_status", "code", "requested_us")
}
REPORTS = {"reports.session", "reports.verified_us", "reports.received_us"}
# Feature → its value when off, and the columns it may touch. Whatever is not named must be equal, bit by bit.
REACH: dict[str, tuple[Any, set[str]]] = {
    "returning": (0, {"start.recipient"}),
    "bots": (0, set()),
    # A lie needs a receipt: where none is sent the end is the true one.
    "no_receipts": (False, {"story.told", "story.ending", "story.code"} | SAID | WAY),
    "missing_receipts": (0, {"story.told", "story.ending", "story.code"} | SAID | WAY),
    "lying_receipts": (0, {"story.told", "story.ending", "story.code"} | SAID),
    "verified_callbacks": (0, SAID | WAY),
    "expired_callbacks": (0, SAID | WAY),
    "no_attempt_id": (0, {"said.named"}),
    "odd_status": (0, {"said.status"}),
    "odd_channel": (0, {"story.channel", "story.ending", "said.status"}),
    "odd_code": (0, {"story.code", "said.code"}),
    "loud_case": (0, {"manners.loud"}),
    "time_formats": (0, {"manners.time_format"}),
    "code_spelling": (0, {"manners.no_error"}),
    "plus_sign": (0, {"manners.plus"}),
    "extra_fields": (0, {"manners.extra"}),
    "get": (0, {"manners.get"}),
    "v3": (0, {"manners.v3"}),
    "rotation": (False, {"manners.rotation"}),
    "lost": (0, WAY),
    "late": (0, WAY),
    "redelivered": (0, WAY),
    "fresh_nonce": (0, {"arrivals.nonce"}),
    "disorder": (0, WAY),
    "outage_minutes": ((), WAY | REPORTS),
    "app_reports": (0, REPORTS),
    "duplicate_reports": (0, REPORTS),
    "clock_faults": (0, {"reports.verified_us"}),
}
# What people do changes all that follows from it, but nothing that came before.
PEOPLE = {"resends", "fallback", "voice_first", "reuse"}
UNMOVED = {
    "start.start_us",
    "start.place",
    "start.recipient",
    "start.bot",
    "story.expires_us",
    "manners.session_id",
    "manners.attempt_id",
}


def loud_world() -> Features:
    return Features(
        lying_receipts=0.05, no_attempt_id=0.05, odd_status=0.05, odd_channel=0.05, odd_code=0.3, loud_case=0.1,
        lost=0.05, late=0.05, redelivered=0.1, disorder=0.1, clock_faults=0.1, duplicate_reports=0.1, reuse=0.2,
        bots=0.05, outage_minutes=(60, 60), missing_receipts=0.1,
    )  # fmt: skip


def without(name: str, value: Any) -> Features:
    return Features(**{**vars(loud_world()), name: value})


def test_every_feature_has_a_test() -> None:
    assert set(REACH) | PEOPLE | {"reporter_gaps"} == {field.name for field in fields(Features)}


@pytest.mark.parametrize("name", REACH)
def test_switching_a_feature_off_touches_only_what_it_is_about(name: str, make: Make) -> None:
    off, may_change = REACH[name]
    before = make(300, features=loud_world()).chunk(0)[0]
    after = make(300, features=without(name, off)).chunk(0)[0]
    assert changed(before, after) <= may_change
    if name != "bots":
        assert changed(before, after), "the feature does nothing"


@pytest.mark.parametrize("name", sorted(PEOPLE))
def test_what_people_do_leaves_alone_who_they_are(name: str, make: Make) -> None:
    before = make(300, features=loud_world()).chunk(0)[0]
    after = make(300, features=without(name, 0 if name == "reuse" else False)).chunk(0)[0]
    assert changed(before, after)
    assert not changed(before, after) & UNMOVED
    # Who was never in the situation that the feature is about has the same story.
    one, other = before.story, after.story
    same = ((one.exists == other.exists) & ((one.channel == other.channel) | ~one.exists)).all(axis=1)
    assert same.sum() > 100
    assert (before.story.verified_us[same] == after.story.verified_us[same]).all()
    assert (before.story.ended_us[same] == after.story.ended_us[same]).all()


def test_bots_come_on_top_of_people(make: Make) -> None:
    with_bots, without_bots = make(300, features=loud_world()), make(300, features=without("bots", 0))
    assert with_bots.sessions == 300 + 15
    assert without_bots.sessions == 300
    people, bots = with_bots.chunk(0)
    assert bots.story.start.bot.all()
    assert not people.story.start.bot.any()
    assert len(without_bots.chunk(0)) == 1
    assert not changed(people, without_bots.chunk(0)[0])


def test_a_gap_in_reporting_silences_the_application_and_nothing_else(make: Make) -> None:
    before = make(300, features=Features(reporter_gaps=())).chunk(0)[0]
    gap = make(300, features=Features(reporter_gaps=((0.4, 0.6),)))
    after = gap.chunk(0)[0]
    assert changed(before, after) <= REPORTS
    length = gap.end_us - gap.start_us
    place = (before.reports.verified_us - gap.start_us) / length
    assert len(after.reports.session) == int(((place < 0.4) | (place >= 0.6)).sum())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lost": 1.5}, "lost=1.5 is no share"),
        ({"late": -0.1}, "late=-0.1 is no share"),
        ({"outage_minutes": (5, 0)}, "at least one whole minute"),
        ({"reporter_gaps": ((0.5, 0.5),)}, "0 <= from < to <= 1"),
    ],
)
def test_an_impossible_strength_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Features(**wrong)


def test_a_quiet_world_has_nothing_odd_but_people_still_ask_again() -> None:
    quiet = Features.quiet(lost=0.5)
    on = {field.name for field in fields(Features) if getattr(quiet, field.name)}
    assert on == {"resends", "fallback", "voice_first", "app_reports", "lost"}
