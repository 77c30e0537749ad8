"""Two groups or periods side by side: how far apart, whether that is more than chance, and whether one can tell."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportions_ztest

from verify_analytics import metrics, stats
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError

Build = Callable[..., Any]
# Small frames here are split by channel for brevity.
pytestmark = pytest.mark.filterwarnings("ignore:.*whatever the role:verify_analytics.errors.DoubtfulWarning")
AS_OF = pd.Timestamp("2026-10-29", tz="UTC")
LATER = pd.Timestamp("2026-11-29", tz="UTC")


def rates(*counts: tuple[int, int], effect: float = np.nan, **also: Any) -> pd.DataFrame:
    """Make a frame as metrics make it: one row per count and n, of measures m0, m1, …."""
    count, n = (np.array(values, dtype="int64") for values in zip(*counts, strict=True))
    divisor = 1.0 if np.isnan(effect) else effect
    low, high = stats.wilson(count / divisor, n / divisor)
    with np.errstate(invalid="ignore"):
        rate = np.where(n > 0, count / n, np.nan)
    figures = {"count": count, "n": n, "rate": rate, "low": low, "high": high}
    kind = "wilson" if np.isnan(effect) else "cluster_wilson"
    beside = {"interval": kind, "design_effect": effect, "as_of": AS_OF, "patience_seconds": 900.0, "pooled": ""}
    named = {"measure": [f"m{number}" for number in range(len(counts))]}
    return pd.DataFrame(
        {**{name: also.pop(name) for name in list(also) if name == "channel"}, **named, **figures, **beside, **also}
    )


def one(found: pd.DataFrame) -> pd.Series:
    assert len(found) == 1, found
    return found.iloc[0]


def test_of_plain_rates_it_is_newcombes_interval() -> None:
    """Every pair of rates of at most six cases, and some of many."""
    sides = [(count, n) for n in (0, 1, 2, 5, 6, 400) for count in range(0, n + 1, max(1, n // 6))]
    left, right = zip(*((one, other) for one in sides for other in sides), strict=True)
    found = metrics.compare(rates(*left), rates(*right))
    expected = stats.newcombe(*np.array(left).T, *np.array(right).T)
    for name, values in expected._asdict().items():
        assert found[name].to_numpy() == pytest.approx(values, abs=1e-12, nan_ok=True)
    p = stats.two_proportions_p(*np.array(left).T, *np.array(right).T)
    assert found["p"].to_numpy() == pytest.approx(p, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("adjust", [None, "holm"])
def test_shares_of_curves_are_not_told_apart_by_how_many_are_still_waiting(adjust: str | None) -> None:
    """Both reach 70 % within a minute; of the first, 600 of 1,000 sessions had been watched for 5 seconds only."""
    frames = []
    for seen, early in ((280, 600), (700, 0)):
        curve = stats.cumulative_incidence([30, 5, 600], [1, 0, 2], weights=[seen, early, 1000 - seen - early])
        share = stats.incidence_interval_at(curve, [60])
        made = rates((seen, 1000)).assign(rate=share.value, low=share.low, high=share.high, seconds=60.0)
        frames.append(made.assign(measure="within_60s", interval="cluster_log_log"))
    found = one(metrics.compare(*frames, adjust=adjust))
    assert (found["count_first"], found["count_second"]) == (280, 700)
    assert (found["p"], found["verdict"]) == (pytest.approx(1, abs=1e-6), "no evidence of a difference")


def test_two_sessions_alike_are_no_proof_against_two_others() -> None:
    """One attempt in both, against two in both: two points, each without an interval."""
    frames = []
    for attempts in (1, 2):
        mean, low, high = stats.mean_interval([attempts], weights=[2])
        made = rates((2 * attempts, 2 * attempts)).assign(n=2, rate=np.nan, mean=mean, low=low, high=high)
        frames.append(made.assign(measure="attempts_per_session", interval="student"))
    found = one(metrics.compare(*frames))
    assert (found["difference"], found["verdict"], found["interval"]) == (-1, "too little data", "none")


def test_the_difference_agrees_with_newcombes_published_example() -> None:
    """Newcombe 1998, Stat Med 17:873-890, table II, column (a): 56/70 against 48/80, method 10."""
    found = one(metrics.compare(rates((56, 70)), rates((48, 80)), names=("before", "after")))
    assert [round(float(found[name]), 4) for name in ("difference", "low", "high")] == [0.2, 0.0524, 0.3339]
    assert (found["verdict"], found["interval"]) == ("higher", "newcombe")
    assert (found["first"], found["second"], found["count_first"], found["n_second"]) == ("before", "after", 56, 80)


def test_p_agrees_with_statsmodels() -> None:
    found = one(metrics.compare(rates((56, 70)), rates((48, 80))))
    assert found["p"] == pytest.approx(proportions_ztest([56, 48], [70, 80])[1], abs=1e-12)


def test_sessions_that_are_alike_tell_less() -> None:
    """With a design effect of 2, 112 of 140 tell as much as 56 of 70."""
    found = one(metrics.compare(rates((112, 140), effect=2.0), rates((96, 160), effect=2.0)))
    assert found[["low", "high"]].to_list() == pytest.approx(list(stats.newcombe(56, 70, 48, 80))[1:], abs=1e-12)
    assert found["p"] == pytest.approx(stats.two_proportions_p(56, 70, 48, 80), abs=1e-12)
    assert found["interval"] == "cluster_newcombe"
    # Where no design effect could be estimated on one side, that side is plain.
    mixed = one(metrics.compare(rates((112, 140), effect=2.0), rates((48, 80))))
    assert mixed[["low", "high"]].to_list() == pytest.approx(found[["low", "high"]].to_list(), abs=1e-12)
    assert (mixed["interval"], mixed["p"]) == ("cluster_newcombe", pytest.approx(found["p"], abs=1e-12))


@pytest.mark.parametrize(
    ("left", "right", "verdict"),
    [
        ((900, 1000), (800, 1000), "higher"),
        ((800, 1000), (900, 1000), "lower"),
        ((900, 1000), (900, 1000), "no evidence of a difference"),
        ((9, 10), (8, 10), "too little data"),
        ((0, 0), (900, 1000), "too little data"),
        ((900, 1000), (0, 0), "too little data"),
        ((0, 0), (0, 0), "too little data"),
        ((0, 1000), (0, 1000), "no evidence of a difference"),
        ((0, 500), (500, 500), "lower"),
        ((0, 3), (3, 3), "lower"),
        ((0, 1), (1, 1), "too little data"),
    ],
)
def test_the_verdict_is_one_of_four(left: tuple[int, int], right: tuple[int, int], verdict: str) -> None:
    found = one(metrics.compare(rates(left), rates(right)))
    assert found["verdict"] == verdict
    assert verdict.partition(" ")[0] in found["sentence"]


def test_no_evidence_means_that_a_difference_that_matters_is_excluded() -> None:
    left, right = rates((180, 200)), rates((176, 200))
    interval = one(metrics.compare(left, right))
    assert interval["low"] < 0 < interval["high"] < 0.1
    assert interval["verdict"] == "no evidence of a difference"
    for relevant, verdict in ((interval["high"] * 1.01, "no evidence of a difference"), (0.08, "too little data")):
        assert one(metrics.compare(left, right, relevant=float(relevant)))["verdict"] == verdict
    # The other bound counts as well.
    assert one(metrics.compare(right, left, relevant=0.08))["verdict"] == "too little data"


def test_a_study_of_the_size_for_80_percent_power_has_an_interval_of_the_width_that_is_said() -> None:
    size = int(np.ceil(stats.sample_size_two_proportions(0.5, 0.6)))
    found = one(metrics.compare(rates((size // 2, size)), rates((size // 2, size))))
    assert (found["high"] - found["low"]) / 0.1 == pytest.approx(1.4, abs=0.02)


def test_the_sentence_is_plain() -> None:
    found = metrics.compare(
        rates((900, 1000), (9, 10), (900, 1000), (0, 0)), rates((800, 1000), (8, 10), (901, 1000), (1, 2))
    )
    differs, cannot_tell, alike, nothing = found["sentence"]
    assert differs == (
        "m0: 90.0 % in first, 80.0 % in second: higher by 10.0 points; "
        "the true difference plausibly lies between +6.9 points and +13.1 points."
    )
    assert cannot_tell == (
        "m1: 90.0 % in first, 80.0 % in second: too little data to tell; "
        "the true difference plausibly lies between -23.6 points and +42.1 points."
    )
    assert alike == (
        "m2: 90.0 % in first, 90.1 % in second: "
        "no evidence of a difference, and one of more than 10.0 points is excluded."
    )
    assert nothing == "m3: nothing known in first, 50.0 % in second: too little data to compare."


def test_many_questions_at_once_are_adjusted_for_and_the_verdict_follows() -> None:
    left = rates((56, 70), *[(500, 1000)] * 9, (0, 0))
    right = rates((48, 80), *[(500, 1000)] * 9, (0, 0))
    plain = metrics.compare(left, right)
    assert (plain["verdict"][0], plain["adjust"][0]) == ("higher", "")
    assert plain["p_adjusted"].equals(plain["p"])
    for name, adjust in (("holm", stats.holm), ("benjamini_hochberg", stats.benjamini_hochberg)):
        found = metrics.compare(left, right, adjust=name)
        assert found["p_adjusted"].to_numpy() == pytest.approx(adjust(plain["p"]), nan_ok=True)
        # Ten were answered, the eleventh had no cases and does not count as asked.
        assert found["p_adjusted"][0] == pytest.approx(10 * plain["p"][0])
        assert (found["verdict"][0], found["adjust"][0]) == ("too little data", name)
    clear = metrics.compare(rates((900, 1000), (1, 2)), rates((500, 1000), (1, 2)), adjust="holm")
    assert clear["verdict"].to_list() == ["higher", "too little data"]


def test_a_slice_is_compared_within_each_group_of_the_other_column(attempts_of: Build, engine: Build) -> None:
    rows = [
        {"channel": channel, "country": country, "outcome": "delivered" if number < delivered else "failed"}
        for channel, country, delivered in (
            ("sms", "DE", 90),
            ("voice", "DE", 50),
            ("sms", "FR", 70),
            ("voice", "FR", 71),
        )
        for number in range(100)
    ]
    delivery = metrics.delivery_rate(engine(attempts_of(rows)), by=["channel", "country"])
    found = metrics.compare(delivery, between="channel", first="sms", second="voice", relevant=0.2)
    confirmed = found[found["measure"] == "confirmed"].set_index("country")
    assert "channel" not in found
    assert confirmed["verdict"].to_dict() == {"DE": "higher", "FR": "no evidence of a difference"}
    assert confirmed["difference"].to_list() == pytest.approx([0.4, -0.01])
    assert set(found["first"]) == {"sms"}


def test_two_periods_of_one_frame_are_named_by_their_beginnings(attempts_of: Build) -> None:
    start = int(pd.Timestamp("2026-10-05", tz="UTC").value) // 1000
    rows = [
        {"started_us": start + week * 7 * 86_400_000_000, "outcome": ("delivered", "failed")[week]} for week in (0, 1)
    ]
    delivery = metrics.delivery_rate(attempts_of(rows * 30), by="week", totals=True)
    found = metrics.compare(delivery, between="week", first="2026-10-05", second=pd.Timestamp("2026-10-12", tz="UTC"))
    assert found.loc[found["measure"] == "confirmed", "verdict"].to_list() == ["higher"]
    with pytest.raises(ArgumentError, match="no week '2026-10-06' in the frame"):
        metrics.compare(delivery, between="week", first="2026-10-06", second="2026-10-12")
    with pytest.raises(ArgumentError, match="no week 'later' in the frame"):
        metrics.compare(delivery, between="week", first="2026-10-05", second="later")


def test_what_is_in_one_side_only_is_said_and_kept() -> None:
    left, right = rates((9, 10), (8, 10), channel=["sms", "voice"]), rates((9, 10), (8, 10), channel=["sms", "rcs"])
    left["measure"] = right["measure"] = "confirmed"
    with pytest.warns(DoubtfulWarning, match=r"2 of 3 rows are in one side only \(1 in 'a', 1 in 'b'\)") as caught:
        found = metrics.compare(left, right, names=("a", "b"))
    assert [warning.filename for warning in caught] == [__file__]
    assert found[["channel", "only_in", "verdict"]].to_numpy().tolist() == [
        ["sms", "", "too little data"],
        ["voice", "a", "too little data"],
        ["rcs", "b", "too little data"],
    ]
    assert found[["value_first", "count_first"]].iloc[1].to_list() == [0.8, 8]
    assert found[["value_second", "count_second", "p"]].iloc[1].isna().to_list() == [True, True, True]


def test_a_code_that_one_side_never_had_is_none_of_its_cases(attempts_of: Build) -> None:
    """Fifty fail with code 30 in one period and none in the other; that is a difference and not a gap."""
    before = attempts_of([{"outcome": "failed", "error_code": "20"}] * 100)
    after = attempts_of([{"outcome": "failed", "error_code": ("20", "30")[number % 2]} for number in range(100)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.compare(metrics.error_codes(before), metrics.error_codes(after), names=("before", "after"))
    share = found[found["measure"] == "share_of_all"].set_index("code")
    assert share[["count_first", "n_first", "count_second", "n_second"]].T["30"].to_list() == [0, 100, 50, 100]
    assert share["verdict"].to_dict() == {"20": "higher", "30": "lower"}
    assert set(share["name"]) == set(metrics.error_codes(after)["name"])
    assert share.loc["30", "low"] == pytest.approx(stats.newcombe(0, 100, 50, 100).low)


def test_of_a_group_without_any_case_nothing_is_made_up(attempts_of: Build) -> None:
    rows = [{"outcome": "failed", "error_code": "20", "channel": channel} for channel in ("sms", "voice")]
    both, one_only = (
        metrics.error_codes(attempts_of(rows), by="channel"),
        metrics.error_codes(attempts_of(rows[:1]), by="channel"),
    )
    with pytest.warns(DoubtfulWarning, match="in one side only"):
        found = metrics.compare(both, one_only)
    assert found[found["channel"] == "voice"]["n_second"].isna().to_list() == [True, True]


def durations(value: float, low: float, high: float, measure: str = "p50") -> pd.DataFrame:
    """Make a frame as the metrics of times make it."""
    seconds = measure.startswith("p") or measure == "restricted_mean"
    made = {
        "source": "app",
        "measure": measure,
        "seconds": value if seconds else 60.0,
        "rate": 0.5 if seconds else value,
    }
    beside = {"low": low, "high": high, "n": 100, "interval": "log-log", "as_of": AS_OF, "patience_seconds": 900.0}
    return pd.DataFrame([{**made, **beside, "window_seconds": 600.0}])


def test_times_and_shares_of_a_curve_are_compared_by_their_own_intervals() -> None:
    """By hand: 30 - √(3² + 4²) = 25 and 30 + √(3² + 4²) = 35."""
    for measure in ("p50", "p90", "restricted_mean"):
        found = one(metrics.compare(durations(60, 57, 63, measure), durations(30, 26, 34, measure)))
        assert found[["difference", "low", "high"]].to_list() == [30, 25, 35]
        assert (found["unit"], found["interval"], found["verdict"]) == ("seconds", "mover", "higher")
        assert found[["count_first", "count_second"]].isna().all()
    share = one(metrics.compare(durations(0.6, 0.57, 0.63, "within_60s"), durations(0.3, 0.26, 0.34, "within_60s")))
    assert (share["unit"], share["value_first"], round(float(share["low"]), 9)) == ("share", 0.6, 0.25)


def test_p_read_off_an_interval_is_below_5_percent_where_the_interval_leaves_0_out() -> None:
    for value, below in ((36.0, True), (34.9, False), (24.0, True), (25.1, False), (30.0, False)):
        found = one(metrics.compare(durations(value, value - 3, value + 3), durations(30, 26, 34)))
        assert (found["p"] < 0.05) == below == (found["verdict"] in ("higher", "lower"))


def test_relevant_time_is_for_times() -> None:
    left, right = durations(31, 28, 34), durations(30, 26, 34)
    assert one(metrics.compare(left, right))["verdict"] == "no evidence of a difference"
    assert one(metrics.compare(left, right, relevant_time="5s"))["verdict"] == "too little data"


def test_a_bound_that_does_not_exist_leaves_the_difference_open() -> None:
    found = one(metrics.compare(durations(60, 50, np.nan), durations(30, 26, 34)))
    assert found["low"] == pytest.approx(30 - np.hypot(10, 4))
    assert np.isnan(found["high"])
    assert found["verdict"] == "higher"
    assert "no bound" in found["sentence"]
    closer = one(metrics.compare(durations(33, 25, np.nan), durations(30, 26, 34)))
    assert closer["verdict"] == "too little data"
    for left, right in (
        (durations(np.nan, 50, np.nan), durations(30, 26, 34)),
        (durations(30, np.nan, np.nan), durations(30, 26, 34)),
    ):
        assert one(metrics.compare(left, right))["verdict"] == "too little data"
    assert one(metrics.compare(left, right))["interval"] == "none"


def test_a_curve_is_not_compared(sessions_of: Build) -> None:
    at = 1_793_145_600_000_000
    times = metrics.time_to_verify(
        sessions_of([{"verified_app_us": at + number * 1_000_000} for number in range(30)]), source="app"
    )
    found = metrics.compare(times, times)
    assert not set(found["measure"]) & {"curve", "not_observable"}
    assert found.loc[found["measure"] == "within_10s", "difference"].to_list() == [0]


@pytest.mark.parametrize("metric", ["delivery_rate", "error_codes", "retries"])
def test_a_frame_beside_itself_shows_no_difference_anywhere(metric: str, attempts_of: Build) -> None:
    rows = [
        {"outcome": ("delivered", "failed")[number % 2], "country": ("DE", None)[number % 3 % 2]}
        for number in range(20)
    ]
    frame = (
        getattr(metrics, metric)(attempts_of(rows), by=["country", "day"], totals=True)
        if metric != "retries"
        else metrics.retries(attempts_of(rows), by=["country", "day"])
    )
    found = metrics.compare(frame, frame)
    assert len(found) == len(frame)
    assert found["difference"].dropna().eq(0).all()
    assert not set(found["verdict"]) & {"higher", "lower"}
    assert (found["p"].dropna() == 1).all()
    assert not found["only_in"].any()


def test_frames_without_rows_give_a_frame_without_rows(attempts_of: Build) -> None:
    empty = metrics.error_codes(attempts_of([]))
    found = metrics.compare(empty, empty, adjust="holm")
    assert len(found) == 0
    assert (
        found.dtypes.to_dict()
        == metrics.compare(full := metrics.error_codes(attempts_of([{"outcome": "failed"}])), full).dtypes.to_dict()
    )


def test_both_moments_of_looking_are_told() -> None:
    found = one(metrics.compare(rates((1, 2)), rates((1, 2), as_of=LATER)))
    assert (found["as_of_first"], found["as_of_second"]) == (AS_OF, LATER)


def test_others_that_pool_other_groups_are_doubted() -> None:
    left, right = (
        rates((9, 10), (9, 10), channel=[kept, "others"]).assign(measure="confirmed", pooled=["", "others"])
        for kept in ("sms", "rcs")
    )
    with pytest.warns(DoubtfulWarning) as caught:
        metrics.compare(left, right)
    assert any("their 'others' are not alike" in str(warning.message) for warning in caught)


def test_the_others_may_be_set_beside_a_group_of_their_own_split() -> None:
    made = rates((9, 10), (8, 10), channel=["sms", "others"]).assign(measure="confirmed", pooled=["", "others"])
    found = one(metrics.compare(made, between="channel", first="sms", second="others"))
    assert found["difference"] == pytest.approx(0.1)
    assert found["only_in"] == ""


def test_a_sentence_says_of_which_group_it_is_where_there_are_several() -> None:
    made = rates((9, 10), (8, 10), (5, 10), (6, 10), channel=["sms", "voice"] * 2).assign(measure="confirmed")
    made.insert(1, "country", ["US", "US", "IN", "IN"])
    found = metrics.compare(made, between="channel", first="sms", second="voice")
    begun = found["sentence"].str.partition(" in sms")[0].tolist()
    assert begun == ["confirmed (country US): 90.0 %", "confirmed (country IN): 50.0 %"]
    alone = metrics.compare(made.head(2), between="channel", first="sms", second="voice")
    assert one(alone)["sentence"].startswith("confirmed: 90.0 % in sms")


def test_those_who_still_wait_are_compared_after_the_same_wait(sessions_of: Build) -> None:
    quick = metrics.when_to_switch(sessions_of([{"verified_app_us": None}]), source="app", after=[5, 10])
    found = metrics.compare(quick, quick)
    assert found["after_seconds"].tolist() == [5, 10]
    assert found["sentence"].str.startswith("verified_next (after_seconds ").all()
    other = metrics.when_to_switch(sessions_of([{"verified_app_us": None}]), source="app", after=[5, 10], within="1min")
    with pytest.raises(ArgumentError, match="different within_seconds, 30 and 60"):
        metrics.compare(quick, other)


SPLIT = rates((9, 10), (8, 10), channel=["sms", "voice"]).assign(measure="confirmed")


@pytest.mark.parametrize(
    ("given", "options", "says"),
    [
        (SPLIT, {}, "two frames, or one frame and between="),
        (SPLIT, {"other": SPLIT, "between": "channel"}, "two frames, or one frame and between="),
        (SPLIT, {"other": SPLIT, "first": "sms"}, "values of between="),
        (SPLIT, {"other": SPLIT, "names": "ab"}, "two different names"),
        (SPLIT, {"other": SPLIT, "names": ("a", "a")}, "two different names"),
        (SPLIT, {"other": SPLIT.drop(columns="channel").head(1)}, "split differently, by channel and by nothing"),
        (SPLIT, {"other": SPLIT.assign(measure="accepted")}, "no row in common"),
        (SPLIT, {"other": SPLIT.assign(patience_seconds=60.0)}, "different patience_seconds, 900 and 60"),
        (SPLIT, {"other": pd.concat([SPLIT, SPLIT])}, "rows that nothing tells apart"),
        (
            SPLIT,
            {"between": "chanel", "first": "sms", "second": "voice"},
            "does not split the frame: did you mean 'channel'",
        ),
        (SPLIT, {"between": "measure", "first": "confirmed", "second": "accepted"}, "same cases seen twice"),
        (SPLIT, {"between": "channel", "first": "sms", "second": "voise"}, "did you mean 'voice'"),
        (SPLIT, {"between": "channel", "first": "sms", "second": "sms"}, "are the same"),
        (SPLIT, {"between": "channel", "first": "sms", "second": "all"}, "holds every group of channel"),
        (SPLIT, {"other": SPLIT, "relevant": 0}, "no difference that could matter"),
        (SPLIT, {"other": SPLIT, "relevant": 10}, "no difference of shares that could matter: 0.1 is 10 points"),
        (SPLIT, {"between": "after_seconds", "first": 5, "second": 10}, "same cases seen twice"),
        (SPLIT, {"other": SPLIT, "relevant_time": "soon"}, "relevant_time='soon'"),
        (SPLIT, {"other": SPLIT, "adjust": "bonferoni"}, "no way to account for many questions"),
        ([1], {"other": SPLIT}, "takes the frames that metrics give; got list"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(given: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        metrics.compare(given, **options)


def test_a_frame_that_no_metric_gave_is_refused() -> None:
    with pytest.raises(SchemaError, match="columns that metrics give, among them low"):
        metrics.compare(SPLIT.drop(columns="low"), SPLIT)


def test_channels_without_their_role_are_doubted(attempts_of: Build) -> None:
    attempts = attempts_of([{"channel": channel} for channel in ("sms", "sms", "voice")])
    bare = metrics.delivery_rate(attempts, by="channel")
    with pytest.warns(DoubtfulWarning, match="whatever the role"):
        metrics.compare(bare, between="channel", first="sms", second="voice")
    within = metrics.delivery_rate(attempts, by=["channel", "role"])
    metrics.compare(within, between="channel", first="sms", second="voice")
