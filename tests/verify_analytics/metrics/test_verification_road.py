"""From simulated callbacks to who was verified: every count equals the truth of what arrived, on each engine.

Worked out by hand from the simulator's truth, in plain pandas, and read in the middle of traffic.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest

from tests.verify_analytics.conftest import kept
from verify_analytics import load, metrics, model, simulate

END = datetime(2026, 10, 29, tzinfo=UTC)
AS_OF = END - timedelta(hours=11)
WINDOW, PATIENCE, MINUTE = pd.Timedelta("10min"), pd.Timedelta("15min"), pd.Timedelta("1min")
BESIDE = ["immature", "unobserved", "unknown", "not_observable"]
SOURCES = ["app", "callback"]

INTO: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "duckdb": lambda frame: load.keep(load.connection().from_df(frame)),
}


@pytest.fixture(scope="module")
def history() -> simulate.History:
    return simulate.history(1600, seed=29, end=END, days=4, as_of=AS_OF)


@pytest.fixture(scope="module", params=INTO)
def attempts(request: pytest.FixtureRequest, history: simulate.History) -> Any:
    into, frames = INTO[request.param], history.frames()
    found = model.attempts(
        load.callbacks(into(frames["callbacks"])),
        as_of=AS_OF,
        verifications=load.verifications(into(frames["verifications"])),
        pulse=load.pulse(into(frames["pulse"])),
    )
    return kept(found)


@pytest.fixture(scope="module")
def reading(history: simulate.History) -> Any:
    """The same in the engine that is fastest on so few."""
    frames = history.frames()
    return model.attempts(
        load.callbacks(pl.from_pandas(frames["callbacks"])),
        as_of=AS_OF,
        verifications=load.verifications(pl.from_pandas(frames["verifications"])),
        pulse=load.pulse(pl.from_pandas(frames["pulse"])),
    )


@pytest.fixture(scope="module")
def sessions(attempts: Any) -> Any:
    return kept(model.sessions(attempts))


@pytest.fixture(scope="module")
def truth(history: simulate.History, sessions: Any) -> pd.DataFrame:
    """What the truth says of each session of which an attempt was heard. One row per session.

    Which sessions a source could see is the model's matter, and is shown there; all else is worked out here.
    """
    told = history.truth()
    told = told[told["arrived_attempt"]].assign(far=lambda rows: rows.apply(place, axis="columns"))
    wanted = told[told["arrived_role"] != "after_verified"].groupby("session_id")
    every = told.groupby("session_id")
    known = every.agg(
        country=("arrived_country", "min"),
        started=("arrived_started_at", "min"),
        last=("arrived_started_at", "max"),
        mature=("arrived_session_mature", "max"),
        expired=("arrived_expired_at", "min"),
        app=("arrived_verified_app_at", "min"),
        callback=("arrived_verified_callback_at", "min"),
    ).join(
        wanted.agg(
            far=("far", "max"),
            made=("attempt_id", "nunique"),
            highest=("arrived_sequence", "max"),
            last_wanted=("arrived_started_at", "max"),
        )
    )
    known["gap"] = (told["arrived_outcome"] == "unobserved").groupby(told["session_id"]).max()
    known["attempt"] = known[["made", "highest"]].max(axis="columns")
    known["ended"] = pd.concat([known["expired"], known["last_wanted"] + WINDOW], axis="columns").min(axis="columns")
    known["down"] = False
    for outage in history.outages:
        since, until = pd.to_datetime([outage.from_us, outage.to_us], unit="us", utc=True)
        over = (known["last"] + WINDOW).dt.floor("min") + MINUTE
        known["down"] |= (known["started"].dt.floor("min") < until) & (over > since)
    known["judged"] = known["mature"].astype(bool) & ~known["down"] & known["made"].notna()
    seen: pd.DataFrame = nw.from_native(sessions).lazy().collect().to_pandas().set_index("session_id")
    for source in SOURCES:
        known[f"seen_{source}"] = known["judged"] & seen[f"observable_{source}"].astype(bool)
        known[f"verified_{source}"] = (known[source] <= known["ended"]).fillna(value=False)
    return known


def place(attempt: pd.Series) -> int:
    """Say how far an attempt got: 0 nowhere known, 1 silent, 2 policy, 3 account, 4 network, and so on."""
    far = {"silent": 1, "undelivered": 5, "accepted": 6, "delivered": 7}
    if attempt["arrived_outcome"] == "failed":
        return {"451": 2, "452": 2, "450": 3, "900": 3}.get(str(attempt["arrived_error_code"]), 4)
    return far.get(attempt["arrived_outcome"], 0)


def counts(frame: pd.DataFrame, **where: str) -> dict[str, tuple[int, int]]:
    for name, value in where.items():
        frame = frame[frame[name] == value]
    assert frame["measure"].is_unique
    return {row["measure"]: (row["count"], row["n"]) for _, row in frame.iterrows()}


@pytest.mark.parametrize("source", SOURCES)
def test_the_verification_rate_counts_the_sessions_that_arrived(
    source: str, sessions: Any, truth: pd.DataFrame
) -> None:
    seen = truth[truth[f"seen_{source}"]]
    won = seen[seen[f"verified_{source}"]]
    attempt = won["attempt"]
    found = metrics.verification_rate(sessions, source=source)
    assert counts(found) == {
        "verified": (len(won), len(seen)),
        "first_attempt_conversion": ((attempt == 1).sum(), len(seen)),
        "attempts_before_verification": (attempt.sum(), len(won)),
        "verified_with_attempt_1": ((attempt == 1).sum(), len(won)),
        "verified_with_attempt_2": ((attempt == 2).sum(), len(won)),
        "verified_with_attempt_3_or_later": ((attempt >= 3).sum(), len(won)),
    }
    assert len(seen) > 1000
    row = found.iloc[0]
    assert row["not_observable"] == (truth["judged"] & ~truth[f"seen_{source}"]).sum()
    assert row["n"] + row[BESIDE].sum() == len(nw.from_native(sessions).lazy().collect())
    faults = (seen[source] < seen["started"]) & (seen["attempt"] >= 1)
    assert (row["clock_faults"] > 0) == faults.any()


def test_the_first_attempts_conversion_is_that_of_the_retries_in_every_group(reading: Any) -> None:
    """The one counts sessions, the other attempts; they may not differ by one."""
    by = ["country", "first_channel"]
    ours = metrics.verification_rate(model.sessions(reading), by=by)
    ours = ours[ours["measure"] == "first_attempt_conversion"]
    theirs = metrics.retries(reading, by=by)
    theirs = theirs[theirs["measure"] == "verified_before_attempt_2"]
    shared = [*by, "source", "count", "n", "rate", *BESIDE]
    assert len(ours) > 20
    pd.testing.assert_frame_equal(ours[shared].reset_index(drop=True), theirs[shared].reset_index(drop=True))


@pytest.mark.parametrize("source", ["app"])
def test_the_funnel_counts_the_sessions_that_arrived_in_each_country(
    source: str, attempts: Any, truth: pd.DataFrame
) -> None:
    found = metrics.funnel(attempts, by="country", top=2, source=source)
    everywhere = truth[truth[f"seen_{source}"] & ~truth["gap"] & (truth["far"] > 0)]
    kept = [name for name in found["country"].unique() if name != "others"]
    assert len(kept) >= 2
    countries = everywhere.groupby(everywhere["country"].where(everywhere["country"].isin(kept), "others"))
    for country, seen in countries:
        far, won = seen["far"], seen[f"verified_{source}"]
        lost = far[~won].value_counts()
        expected = {
            "sessions": len(seen),
            "accepted": (far >= 5).sum(),
            "delivered": (far == 7).sum(),
            "verified": won.sum(),
            "not_handed_over_policy": lost.get(2, 0),
            "not_handed_over_account": lost.get(3, 0),
            "not_handed_over_network": lost.get(4, 0),
            "silent": lost.get(1, 0),
            "undelivered": lost.get(5, 0),
            "no_receipt": lost.get(6, 0),
            "delivered_not_verified": lost.get(7, 0),
            "verified_delivered": (won & (far == 7)).sum(),
            "verified_without_receipt": (won & far.isin([1, 6])).sum(),
            "verified_against_receipt": (won & far.isin([2, 3, 4, 5])).sum(),
        }
        got = counts(found, source=source, country=str(country))
        assert got == {name: (count, len(seen)) for name, count in expected.items()}, country
    whole = metrics.funnel(attempts, source=source)
    rows = whole[whole["source"] == source]
    assert rows.loc[rows["kind"] == "loss", "count"].sum() > 100
    steps = rows.set_index("measure")["count"]
    assert rows.loc[rows["kind"] == "loss", "count"].sum() + steps["verified"] == steps["sessions"] == len(everywhere)
    assert rows.loc[rows["kind"] == "verified", "count"].sum() == steps["verified"]


@pytest.mark.parametrize("source", ["app"])
def test_trust_in_receipts_counts_the_sessions_that_arrived(source: str, attempts: Any, truth: pd.DataFrame) -> None:
    seen = truth[truth[f"seen_{source}"] & ~truth["gap"] & (truth["far"] > 0)]
    won = seen[f"verified_{source}"]
    one = seen[won & (seen["attempt"] == 1)]
    delivered = seen[seen["far"] == 7]
    found = metrics.receipt_trust(attempts, by="country", top=2, totals=True, source=source)
    assert counts(found, pooled="all") == {
        "verified_against_receipt": (one["far"].isin([2, 3, 4, 5]).sum(), len(one)),
        "delivered_not_verified": ((~delivered[f"verified_{source}"]).sum(), len(delivered)),
    }
    assert one["far"].isin([2, 3, 4, 5]).any()
    kept = set(found["country"]) - {"others", "all"}
    for country, mine in delivered[delivered["country"].isin(kept)].groupby("country"):
        expected = ((~mine[f"verified_{source}"]).sum(), len(mine))
        assert counts(found, country=str(country))["delivered_not_verified"] == expected
    rows = found[found["pooled"] == "all"]
    assert set(rows["n"] + rows["not_asked"]) == {len(seen)}


OPTIONS: dict[str, Any] = {"by": "country", "top": 1, "totals": True, "cluster": "recipient", "source": "app"}


def figures(attempts: Any, sessions: Any) -> list[pd.DataFrame]:
    return [
        metrics.verification_rate(sessions, **OPTIONS),
        metrics.funnel(attempts, **OPTIONS),
        metrics.receipt_trust(attempts, **OPTIONS),
    ]


@pytest.fixture(scope="module")
def expected(reading: Any) -> list[pd.DataFrame]:
    return figures(reading, model.sessions(reading))


# With other options and the sample, `everywhere` shows both in every run.
@pytest.mark.full
def test_every_engine_gives_the_same_figures(attempts: Any, sessions: Any, expected: list[pd.DataFrame]) -> None:
    for ours, theirs in zip(figures(attempts, sessions), expected, strict=True):
        pd.testing.assert_frame_equal(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.full
def test_a_filtered_frame_of_any_engine_gives_the_same_figures(attempts: Any, expected: list[pd.DataFrame]) -> None:
    """An analyst keeps the sessions of one country: its rows in the whole, and alone, are the same."""
    country = expected[1].loc[expected[1]["pooled"] == "", "country"].iloc[0]
    kept = nw.to_native(nw.from_native(attempts).filter(nw.col("country") == country))
    alone = metrics.funnel(kept, **{**OPTIONS, "totals": False})
    whole = metrics.funnel(attempts, **{**OPTIONS, "totals": False})
    of_country = whole[whole["country"] == country].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, of_country, rtol=0, atol=1e-9)
