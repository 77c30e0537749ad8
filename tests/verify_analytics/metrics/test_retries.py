"""Retries are told by session: how far, how soon, on which channel, and what followed without being caused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.stats.proportion import proportion_confint

from tests.verify_analytics.metrics.rows import AS_OF_US, MINUTE, SECOND, START_US, counted, row, together
from verify_analytics import metrics, model, stats

Build = Callable[..., Any]


def session(
    name: str,
    *steps: tuple[str, float],
    app: float | None = None,
    callback: float | None = None,
    delivered: dict[int, float] | None = None,
    lowest: int = 1,
    **facts: Any,
) -> list[dict[str, Any]]:
    """Give the attempts of one session: each step a channel and its second; ends and receipts in seconds too."""
    start = facts.pop("start", START_US)

    def at(seconds: float | None) -> int | None:
        return None if seconds is None else start + round(seconds * SECOND)

    verified = min((end for end in (app, callback) if end is not None), default=float("inf"))
    rows = []
    for number, (channel, second) in enumerate(steps):
        sequence = lowest + number
        before = steps[number - 1] if number else None
        role = "unknown" if sequence > 1 else "first_choice"
        if before is not None:
            role = "after_verified" if second > verified else "resend" if before[0] == channel else "fallback"
        rows.append(
            {
                "session_id": name,
                "key": f"{name}-{sequence}",
                "attempt_id": f"{name}-{sequence}",
                "attempt_sequence": sequence,
                "channel": channel,
                "role": role,
                "previous_channel": before[0] if before else None,
                "seconds_since_previous": second - before[1] if before else None,
                "started_us": at(second),
                "delivered_us": at((delivered or {}).get(sequence)),
                "session_started_us": at(steps[0][1]),
                "last_started_us": at(steps[-1][1]),
                "first_channel": steps[0][0],
                "attempts_in_session": len(steps),
                "lowest_sequence": lowest,
                "session_verified_app_us": at(app),
                "session_verified_callback_us": at(callback),
                # Both sources report all the time.
                "app_first_us": START_US - MINUTE,
                "app_last_us": AS_OF_US,
                "callback_first_us": START_US - MINUTE,
                "callback_last_us": AS_OF_US,
                **facts,
            }
        )
    return rows


SIX = together(
    session("a", ("sms", 0), app=20),
    session("b", ("sms", 0), ("sms", 30), app=50, delivered={1: 40}),
    session("c", ("sms", 0), ("voice", 40), app=90),
    session("d", ("sms", 0), ("sms", 60), ("voice", 100)),
    session("e", ("sms", 0)),
    # The second attempt comes after the verification: a new need, in no figure here.
    session("f", ("sms", 0), ("sms", 300), app=10),
)


def test_six_sessions_give_the_figures_one_works_out_by_hand(attempts_of: Build, engine: Build) -> None:
    found = metrics.retries(engine(attempts_of(SIX)), source="app")
    assert {name: counted(found, name) for name in found["measure"].unique() if "second_attempt" not in name} == {
        "attempts_per_session": (10, 6),
        "reaches_attempt_2": (3, 6),
        "reaches_attempt_3": (1, 6),
        "gap_to_attempt_2_p50": (3, 3),
        "gap_to_attempt_2_p90": (3, 3),
        "gap_to_attempt_3_p50": (1, 1),
        "gap_to_attempt_3_p90": (1, 1),
        "resent_too_early": (1, 2),
        "fell_back_too_early": (0, 2),
        "verified_before_attempt_2": (2, 6),
        "verified_before_attempt_3": (2, 3),
        "verified_before_attempt_4": (0, 1),
        "rescue": (1, 2),
    }
    assert row(found, "attempts_per_session")["mean"] == pytest.approx(10 / 6, abs=1e-9)
    assert row(found, "gap_to_attempt_2_p50")["seconds"] == pytest.approx(40, abs=1e-9)
    assert row(found, "gap_to_attempt_3_p50")["seconds"] == pytest.approx(40, abs=1e-9)
    reaches = row(found, "reaches_attempt_2")
    assert [reaches["low"], reaches["high"]] == pytest.approx(proportion_confint(3, 6, method="wilson"), abs=1e-9)


def test_gaps_and_means_have_intervals(attempts_of: Build, engine: Build) -> None:
    """The same as scipy's, and as the curve of the gaps gives them; nobody knows how a single session differs."""
    given = together(*(session(f"{i}", ("sms", 0), ("sms", 10 + i), *[("voice", 99)] * (i % 2)) for i in range(40)))
    found = metrics.retries(engine(attempts_of(given)))
    mean = row(found, "attempts_per_session")
    spread = scipy.stats.sem([2, 3] * 20)
    low, high = scipy.stats.t.interval(0.95, 39, loc=2.5, scale=spread)
    assert [mean["mean"], mean["low"], mean["high"]] == pytest.approx([2.5, low, high], abs=1e-9)
    curve = stats.cumulative_incidence(range(10, 50), [1] * 40)
    for share, name in ((0.5, "p50"), (0.9, "p90")):
        gap = row(found, f"gap_to_attempt_2_{name}")
        expected = [np.atleast_1d(each)[0] for each in stats.quantile_intervals(curve, [share])]
        assert [gap["seconds"], gap["low"], gap["high"]] == pytest.approx(expected, abs=1e-9, nan_ok=True)
        assert gap["low"] < gap["seconds"]
    assert row(found, "gap_to_attempt_2_p50")["high"] > row(found, "gap_to_attempt_2_p50")["seconds"]
    alone = metrics.retries(engine(attempts_of(session("a", ("sms", 0)))))
    assert row(alone, "attempts_per_session")[["low", "high"]].isna().all()


