"""When a source spoke, on reports that one can count by hand: a session a minute, reported in the minute it began."""

import pytest

from verify_analytics.simulate.spells import Begun, Speech, speech

MINUTE = 60_000_000


def world(*parts: tuple[range, bool], reached: bool = True, late: int = 0) -> Speech:
    """Let a session begin in each minute of each part, reported at once or not; some of those are reported in the end.

    A part in which nothing is reported holds only sessions of which a code may have reached somebody, or none such.
    """
    begun = [(minute, told) for minutes, told in parts for minute in minutes]
    silent = [minute for minute, told in begun if not told]
    spared = set(silent[:late])
    end = max(minute for minute, _ in begun)
    sessions = [Begun(minute * MINUTE, reached or told, told or minute in spared) for minute, told in begun]
    reports = [minute * MINUTE + 7 for minute, told in begun if told] + [end * MINUTE + 8] * late
    return speech(sessions, reports)


def test_a_source_speaks_from_its_first_report_to_its_last() -> None:
    assert world((range(10, 20), True)) == Speech(10 * MINUTE + 7, 19 * MINUTE + 7)
    assert speech([Begun(0, reached=True, reported=False)], []) == Speech(None, None)


@pytest.mark.parametrize(
    ("until", "late", "reached", "silent"),
    [
        (90, 0, True, True),
        (89, 0, True, False),
        (90, 29, True, True),
        (90, 30, True, False),
        (90, 0, False, False),
    ],
)
def test_an_hour_without_reports_is_a_silence_if_reports_were_due(
    until: int, late: int, reached: bool, silent: bool
) -> None:
    found = world(
        (range(30), True), (range(30, until), False), (range(until, until + 30), True), reached=reached, late=late
    )
    assert found.silences == (((30 * MINUTE, until * MINUTE),) if silent else ())


def test_a_source_covers_what_waits_apart_from_its_silences() -> None:
    spoke = Speech(100, 900, ((300, 500),))
    assert [spoke.covers(*span) for span in [(99, 120), (100, 299), (100, 300), (299, 600)]] == [
        False,
        True,
        False,
        False,
    ]
    assert [spoke.covers(*span) for span in [(499, 510), (500, 910), (900, 990), (901, 990)]] == [
        False,
        True,
        True,
        False,
    ]
    assert not Speech(None, None).covers(1, 2)
