"""Of which attempts the whole story arrived, and what is missing of the others."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from verify_analytics import load, metrics, model, simulate
from verify_analytics.errors import ArgumentError, SchemaError
from verify_analytics.simulate import Features

END = datetime(2026, 10, 29, tzinfo=UTC)
REASONS = ["lacks_previous_attempt", "lacks_acceptance", "lacks_end", "lacks_several"]


def counted(frame: pd.DataFrame) -> dict[str, tuple[int, int]]:
    return dict(zip(frame["measure"], zip(frame["count"].tolist(), frame["n"].tolist(), strict=True), strict=True))


CASES: list[tuple[str | None, list[str], str | None]] = [
    ("sms", ["queued", "sent", "delivered"], None),
    ("sms", ["sent", "undelivered"], None),
    ("sms", ["sent"], None),
    ("sms", ["failed"], None),
    ("sms", ["delivered"], "lacks_acceptance"),
    ("sms", ["queued", "undelivered"], "lacks_acceptance"),
    ("sms", ["queued"], "lacks_end"),
    ("whatsapp", ["sent", "read"], None),
    ("whatsapp", ["read"], "lacks_acceptance"),
    ("voice", ["ringing", "in-progress", "completed"], None),
    ("voice", ["answer", "completed"], None),
    ("voice", ["ringing", "completed"], "lacks_acceptance"),
    ("voice", ["ringing", "no-answer"], None),
    ("voice", ["busy"], None),
    ("voice", ["timeout"], None),
    ("voice", ["ringing", "in-progress"], "lacks_end"),
    ("voice", ["ringing"], "lacks_end"),
    (None, ["delivered"], "lacks_acceptance"),
]


def test_what_must_have_been_said_follows_from_what_was(quick: Any, callback: Any, after: Any) -> None:
    """The table of the docstring; each case is an attempt in a country of its own."""
    rows = [
        callback(at, status, channel=channel, session_id=f"s{n}", attempt_id=f"a{n}", country=f"C{n:02}")
        for n, (channel, statuses, _) in enumerate(CASES)
        for at, status in enumerate(statuses)
    ]
    found = metrics.completeness(model.attempts(quick.callbacks(rows), as_of=after(3600)), by="country")
    for n, (_, _, lacks) in enumerate(CASES):
        of_one = counted(found[found["country"] == f"C{n:02}"])
        assert of_one["whole"] == (int(lacks is None), 1), CASES[n]
        assert [name for name in REASONS if of_one[name][0]] == ([lacks] if lacks else []), CASES[n]


def test_an_attempt_lacks_the_one_before_it_that_nobody_heard_of(
    everywhere: Any, quick: Any, callback: Any, after: Any
) -> None:
    rows = [
        callback(1, "sent", session_id="whole", attempt_id="a1"),
        callback(9, "sent", session_id="whole", attempt_id="a2", attempt_sequence=2, requested_at=9),
        callback(1, "sent", session_id="late", attempt_id="b2", attempt_sequence=2),
        callback(1, "delivered", session_id="hole", attempt_id="c3", attempt_sequence=3),
        callback(1, "sent", session_id="bare", attempt_id="d", attempt_sequence=None),
        callback(1, None, session_id="bare", attempt_id=None, attempt_sequence=None),
    ]
    attempts = model.attempts(quick.callbacks(rows), as_of=after(3600))
    found = metrics.completeness(everywhere.of(attempts.to_arrow()))
    assert counted(found) == {
        "whole": (3, 5),
        "lacks_previous_attempt": (2, 5),
        "lacks_acceptance": (1, 5),
        "lacks_end": (0, 5),
        "lacks_several": (1, 5),
        "without_queued": (5, 5),
    }


def test_attempts_that_carry_one_number_do_not_lack_each_other(quick: Any, callback: Any, after: Any) -> None:
    """Both are number 2, and number 1 and 3 were seen: which came before which is not known, and nothing is missing."""
    rows = [
        callback(number * 10, "sent", attempt_id=name, attempt_sequence=number, requested_at=number * 10 + at)
        for at, (name, number) in enumerate([("a", 1), ("b", 2), ("c", 2), ("d", 3)])
    ]
    found = counted(metrics.completeness(model.attempts(quick.callbacks(rows), as_of=after(3600))))
    assert found["whole"] == (4, 4)


def test_the_reasons_add_up_and_so_do_those_left_out(attempts_of: Any, engine: Any) -> None:
    lonely = {"attempt_sequence": 2, "lowest_sequence": 2, "seconds_since_previous": None}
    at = 1_793_145_600_000_000
    rows = [
        {"accepted_us": at, "delivered_us": at},
        {"delivered_us": at},
        {"delivered_us": at, **lonely},
        {"queued_us": at, "outcome": "silent", **lonely},
        {"mature": False, "outcome": "pending"},
        {"outcome": "unobserved"},
        {"outcome": "unknown", "has_unknown_status": True},
        {"delivered_us": at, "has_unknown_status": True},
        {"is_attempt": False, "outcome": None},
    ]
    found = metrics.completeness(engine(attempts_of(rows)))
    assert counted(found) == {
        "whole": (1, 4),
        "lacks_previous_attempt": (2, 4),
        "lacks_acceptance": (2, 4),
        "lacks_end": (1, 4),
        "lacks_several": (2, 4),
        "without_queued": (3, 4),
    }
    left_out = found[["immature", "unobserved", "unknown"]].drop_duplicates()
    assert left_out.values.tolist() == [[1, 1, 2]]


def test_a_country_whose_callbacks_get_lost_is_seen(attempts_of: Any) -> None:
    at = 1_793_145_600_000_000
    rows = [{"accepted_us": at, "delivered_us": at, "country": "DE"}] * 3
    rows += [{"delivered_us": at, "country": "FR"}, {"accepted_us": at, "delivered_us": at, "country": "FR"}]
    found = metrics.completeness(attempts_of(rows), by="country", totals=True)
    whole = found[found["measure"] == "whole"]
    assert whole[["country", "count", "n"]].values.tolist() == [["DE", 3, 3], ["FR", 1, 2], ["all", 4, 5]]
    assert (whole["low"] < whole["rate"]).all()


def test_a_filtered_frame_is_judged_alike(quick: Any, callback: Any, after: Any) -> None:
    """The call followed a message, which a filter by channel takes away."""
    rows = [
        callback(1, "sent"),
        *(
            callback(at, status, attempt_id="a2", attempt_sequence=2, channel="voice", requested_at=60)
            for at, status in [(61, "in-progress"), (62, "completed")]
        ),
    ]
    attempts = model.attempts(quick.callbacks(rows), as_of=after(3600))
    assert counted(metrics.completeness(attempts.filter(attempts["channel"] == "voice")))["whole"] == (1, 1)


@pytest.mark.parametrize("rows", [[], [{"is_attempt": False}], [{"mature": False}]])
def test_nothing_to_judge_is_no_rate(attempts_of: Any, rows: list[dict[str, Any]]) -> None:
    found = metrics.completeness(attempts_of(rows))
    assert len(found) == 6
    assert (found["n"] == 0).all()
    assert found["rate"].isna().all()


def test_it_says_what_is_wrong_with_what_it_was_given(attempts_of: Any) -> None:
    with pytest.raises(SchemaError, match=r"metrics\.completeness needs the column accepted_us"):
        metrics.completeness(attempts_of([{}]).drop(columns="accepted_us"))
    with pytest.raises(ArgumentError, match="attempts cannot be split by 'contry'"):
        metrics.completeness(attempts_of([{}]), by="contry")
    with pytest.raises(ArgumentError, match=r"takes the frame that model\.attempts gives"):
        metrics.completeness(7)  # type: ignore[arg-type]


def attempts_in(world: Any) -> Any:
    frames = world.frames()
    return model.attempts(load.callbacks(frames["callbacks"]), as_of=END, pulse=load.pulse(frames["pulse"]))


def test_where_nothing_is_lost_every_story_is_whole() -> None:
    """Carriers that send no receipts, or forget some, leave no hole."""
    features = Features.quiet(no_receipts=True, missing_receipts=0.1, redelivered=0.05, disorder=0.05)
    found = counted(
        metrics.completeness(attempts_in(simulate.history(400, seed=3, end=END, days=7, features=features)))
    )
    assert found["whole"][0] == found["whole"][1] > 400


def test_what_is_missing_is_what_the_simulator_lost() -> None:
    """Each attempt's callbacks are gone through by hand, and judged by the table of the docstring."""
    world = simulate.history(500, seed=7, end=END, days=7, features=Features.quiet(lost=0.25, no_receipts=True))
    expected = dict.fromkeys(["whole", *REASONS], 0)
    judged = 0
    for part in (part for chunk in world.chunks() for part in chunk):
        arrived: dict[tuple[int, int], set[int]] = {}
        for row in np.unique(part.arrivals.callback).tolist():
            about = (int(part.said.session[row]), int(part.said.attempt[row]))
            arrived.setdefault(about, set()).add(int(part.said.cell[row]) % 4)
        for (session, attempt), steps in arrived.items():
            story = part.story
            if story.requested_us[session, attempt] > world.end_us - 900_000_000:
                continue
            judged += 1
            receipt = story.told[session, attempt]  # 1 delivered, 2 undelivered, 3 failed
            call = story.channel[session, attempt] == 1
            accepted, ended = 2 in steps, 3 in steps
            number = int(story.sequence[session, attempt])
            before = [k for k in range(story.exists.shape[1]) if story.exists[session, k]]
            previous = number > 1 and not any(
                (session, k) in arrived and int(story.sequence[session, k]) == number - 1 for k in before
            )
            lacks_acceptance = ended and not accepted and (receipt == 1 or (receipt == 2 and not call))
            lacks_end = not ended and (call or not accepted)
            expected["whole"] += not (previous or lacks_acceptance or lacks_end)
            expected["lacks_previous_attempt"] += previous
            expected["lacks_acceptance"] += lacks_acceptance
            expected["lacks_end"] += lacks_end
            expected["lacks_several"] += previous and (lacks_acceptance or lacks_end)
    found = counted(metrics.completeness(attempts_in(world)))
    assert min(expected.values()) > 0
    assert {name: found[name] for name in expected} == {name: (count, judged) for name, count in expected.items()}
