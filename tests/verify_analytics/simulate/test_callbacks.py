"""What the provider says follows what happened: in a lawful order, and about the right attempt."""

from collections.abc import Callable

import numpy as np
import pytest

from verify_analytics.simulate import Features, History
from verify_analytics.simulate.callbacks import CELLS, NO_ATTEMPT, STEPS
from verify_analytics.simulate.history import Part
from verify_analytics.simulate.networks import CODES
from verify_analytics.simulate.words import CHANNELS, EXPIRED, IN_PROGRESS, NONE, STATUS, STATUSES, VERIFIED, VOICE

Make = Callable[..., History]
RANK = {
    "queued": 1, "ringing": 2, "sent": 3, "in-progress": 3, "answer": 3, "failed": 4, "canceled": 4, "timeout": 4,
    "undelivered": 5, "no-answer": 5, "busy": 5, "delivered": 6, "read": 6, "completed": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def part(make: Make) -> Part:
    return make(4000, features=Features(odd_status=0, reuse=0.1, bots=0)).chunk(0)[0]


def of_attempts(part: Part) -> dict[tuple[int, int], list[tuple[int, str]]]:
    """Collect what was said of each attempt in its own cells, in the order in which it was said."""
    found: dict[tuple[int, int], list[tuple[int, str]]] = {}
    said = part.said
    rows = zip(
        said.session.tolist(),
        said.attempt.tolist(),
        said.cell.tolist(),
        said.at_us.tolist(),
        said.status.tolist(),
        strict=True,
    )
    for session, attempt, cell, at_us, status in rows:
        if cell < CELLS - 2:
            found.setdefault((session, attempt), []).append((at_us, STATUSES[status]))
    return {key: sorted(value) for key, value in found.items()}


def test_each_attempt_is_told_of_and_in_a_lawful_order(part: Part) -> None:
    told = of_attempts(part)
    assert len(told) == int(part.story.exists.sum())
    for statuses in told.values():
        ranks = [RANK[status] for _, status in statuses]
        assert ranks == sorted(set(ranks))


def test_nothing_is_said_before_it_is_asked_for(part: Part) -> None:
    for (session, attempt), statuses in of_attempts(part).items():
        assert statuses[0][0] > part.story.requested_us[session, attempt]


def test_a_receipt_is_sent_exactly_where_the_carrier_sends_one(part: Part) -> None:
    ended = {"delivered", "read", "completed", "undelivered", "no-answer", "busy", "failed", "canceled", "timeout"}
    for (session, attempt), statuses in of_attempts(part).items():
        has_receipt = bool(ended & {status for _, status in statuses})
        assert has_receipt == (part.story.told[session, attempt] != NONE)


def test_words_belong_to_their_channel(part: Part) -> None:
    calls = {"ringing", "in-progress", "answer", "completed", "no-answer", "busy", "failed", "canceled", "timeout"}
    messages = {"queued", "sent", "delivered", "read", "undelivered", "failed"}
    for (session, attempt), statuses in of_attempts(part).items():
        channel = part.story.channel[session, attempt]
        assert {status for _, status in statuses} <= (calls if channel == VOICE else messages)
        if CHANNELS[channel] == "sms":
            assert "read" not in {status for _, status in statuses}


def test_only_an_end_has_an_error_code(part: Part) -> None:
    ended = part.said.cell[part.said.cell < CELLS - 2] % STEPS == STEPS - 1
    code = part.said.code[part.said.cell < CELLS - 2]
    assert (code[~ended] == 0).all()
    status = part.said.status[part.said.cell < CELLS - 2]
    unsuccessful = ("undelivered", "failed", "busy", "no-answer", "canceled", "timeout")
    bad = np.isin(status, [STATUS[text] for text in unsuccessful])
    assert all(CODES[one] for one in code[bad])
    assert {CODES[one] for one in code[~bad]} == {"", "4000"}


def test_a_session_s_end_repeats_what_was_last_said_of_its_latest_attempt(part: Part) -> None:
    told = of_attempts(part)
    checked = 0
    said = part.said
    for i in np.nonzero((said.cell >= CELLS - 2) & (said.attempt != NO_ATTEMPT))[0].tolist():
        session, attempt, at_us = int(said.session[i]), int(said.attempt[i]), int(said.at_us[i])
        before = [status for moment, status in told[session, attempt] if moment <= at_us]
        assert STATUSES[said.status[i]] == (before[-1] if before else "")
        later = [k for k in range(5) if part.story.exists[session, k] and part.story.requested_us[session, k] <= at_us]
        assert max(later, key=lambda k: part.story.requested_us[session, k]) == attempt
        checked += 1
    assert checked > 800


def test_half_of_the_ends_name_no_attempt_and_say_nothing_of_one(part: Part) -> None:
    ends = part.said.cell >= CELLS - 2
    bare = ends & (part.said.attempt == NO_ATTEMPT)
    assert 0.4 < bare.sum() / ends.sum() < 0.6
    assert (part.said.status[bare] == STATUS[""]).all()
    assert not part.said.named[bare].any()


def test_the_session_is_told_to_be_verified_or_expired_only_when_it_is(part: Part) -> None:
    said, story = part.said, part.story
    verified, expired = (said.session_status == one for one in (VERIFIED, EXPIRED))
    assert (said.at_us[verified] >= story.verified_us[said.session[verified]]).all()
    assert (story.verified_us[said.session[verified]] >= 0).all()
    assert (story.verified_us[said.session[expired]] == -1).all()
    assert (said.at_us[expired] >= story.expires_us[said.session[expired]]).all()
    assert set(np.unique(said.session_status)) == {IN_PROGRESS, VERIFIED, EXPIRED}


def test_about_half_of_the_verified_are_told_and_a_little_more_of_the_expired(part: Part) -> None:
    verified = part.story.verified_us >= 0
    told = np.bincount(part.said.session, part.said.session_status != IN_PROGRESS, part.story.sessions) > 0
    assert told[verified].mean() == pytest.approx(0.5, abs=0.04)
    assert told[~verified].mean() == pytest.approx(0.6, abs=0.07)


def test_an_odd_status_hides_all_or_the_middle_of_an_attempt(make: Make) -> None:
    part = make(800, features=Features(odd_status=1.0)).chunk(0)[0]
    words = [{status for _, status in statuses} for statuses in of_attempts(part).values()]
    all_odd = sum(one == {"rerouted"} for one in words)
    assert 0.4 < all_odd / len(words) < 0.6
    assert all("rerouted" not in one for one in words if one != {"rerouted"})
