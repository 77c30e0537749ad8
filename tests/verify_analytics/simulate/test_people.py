"""What people do makes sense: nobody verifies without a code, and only who waits asks again."""

from collections.abc import Callable

import numpy as np
import pytest

from verify_analytics.simulate import Features, History
from verify_analytics.simulate.countries import PLACES
from verify_analytics.simulate.networks import CODE
from verify_analytics.simulate.people import ASKS, ATTEMPTS, Story
from verify_analytics.simulate.words import DELIVERED, FAILED, NONE, ODD_CODES, SMS, UNDELIVERED, VOICE

Make = Callable[..., History]


@pytest.fixture(scope="module")
def story(make: Make) -> Story:
    return make(6000, features=Features(reuse=0.2)).chunk(0)[0].story


def test_a_session_has_a_first_attempt_and_no_gap_in_those_that_follow(story: Story) -> None:
    asked = story.exists[:, :ASKS]
    assert asked[:, 0].all()
    assert (asked[:, 1:] <= asked[:, :-1]).all()


def test_attempts_follow_each_other_in_time(story: Story) -> None:
    for k in range(1, ASKS):
        rows = story.exists[:, k]
        assert (story.requested_us[rows, k] > story.requested_us[rows, k - 1] + 18_000_000).all()


def test_nobody_asks_again_after_verifying_but_for_a_new_need(story: Story) -> None:
    verified = story.verified_us >= 0
    again = story.exists[:, 1:ASKS] & verified[:, None]
    assert (story.requested_us[:, 1:ASKS] < story.verified_us[:, None])[again].all()
    reused = story.exists[:, ATTEMPTS - 1]
    assert reused.sum() > 500
    assert (story.requested_us[reused, ATTEMPTS - 1] > story.verified_us[reused]).all()
    assert (story.requested_us[reused, ATTEMPTS - 1] < story.expires_us[reused]).all()


def test_nobody_verifies_without_a_delivered_code_or_after_it_expired(story: Story) -> None:
    rows = np.nonzero(story.verified_us >= 0)[0]
    delivered = np.where(story.delivered_us >= 0, story.delivered_us, np.iinfo(np.int64).max)[rows, :ASKS].min(axis=1)
    assert (story.verified_us[rows] >= delivered + 3_000_000).all()
    assert (story.verified_us[rows] < story.expires_us[rows]).all()
    assert 0.75 < len(rows) / story.sessions < 0.95


def test_only_what_arrived_has_a_moment_of_delivery(story: Story) -> None:
    assert ((story.delivered_us >= 0) == (story.exists & (story.fate == DELIVERED))).all()
    assert (story.accepted_us[story.fate == FAILED] == -1).all()


def test_carriers_without_receipts_tell_nothing_but_failures_and_calls(story: Story) -> None:
    silent = np.array([not place.receipts for place in PLACES])[story.start.place]
    told = story.told[silent][story.exists[silent]]
    channel, fate = (array[silent][story.exists[silent]] for array in (story.channel, story.fate))
    assert (told[(channel != VOICE) & (fate != FAILED)] == NONE).all()
    assert (told[(channel == VOICE) | (fate == FAILED)] != NONE).all()
    talking = story.told[~silent][story.exists[~silent]]
    assert (talking == NONE).mean() < 0.02


def test_a_receipt_rarely_lies(story: Story) -> None:
    told = story.exists & (story.told != NONE)
    lies = (story.told != story.fate)[told].mean()
    assert 0.001 < lies < 0.008
    assert set(np.unique(story.told[told & (story.told != story.fate)])) <= {DELIVERED, UNDELIVERED}


def test_a_code_that_nobody_listed_is_rare_and_only_where_something_went_wrong(make: Make) -> None:
    def odd(made: Story) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return made.exists & np.isin(made.code, [CODE[code] for code in ODD_CODES])

    assert not odd(make(2000, features=Features.quiet()).chunk(0)[0].story).any()
    often = make(4000, features=Features.quiet(odd_code=0.2)).chunk(0)[0].story
    bad = often.exists & np.isin(often.fate, [UNDELIVERED, FAILED])
    assert (odd(often) <= bad).all()
    assert odd(often).sum() / bad.sum() == pytest.approx(0.2, abs=0.05)


def test_voice_mostly_follows_a_message(story: Story) -> None:
    first, later = story.channel[:, 0], story.channel[:, 1][story.exists[:, 1]]
    assert 0.01 < (first == VOICE).mean() < 0.08
    assert 0.2 < (later == VOICE).mean() < 0.6


@pytest.mark.parametrize(
    ("features", "what"),
    [
        (Features(resends=False, reuse=0), lambda s: s.exists[:, 1:].any()),
        (Features(fallback=False), lambda s: (s.channel[:, 0] != s.channel[:, 1])[s.exists[:, 1]].any()),
        (Features(voice_first=False), lambda s: (s.channel[:, 0] == VOICE).any()),
    ],
    ids=["resends", "fallback", "voice_first"],
)
def test_what_is_switched_off_does_not_happen(features: Features, what: Callable[[Story], bool], make: Make) -> None:
    quiet = Features(**{**vars(features), "odd_channel": 0})
    assert not what(make(800, features=quiet).chunk(0)[0].story)


def test_codes_reach_people_faster_in_some_countries_than_in_others(story: Story) -> None:
    seconds = (story.delivered_us[:, 0] - story.requested_us[:, 0]) / 1e6
    sent = (story.fate[:, 0] == DELIVERED) & (story.channel[:, 0] == SMS)
    country = np.array([place.country for place in PLACES])[story.start.place]
    median = {one: float(np.median(seconds[sent & (country == one)])) for one in ("GB", "NG")}
    assert median["GB"] < 5 < median["NG"] < 20


def test_bots_never_verify_and_mostly_meet_the_shield(make: Make) -> None:
    (_, bots) = make(4000, features=Features(bots=0.1)).chunk(0)
    assert (bots.story.verified_us == -1).all()
    assert 0.6 < (bots.story.fate[:, 0] == FAILED).mean() < 0.85


def test_returning_recipients_stay_away_for_an_hour(make: Make) -> None:
    start = make(2000, days=28, features=Features(returning=0.5, bots=0)).chunk(0)[0].story.start
    last: dict[str, int] = {}
    gaps = []
    for number, us in zip(start.recipient, start.start_us.tolist(), strict=True):
        if number in last:
            gaps.append(us - last[number])
        last[number] = us
    assert len(gaps) > 600
    # Numbers kept for fiction are few: some strangers share one.
    assert sum(gap < 3_600_000_000 for gap in gaps) <= 2
