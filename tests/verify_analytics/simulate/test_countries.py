"""Every made-up number belongs to the country it stands for, and its codes exist."""

import csv
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import phonenumbers
import pytest

from verify_analytics.simulate import countries, networks, words
from verify_analytics.simulate.countries import PLACES


def region(number: str) -> str | None:
    parsed = phonenumbers.parse(f"+{number}")
    return phonenumbers.region_code_for_number(parsed) if phonenumbers.is_valid_number(parsed) else None


@pytest.mark.parametrize("index", range(len(PLACES)), ids=[place.zone for place in PLACES])
def test_each_number_is_valid_in_its_country(index: int) -> None:
    draw = np.concatenate([np.linspace(0, 1, 400, endpoint=False), [0.9999999999]])
    made = countries.numbers(np.full(len(draw), index), draw)
    assert {region(number) for number in made} == {PLACES[index].country}
    assert {len(number) for number in made} == {PLACES[index].digits}


@pytest.mark.parametrize("index", range(len(PLACES)), ids=[place.zone for place in PLACES])
def test_every_prefix_is_used(index: int) -> None:
    place = PLACES[index]
    draw = (np.arange(len(place.prefixes)) + 0.5) / len(place.prefixes)
    made = countries.numbers(np.full(len(draw), index), draw)
    assert [number.startswith(prefix) for number, prefix in zip(made, place.prefixes, strict=True)] == [True] * len(
        draw
    )


def test_north_american_numbers_are_those_kept_for_fiction() -> None:
    for place in PLACES:
        if place.country in {"US", "CA"}:
            assert all(prefix[4:] == "55501" and len(prefix) == 9 for prefix in place.prefixes)


@pytest.mark.parametrize("base", [0.0, 0.5, 0.999999])
def test_the_numbers_of_bots_are_neighbours_and_valid(base: float) -> None:
    for index, place in enumerate(PLACES):
        if place.receipts:
            made = countries.neighbours(index, base, 60)
            assert {region(number) for number in made} == {place.country}
            assert np.diff([int(number) for number in made]).tolist() == [7] * 59


def test_the_united_states_and_canada_send_no_receipts_and_the_others_do() -> None:
    assert {place.country for place in PLACES if not place.receipts} == {"US", "CA"}
    assert {"US", "CA"} & {place.country for place in PLACES if place.receipts} == set()


def test_every_place_has_a_time_zone_and_sound_shares() -> None:
    for place in PLACES:
        ZoneInfo(place.zone)
        shares = (
            place.failed, place.undelivered, place.unreachable, place.slow, place.answered, place.voice_first,
            place.fallback, place.eager, place.engaged,
        )  # fmt: skip
        assert all(0 <= share <= 1 for share in shares)
        assert place.share > 0


def test_every_code_but_the_odd_ones_is_in_the_catalogue(root: Path) -> None:
    with (root / "verify_analytics" / "metrics" / "error_codes.csv").open(newline="") as file:
        known = {(row["channel"], row["code"]) for row in csv.DictReader(file)}
    of_messages = {*countries.SMS_UNDELIVERED, *countries.SMS_UNREACHABLE, *countries.SMS_FAILED, networks.SHIELD}
    of_calls = {code for _, code in (*countries.VOICE_UNDELIVERED, *countries.VOICE_FAILED)} | {networks.NORMAL_HANGUP}
    assert {("sms", code) for code in of_messages} | {("voice", code) for code in of_calls} <= known
    assert not {code for _, code in known} & set(words.ODD_CODES)


def test_a_country_s_habit_makes_its_codes_more_frequent() -> None:
    codes, cumulative = countries.share_of_codes("undelivered")
    share = np.diff(cumulative, axis=1, prepend=0)[:, codes.index("30")]
    india = next(i for i, place in enumerate(PLACES) if place.country == "IN")
    britain = next(i for i, place in enumerate(PLACES) if place.country == "GB")
    assert share[india] > 1.5 * share[britain]
    assert cumulative[:, -1].tolist() == [1.0] * len(PLACES)
