"""The judge is judged: its verdicts on estimates made by hand, its truths, and histories side by side."""

import numpy as np
import pandas as pd
import pytest

from bench import _judging, _worlds
from bench._estimators import ESTIMATORS, Estimates, estimate
from bench._judging import Truths, Verdict, verdict_of
from bench._reasons import NOT_FOUND, REASONS, reason
from bench._truths import CHUNK, FIRST_SEED, truth_of
from bench._worlds import DAYS, END, WORLDS, World, batch
from bench.coverage import line
from verify_analytics import load, metrics, model
from verify_analytics.simulate import Features, history

QUIET = WORLDS[0]


def estimates(rows: list[tuple[int, str, float, float, float]]) -> Estimates:
    names, groups, *numbers = zip(*rows, strict=True)
    return Estimates(np.array(names), np.array(groups, dtype=object), *(np.array(each, float) for each in numbers))


def test_bias_and_coverage_of_four_histories_by_hand() -> None:
    """Truth 0.5: one interval lies below it, one above, two hold it, one of them at its very end."""
    rows = [(0, "", 0.3, 0.2, 0.4), (1, "", 0.5, 0.4, 0.6), (2, "", 0.6, 0.5, 0.7), (3, "", 0.8, 0.7, 0.9)]
    found = verdict_of(estimates(rows), 0.5, of_truth=0)
    assert (found.true, found.mean, found.bias) == pytest.approx((0.5, 0.55, 0.05))
    assert (found.coverage, found.below, found.above) == (0.5, 0.25, 0.25)
    assert found.width == pytest.approx(0.2)
    assert found.spread == pytest.approx(np.sqrt((0.04 + 0 + 0.01 + 0.09) / 4))
    assert found.bias_error == pytest.approx(np.std([0.3, 0.5, 0.6, 0.8]) / 2)
    assert found.coverage_error == pytest.approx(0.25)


def test_a_history_without_an_interval_is_counted_beside_and_covers_nothing() -> None:
    nothing = float("nan")
    rows = [(0, "", 0.5, 0.4, 0.6), (1, "", 0.5, nothing, nothing), (2, "", nothing, nothing, nothing)]
    found = verdict_of(estimates(rows), 0.5, of_truth=0)
    assert (found.coverage, found.none) == pytest.approx((1, 2 / 3))
    empty = verdict_of(estimates(rows[2:]), 0.5, of_truth=0)
    assert np.isnan([empty.coverage, empty.bias, empty.mean]).all()
    assert not empty.is_off


def test_each_group_has_a_truth_of_its_own_and_groups_of_one_history_are_one_cluster_of_the_error() -> None:
    rows = [(0, "DE", 0.9, 0.8, 1.0), (0, "IN", 0.6, 0.5, 0.7), (1, "DE", 0.7, 0.6, 0.8), (1, "IN", 0.4, 0.3, 0.5)]
    found = verdict_of(estimates(rows), {"DE": 0.8, "IN": 0.5}, of_truth=0)
    assert (found.bias, found.coverage) == pytest.approx((0, 1))
    # Both groups of a history err by the same 0.1: two things were seen and not four.
    assert found.bias_error == pytest.approx(0.1 / np.sqrt(2))


def test_the_chance_in_the_truth_is_in_the_error_of_the_bias() -> None:
    rows = [(i, "", 0.4 + 0.2 * (i % 2), 0.0, 1.0) for i in range(100)]
    assert verdict_of(estimates(rows), 0.5, of_truth=0).bias_error == pytest.approx(0.01)
    assert verdict_of(estimates(rows), 0.5, of_truth=0.01).bias_error == pytest.approx(0.01 * np.sqrt(2))


def judged(half_width: float) -> Verdict:
    """Judge intervals of a normal mean, drawn with a known spread of 1."""
    value = np.random.default_rng(1).standard_normal(1_000)
    some = Estimates(np.arange(1_000), np.full(1_000, "", dtype=object), value, value - half_width, value + half_width)
    return verdict_of(some, 0.0, of_truth=0)


def test_an_interval_that_keeps_its_promise_is_not_marked_and_one_too_narrow_or_too_wide_is() -> None:
    assert not judged(1.96).is_off
    assert judged(1.6).is_off
    assert judged(3.0).is_off
    assert line("too narrow", judged(1.6)).endswith(" !")
    assert not line("right", judged(1.96)).endswith("!")


def test_what_never_misses_still_has_an_error() -> None:
    assert judged(9.0).coverage == 1
    assert judged(9.0).coverage_error == pytest.approx(np.sqrt(0.95 * 0.05 / 1_000))