def test_sessions_of_one_recipient_are_alike_on_request(attempts_of: Build, engine: Build) -> None:
    """Ten recipients of two sessions each: five always ask again and five never, so two tell as much as one."""
    given = together(
        *(
            session(f"{i}", ("sms", 0), *[("sms", 30)] * (i // 2 % 2), recipient_key=f"r{i // 2}", app=99)
            for i in range(20)
        )
    )
    frame = attempts_of(given)
    plain = row(metrics.retries(engine(frame)), "reaches_attempt_2")
    assert [plain["design_effect"], plain["interval"]] == [1.0, "cluster_wilson"]
    assert [plain["low"], plain["high"]] == pytest.approx(stats.wilson(10, 20), abs=1e-9)
    alike = metrics.retries(engine(frame), by="country", totals=True, cluster="recipient")
    for where in ("DE", "all"):
        reaches = row(alike, "reaches_attempt_2", country=where)
        assert reaches["design_effect"] == pytest.approx(2.0)
        assert [reaches["low"], reaches["high"]] == pytest.approx(stats.wilson(5, 10), abs=1e-9)
        assert counted(alike, "verified_before_attempt_3", country=where, source="app") == (10, 10)
    # Beside recipients with one session each, and sessions of which no recipient is known.
    more = together(*(session(f"x{i}", ("sms", 0), recipient_key=(None, f"x{i}")[i % 2]) for i in range(20)))
    mixed = row(metrics.retries(engine(attempts_of(given + more)), cluster="recipient"), "reaches_attempt_2")
    clusters = stats.clusters_of([2] * 5 + [0] * 5 + [0] * 20, [2] * 10 + [1] * 20)
    assert mixed["design_effect"] == pytest.approx(stats.cluster_wilson(clusters).design_effect[0])
    assert counted(alike, "attempts_per_session", country="all") == (30, 20)


def test_the_largest_blocks_are_kept_the_others_pooled_and_the_whole_beside_them(
    attempts_of: Build, engine: Build
) -> None:
    """The largest by sessions, also where others have more gaps."""
    given = together(
        *(session(f"a{i}", ("sms", 0), country="US", number_block="+1212555") for i in range(3)),
        session("b", ("sms", 0), ("sms", 30), ("sms", 50), country="US", number_block="+1646555"),
        session("c", ("sms", 0), ("voice", 40), country="US", number_block="+1718555"),
        session("d", ("sms", 0), number_block=None),
    )
    found = metrics.retries(engine(attempts_of(given)), by=["number_block", "local_hour"], top=1, totals=True)
    groups = found[["number_block", "local_hour", "pooled"]].drop_duplicates().to_numpy().tolist()
    assert groups == [["+1212555", 20, ""], ["others", 20, "others"], ["not known", 1, ""], ["all", pd.NA, "all"]]
    assert counted(found, "reaches_attempt_2", number_block="others") == (2, 2)
    assert counted(found, "gap_to_attempt_2_p50", number_block="others") == (2, 2)
    assert row(found, "gap_to_attempt_2_p50", number_block="others")["seconds"] == 35
    assert row(found, "gap_to_attempt_2_p50", number_block="+1212555")["n"] == 0
    assert counted(found, "reaches_attempt_2", number_block="all") == (2, 6)
    assert row(found, "gap_to_attempt_3_p50", number_block="all")["seconds"] == 20


def test_flows_say_from_which_channel_to_which_and_what_followed(attempts_of: Build, engine: Build) -> None:
    found = metrics.retries(engine(attempts_of(SIX)), source="app")
    assert counted(found, "second_attempt", from_channel="sms", to_channel="sms") == (2, 3)
    assert counted(found, "second_attempt", from_channel="sms", to_channel="voice") == (1, 3)
    assert counted(found, "second_attempt_then_verified", to_channel="sms") == (1, 2)
    assert counted(found, "second_attempt_then_verified", to_channel="voice") == (1, 1)


def test_the_frame_has_its_columns_in_order_and_in_their_types(attempts_of: Build, engine: Build) -> None:
    found = metrics.retries(engine(attempts_of(SIX)), by=["first_channel", "day"])
    assert dict(found.dtypes.astype(str)) == {
        "first_channel": "str",
        "day": "datetime64[us, UTC]",
        **dict.fromkeys(["source", "from_channel", "to_channel", "measure"], "str"),
        **dict.fromkeys(["count", "n"], "int64"),
        **dict.fromkeys(["rate", "mean", "seconds", "low", "high"], "float64"),
        "interval": "str",
        "design_effect": "float64",
        **dict.fromkeys(["immature", "unobserved", "unknown", "not_observable", "incomplete"], "int64"),
        "as_of": "datetime64[us, UTC]",
        "patience_seconds": "float64",
        "window_seconds": "float64",
        "small": "bool",
        **dict.fromkeys(["shrunk", "shrunk_low", "shrunk_high"], "float64"),
        "pooled": "str",
    }
    assert found["source"].unique().tolist() == ["", "app", "callback"]
    assert set(found["interval"]) == {"cluster_wilson", "t", "log_log"}
    assert set(found["window_seconds"]) == {600.0}
    assert (
        found[[name == "attempts_per_session" or name.startswith("gap") for name in found["measure"]]]["rate"]
        .isna()
        .all()
    )


def test_each_source_speaks_for_itself_and_a_silent_one_is_not_zero(attempts_of: Build, engine: Build) -> None:
    silent: dict[str, Any] = {"callback_first_us": None, "callback_last_us": None}
    given = together(session("a", ("sms", 0), app=20, **silent), session("b", ("sms", 0), ("voice", 9), **silent))
    found = metrics.retries(engine(attempts_of(given)))
    assert counted(found, "verified_before_attempt_2", source="app") == (1, 2)
    heard = row(found, "verified_before_attempt_2", source="callback")
    assert (heard["n"], heard["not_observable"]) == (0, 2)
    assert pd.isna(heard["rate"])
    assert counted(found, "second_attempt_then_verified", source="app") == (0, 1)
    assert counted(found, "second_attempt_then_verified", source="callback") == (0, 0)
    assert counted(found, "reaches_attempt_2") == (1, 2)


def test_verified_after_the_window_does_not_count(attempts_of: Build, engine: Build) -> None:
    given = together(session("a", ("sms", 0), app=600), session("b", ("sms", 0), app=601))
    assert counted(metrics.retries(engine(attempts_of(given)), source="app"), "verified_before_attempt_2") == (1, 2)
    longer = metrics.retries(engine(attempts_of(given)), source="app", window="11min")
    assert counted(longer, "verified_before_attempt_2") == (2, 2)
    assert set(longer["window_seconds"]) == {660.0}


def test_young_unobserved_and_attemptless_sessions_are_counted_beside(attempts_of: Build, engine: Build) -> None:
    young = AS_OF_US - 25 * MINUTE + 1
    given = together(
        session("a", ("sms", 0)),
        session("young", ("sms", 0), ("sms", 5), start=young),
        session("just old enough", ("sms", 0), start=young - 1),
        session("not watched", ("sms", 0), observed_until_us=START_US + MINUTE),
        session("only said", ("sms", 0), is_attempt=False, attempt_id=None, role=None, attempts_in_session=0),
    )
    found = metrics.retries(engine(attempts_of(given)))
    reaches = row(found, "reaches_attempt_2")
    assert (reaches["n"], reaches["immature"], reaches["unobserved"], reaches["unknown"]) == (2, 1, 1, 1)


def test_sessions_with_a_missing_attempt_are_in_no_gap_and_counted(attempts_of: Build, engine: Build) -> None:
    given = together(
        session("whole", ("sms", 0), ("sms", 30)),
        session("late", ("sms", 0), ("sms", 70), lowest=2),
        session("late and young", ("sms", 0), lowest=2, start=AS_OF_US - MINUTE),
    )
    found = metrics.retries(engine(attempts_of(given)))
    assert set(found["incomplete"]) == {1}
    gap = row(found, "gap_to_attempt_2_p50")
    assert (gap["n"], gap["seconds"]) == (1, 30)
    assert row(found, "gap_to_attempt_3_p50")["n"] == 0
    # By its sequence the second session made a third attempt, although its first was never seen.
    assert counted(found, "reaches_attempt_3") == (1, 2)
    assert counted(found, "attempts_per_session") == (4, 2)


def test_attempts_without_a_number_count_as_many_as_were_seen(attempts_of: Build, engine: Build) -> None:
    rows = session("a", ("sms", 0), ("sms", 30), ("voice", 50), delivered={1: 55, 2: 58})
    nameless = [{**row, "attempt_sequence": None, "role": "unknown", "previous_channel": None} for row in rows]
    found = metrics.retries(engine(attempts_of(nameless)))
    assert counted(found, "reaches_attempt_3") == (1, 1)
    assert counted(found, "resent_too_early") == (0, 0)
    assert set(found["incomplete"]) == {1}


def test_a_gap_below_zero_is_a_clock_and_no_gap(attempts_of: Build, engine: Build) -> None:
    given = together(session("a", ("sms", 0), ("sms", 30)), session("b", ("sms", 0), ("sms", -5)))
    assert row(metrics.retries(engine(attempts_of(given))), "gap_to_attempt_2_p50")["n"] == 1


def test_too_early_asks_the_attempt_before_and_no_other(attempts_of: Build, engine: Build) -> None:
    given = together(
        session("resent in time", ("sms", 0), ("sms", 30), delivered={1: 29}),
        session("resent at the moment", ("sms", 0), ("sms", 30), delivered={1: 30}),
        session("resent too early", ("sms", 0), ("sms", 30), delivered={1: 31}),
        session("fell back too early", ("sms", 0), ("voice", 30), delivered={1: 31, 2: 35}),
        session("never delivered", ("sms", 0), ("sms", 30), ("voice", 60)),
        # The first was delivered after the third had started, but the third followed the second.
        session("not its neighbour", ("sms", 0), ("voice", 30), ("voice", 60), delivered={1: 25, 2: 40}),
    )
    found = metrics.retries(engine(attempts_of(given)))
    assert counted(found, "resent_too_early") == (1, 5)
    assert counted(found, "fell_back_too_early") == (1, 3)


def test_rescue_is_about_sessions_that_fell_back_unverified(attempts_of: Build, engine: Build) -> None:
    given = together(
        session("rescued", ("sms", 0), ("voice", 60), app=80),
        session("lost", ("sms", 0), ("voice", 60)),
        session("resent", ("sms", 0), ("sms", 60), app=80),
        session("already verified", ("sms", 0), ("voice", 60), app=50),
    )
    assert counted(metrics.retries(engine(attempts_of(given)), source="app"), "rescue") == (1, 2)


def test_from_the_fifth_attempt_on_they_are_not_told_apart(attempts_of: Build, engine: Build) -> None:
    steps = [("sms", 30.0 * number) for number in range(7)]
    found = metrics.retries(engine(attempts_of(session("a", *steps, app=500))), source="app")
    assert counted(found, "reaches_attempt_5") == (1, 1)
    assert counted(found, "verified_before_attempt_5") == (0, 1)
    assert not set(found["measure"]) & {"reaches_attempt_6", "verified_before_attempt_6", "gap_to_attempt_6_p50"}
    assert row(found, "attempts_per_session")["mean"] == 7


def test_split_by_what_was_known_at_the_start_groups_stay_together(attempts_of: Build, engine: Build) -> None:
    given = together(
        session("a", ("sms", 0), ("voice", 30), country="FR"),
        session("b", ("voice", 0), country=None),
        session("c", ("sms", 0), country="DE"),
        session("d", (None, 0), country="DE"),  # type: ignore[arg-type]
    )
    found = metrics.retries(engine(attempts_of(given)), by=["country", "first_channel"], source="app")
    groups = found[["country", "first_channel"]].drop_duplicates().to_numpy().tolist()
    assert groups == [["DE", "sms"], ["DE", "not known"], ["FR", "sms"], ["not known", "voice"]]
    assert counted(found, "reaches_attempt_2", country="FR") == (1, 1)
    assert row(found, "gap_to_attempt_2_p50", country="FR")["seconds"] == 30
    none = row(found, "gap_to_attempt_2_p50", country="not known")
    assert none["n"] == 0
    assert pd.isna(none["seconds"])
    # A flow is shown where it was seen.
    assert found[found["measure"] == "second_attempt"]["country"].tolist() == ["FR"]


def test_all_engines_agree(attempts_of: Build, engine: Build) -> None:
    given = attempts_of(
        together(
            *(
                session(
                    f"{i}",
                    ("sms", 0),
                    (("sms", "voice")[i % 2], 20 + i / 7),
                    country=(None, "DE", "FR")[i % 3],
                    app=(None, 60)[i % 2],
                    delivered={1: 22},
                )
                for i in range(30)
            )
        )
    )
    expected = metrics.retries(given, by=["country", "hour"])
    pd.testing.assert_frame_equal(metrics.retries(engine(given), by=["country", "hour"]), expected, rtol=0, atol=1e-9)


def test_the_sessions_counted_are_those_of_the_model(attempts_of: Build, engine: Build) -> None:
    given = engine(attempts_of(SIX))
    speed = metrics.time_to_verify(model.sessions(given), source="app")
    found = metrics.retries(given, source="app")
    assert row(found, "verified_before_attempt_2")["n"] == speed["n"].iloc[0]