def test_a_truth_agrees_with_the_simulators_own() -> None:
    """The usual world, with everything in it: bots, lies, other channels, carriers that say nothing."""
    world = World("some", "", (0, 0), Features())
    found = truth_of(world, 1_000)
    told = history(1_000, seed=FIRST_SEED, end=END, days=DAYS, features=world.features, chunk_sessions=CHUNK).truth()
    assert len(found.sessions) == told["session_id"].nunique()
    # The simulator leaves out what was asked for after the end.
    assert 0 <= len(found.attempts) - len(told) <= 5
    same = found.attempts.groupby(["channel", "role", "country"]).size()
    others = told.groupby(["true_channel", "true_role", "true_country"]).size()
    assert same.sub(others, fill_value=0).abs().sum() <= 5
    receipts = told["true_receipt"].fillna("none").value_counts()
    assert found.attempts["receipt"].value_counts().sub(receipts, fill_value=0).abs().sum() <= 5
    first = told.sort_values("true_sequence").groupby("session_id")
    seconds = (first["true_verified_at"].first() - first["true_requested_at"].first()).dt.total_seconds().dropna()
    assert sorted(found.sessions["seconds"].dropna()) == pytest.approx(sorted(seconds), abs=1e-6)
    assert found.sessions["fell_back"].sum() == told[told["true_role"] == "fallback"]["session_id"].nunique()
    assert found.sessions["resent"].sum() == told[told["true_role"] == "resend"]["session_id"].nunique()
    wanted = told[told["true_role"] != "after_verified"].groupby("session_id").size()
    assert found.sessions["attempts"].sum() == pytest.approx(wanted.sum(), abs=5)
    codes = found.attempts[found.attempts["receipt"].isin(["undelivered", "failed"])]["code"].value_counts()
    others = told[told["true_receipt"].isin(["undelivered", "failed"])]["true_error_code"].value_counts()
    assert codes.drop("4000", errors="ignore").sub(others, fill_value=0).abs().sum() <= 5


def alone(world: World, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bring one history along the analyst's road by itself, on pandas."""
    stored = world.history(seed).frames()
    attempts = model.attempts(
        load.callbacks(stored["callbacks"]),
        as_of=END,
        verifications=load.verifications(stored["verifications"]),
        pulse=load.pulse(stored["pulse"]),
    )
    return attempts, model.sessions(attempts)


def test_histories_side_by_side_have_the_figures_that_each_has_by_itself() -> None:
    small = World("some", "", (60, 60), Features.quiet(outage_minutes=(180,)), groups=True)
    found = estimate(small, batch(small, range(2)))
    assert set(found) == {one.name for one in ESTIMATORS}
    for seed in range(2):
        attempts, sessions = alone(small, seed)
        delivery = metrics.delivery_rate(attempts).set_index("measure").loc["confirmed"]
        time = metrics.time_to_verify(sessions, source="app").set_index("measure").loc["within_30s"]
        retry = metrics.retries(attempts).set_index("measure").loc["reaches_attempt_2"]
        for name, expected in (("confirmed", delivery), ("within_30s", time), ("reaches_attempt_2", retry)):
            one = found[name]
            values = [one.value[seed], one.low[seed], one.high[seed]]
            assert values == pytest.approx(list(expected[["rate", "low", "high"]]), abs=1e-12), name
        countries = metrics.delivery_rate(attempts, by="country")
        countries = countries[countries["measure"] == "confirmed"].set_index("country")
        for name, column in (("confirmed by country", "rate"), ("confirmed by country, shrunk", "shrunk")):
            mine = found[name].history == seed
            # Only some histories have their countries lean on each other.
            if mine.any():
                rates = pd.Series(found[name].value[mine], index=found[name].group[mine])
                there = countries[column].to_numpy(dtype=float)
                assert rates[list(countries.index)].to_numpy() == pytest.approx(there, abs=1e-12, nan_ok=True)
    one, other = found["confirmed"].value
    assert found["difference of two histories"].value == pytest.approx([one - other])


def test_what_was_kept_is_not_simulated_again(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path_factory.mktemp("kept")
    tiny = World("tiny", "", (20, 20), Features.quiet())
    first = batch(tiny, range(2), kept)
    monkeypatch.setattr(_worlds, "_modelled", lambda *_: pytest.fail("simulated again"))
    again = batch(tiny, range(2), kept)
    assert again.names == first.names
    for one, other in zip(first[1:], again[1:], strict=True):
        assert one.equals(other)
    # Another world, or other seeds, is another question.
    for asked in ((tiny._replace(sessions=(21, 21)), range(2)), (tiny, range(1, 3))):
        with pytest.raises(pytest.fail.Exception, match="simulated again"):
            batch(*asked, kept)


def test_worlds_whose_people_are_alike_share_one_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(_judging, "truth_of", lambda world, _: made.append(world.name))
    truths = Truths(1)
    for world in WORLDS:
        truths.of(world)
    assert made == ["quiet", "usual"]


def test_each_reason_is_of_an_estimator_and_a_world_that_there_are() -> None:
    pairs = {(world.name, one.name) for world in WORLDS for one in ESTIMATORS}
    for one in REASONS:
        assert any(one.said == reason(*pair) for pair in pairs), one
    assert reason("quiet", "confirmed") == NOT_FOUND
