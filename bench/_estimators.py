"""The estimators that are judged, one line each: which figure of which metric, and what is true of it.

A table asks a metric once for a whole batch of histories. An estimator picks its rows: each history's figure with its
interval, or each group's in each history; its truth is computed from what happened in the world, with no metric.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from bench._truths import Truth
from bench._worlds import PLACE, Batch, World
from verify_analytics import metrics, stats
from verify_analytics.metrics import frames
from verify_analytics.metrics.frames import with_shrinkage

EACH = 4
"""Of so many histories one has its countries lean on each other: that takes longer than all the rest together."""

AFTER = (20.0, 60.0)
WITHIN = 30.0

Floats = NDArray[np.float64]
Of = Callable[[Truth], float | dict[str, float]]


class Estimates(NamedTuple):
    """Figures with their intervals, one each per history, or per group of a history."""

    history: NDArray[np.int64]
    group: NDArray[np.object_]
    value: Floats
    low: Floats
    high: Floats


class Estimator(NamedTuple):
    """One figure.

    Attributes
    ----------
    rows
        Which rows of the table: a value for each of these columns.
    column
        Where its value stands.
    """

    name: str
    table: str
    rows: Mapping[str, str | float]
    truth: Of
    column: str = "rate"


def _by_history(batch: Batch, cluster: str = "session") -> pd.DataFrame:
    return metrics.delivery_rate(batch.attempts, by="country", cluster=cluster)


def _first_choices(batch: Batch) -> pd.DataFrame:
    """Count first choices by history and channel: no session is in two of these groups."""
    return metrics.delivery_rate(batch.attempts.filter(pl.col("role") == "first_choice"), by=["country", "channel"])


def _as_if_independent(table: pd.DataFrame) -> pd.DataFrame:
    """Give the same figures with Wilson's plain interval."""
    low, high = stats.wilson(table["count"].to_numpy(), table["n"].to_numpy())
    return table.assign(low=low, high=high)


def _pairs(table: pd.DataFrame, one: pd.Series, other: pd.Series, *, plain: bool = False) -> pd.DataFrame:
    """Subtract the rows of `other` from those of `one`, which are as many and in the same order.

    Counts are made fewer by the design effect, as a clustered interval makes them.
    """
    first, second = table[one], table[other]
    counts = []
    for part in (first, second):
        effect = np.ones(len(part)) if plain else part["design_effect"].fillna(1.0).to_numpy()
        counts += [part[name].to_numpy() / effect for name in ("count", "n")]
    difference, low, high = stats.newcombe(*counts)
    return first[["country", "measure"]].assign(rate=difference, low=low, high=high)


def _two_histories(table: pd.DataFrame, *, plain: bool = False) -> pd.DataFrame:
    """Compare each history with the next one, which is of the same world: in truth they differ by nothing."""
    odd = table["country"].astype(int) % 2 == 1
    return _pairs(table, ~odd, odd, plain=plain)


def _two_channels(table: pd.DataFrame) -> pd.DataFrame:
    """Compare messages with calls within each history that has both."""
    both = table.groupby(["country", "measure"])["channel"].transform(lambda seen: {"sms", "voice"} <= set(seen))
    return _pairs(table, both & (table["channel"] == "sms"), both & (table["channel"] == "voice"))


def _shrunk(table: pd.DataFrame) -> pd.DataFrame:
    """Let the countries of some histories lean on each other, as the metric does for one history."""
    histories = _places(table).groupby("country", sort=False)
    parts = [with_shrinkage(part, ["_group"]) for name, part in histories if int(str(name)) % EACH == 0]
    return pd.concat(parts).assign(
        rate=lambda t: t["shrunk"], low=lambda t: t["shrunk_low"], high=lambda t: t["shrunk_high"]
    )


def _by_country(batch: Batch) -> pd.DataFrame:
    table = metrics.delivery_rate(batch.places, by="country")
    return table[table["measure"] == "confirmed"]


def _places(table: pd.DataFrame) -> pd.DataFrame:
    """Take the names of histories and of countries apart."""
    apart = table["country"].str.partition(PLACE)
    return table.assign(country=apart[0], _group=apart[2])


TABLES: dict[str, Callable[[Batch], pd.DataFrame]] = {
    "delivery": _by_history,
    "delivery, plain": lambda batch: _as_if_independent(_by_history(batch)),
    "delivery, recipients": lambda batch: _by_history(batch, "recipient"),
    "delivery by channel": lambda batch: metrics.delivery_rate(batch.attempts, by=["country", "channel"]),
    "delivery by role": lambda batch: metrics.delivery_rate(batch.attempts, by=["country", "role"]),
    "delivery, two histories": lambda batch: _two_histories(_by_history(batch)),
    "delivery, two histories, plain": lambda batch: _two_histories(_by_history(batch), plain=True),
    "delivery, two channels": lambda batch: _two_channels(_first_choices(batch)),
    "delivery by country": lambda batch: _places(_by_country(batch)),
    "delivery by country, shrunk": lambda batch: _shrunk(_by_country(batch)),
    "codes": lambda batch: metrics.error_codes(batch.attempts, by="country"),
    "retries": lambda batch: metrics.retries(batch.attempts, by="country"),
    "verification": lambda batch: metrics.verification_rate(batch.sessions, by="country", source="app"),
    "time": lambda batch: metrics.time_to_verify(batch.sessions, by="country", source="app"),
    "waiting": lambda batch: metrics.when_to_switch(batch.sessions, by="country", source="app", after=AFTER),
    "arrival": lambda batch: metrics.time_to_deliver(batch.attempts, by="country"),
}
GROUPED = {"delivery by country", "delivery by country, shrunk"}
PAIRED = {"delivery, two histories", "delivery, two histories, plain"}

# The measures of delivery: what is counted, of what.
RECEIPTS = {
    "confirmed": (("delivered",), ("delivered", "undelivered", "failed", "none")),
    "accepted": (("delivered", "none"), ("delivered", "undelivered", "failed", "none")),
    "coverage": (("delivered", "undelivered"), ("delivered", "undelivered", "none")),
    "not_handed_over": (("failed",), ("delivered", "undelivered", "failed", "none")),
}


def _delivered(measure: str, **where: str) -> Callable[[Truth], float]:
    """Give the truth of a measure of delivery, among the attempts chosen."""
    count, n = RECEIPTS[measure]
    return lambda truth: _share(_chosen(truth.attempts, where)["receipt"], count, n)


def _share(values: pd.Series, count: tuple[str, ...], n: tuple[str, ...]) -> float:
    return float(values.isin(count).sum() / values.isin(n).sum())


def _chosen(table: pd.DataFrame, where: Mapping[str, str | float]) -> pd.DataFrame:
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def _confirmed_by_country(truth: Truth) -> dict[str, float]:
    countries = truth.attempts.groupby("country")["receipt"]
    return {str(name): _share(values, *RECEIPTS["confirmed"]) for name, values in countries}


def _two_roads(truth: Truth) -> float:
    sms, voice = (_delivered("confirmed", role="first_choice", channel=each)(truth) for each in ("sms", "voice"))
    return sms - voice


def _code(measure: str, channel: str, code: str) -> Of:
    """Give how frequent a code is, among what did not arrive or among all."""
    bad = ("undelivered", "failed")

    def share(truth: Truth) -> float:
        attempts = truth.attempts
        unsuccessful = attempts["receipt"].isin(bad)
        this = unsuccessful & (attempts["channel"] == channel) & (attempts["code"] == code)
        return float(this.sum() / (unsuccessful.sum() if measure == "share_of_unsuccessful" else len(attempts)))

    return share


def _sessions(count: Callable[[pd.DataFrame], pd.Series], n: Callable[[pd.DataFrame], pd.Series] | None = None) -> Of:
    """Give a share of the sessions that are in `n`, or of all."""

    def share(truth: Truth) -> float:
        among = truth.sessions if n is None else truth.sessions[n(truth.sessions)]
        return float(count(among).mean())

    return share


def _reached(k: int) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda sessions: sessions["attempts"] >= k


def _verified_with(k: int) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda sessions: sessions["verified"] & (sessions["attempts"] == k)


def _waiting(seconds: float) -> Of:
    return _sessions(lambda s: s["seconds"] <= seconds)


def _mean_attempts(truth: Truth) -> float:
    return float(truth.sessions["attempts"].mean())


def _next(after: float) -> Of:
    return _sessions(lambda s: s["seconds"] <= after + WITHIN, lambda s: ~(s["seconds"] <= after))


def _arriving(seconds: float) -> Of:
    """Give the share delivered by then; where no receipt is sent there never is one."""
    return lambda truth: float((truth.attempts["seconds"] <= seconds).mean())


def _quantile(grain: str, share: float) -> Of:
    """Give by when a share of all have got there, also of those that never do."""
    return lambda truth: float(np.quantile(getattr(truth, grain)["seconds"].fillna(np.inf), share))


def _mean_wait(horizon: float) -> Of:
    return lambda truth: float(truth.sessions["seconds"].fillna(horizon).clip(upper=horizon).mean())


def _estimators() -> list[Estimator]:
    made = [Estimator(name, "delivery", {"measure": name}, _delivered(name)) for name in RECEIPTS]
    for table in ("delivery, plain", "delivery, recipients"):
        how = table.partition(", ")[2]
        made += [Estimator(f"{name}, {how}", table, {"measure": name}, _delivered(name)) for name in RECEIPTS]
    for column, values in (("channel", ("sms", "voice")), ("role", ("first_choice", "resend", "fallback"))):
        for value in values:
            rows = {"measure": "confirmed", column: value}
            truth = _delivered("confirmed", **{column: value})
            made.append(Estimator(f"confirmed, {value}", f"delivery by {column}", rows, truth))
    confirmed = {"measure": "confirmed"}
    made += [
        Estimator("confirmed by country", "delivery by country", confirmed, _confirmed_by_country),
        Estimator("confirmed by country, shrunk", "delivery by country, shrunk", confirmed, _confirmed_by_country),
        Estimator("difference of two histories", "delivery, two histories", confirmed, lambda _: 0.0),
        Estimator("difference of two histories, plain", "delivery, two histories, plain", confirmed, lambda _: 0.0),
        Estimator("difference of sms and voice", "delivery, two channels", confirmed, _two_roads),
    ]
    for measure in ("share_of_unsuccessful", "share_of_all"):
        for channel, code in (("sms", "80"), ("sms", "300"), ("voice", "3000")):
            rows = {"measure": measure, "channel": channel, "code": code}
            made.append(Estimator(f"{channel} {code}, {measure}", "codes", rows, _code(measure, channel, code)))
    reached = {k: _reached(k) for k in (1, 2, 3)}
    made += [
        Estimator(f"reaches_attempt_{k}", "retries", {"measure": f"reaches_attempt_{k}"}, _sessions(reached[k]))
        for k in (2, 3)
    ]
    for k in (1, 2):
        measure = f"verified_before_attempt_{k + 1}"
        there = _sessions(_verified_with(k), reached[k])
        made.append(Estimator(measure, "retries", {"measure": measure, "source": "app"}, there))
    made += [
        Estimator(
            "rescue",
            "retries",
            {"measure": "rescue", "source": "app"},
            _sessions(lambda s: s["verified"], lambda s: s["fell_back"]),
        ),
        Estimator(
            "resent_too_early",
            "retries",
            {"measure": "resent_too_early"},
            _sessions(lambda s: s["too_early"], lambda s: s["resent"]),
        ),
    ]
    made += [
        Estimator("verified", "verification", {"measure": "verified"}, _sessions(lambda s: s["verified"])),
        Estimator(
            "verified_with_attempt_2",
            "verification",
            {"measure": "verified_with_attempt_2"},
            _sessions(lambda s: s["attempts"] == 2, lambda s: s["verified"]),
        ),
        Estimator(
            "attempts_per_session", "retries", {"measure": "attempts_per_session"}, _mean_attempts, column="mean"
        ),
    ]
    for seconds in (10, 30, 60, 120):
        rows = {"measure": f"within_{seconds}s", "source": "app"}
        made.append(Estimator(f"within_{seconds}s", "time", rows, _waiting(seconds)))
    median, mean = {"measure": "p50"}, {"measure": "restricted_mean"}
    made += [
        Estimator("p50", "time", median, _quantile("sessions", 0.5), "seconds"),
        Estimator("restricted_mean", "time", mean, _mean_wait(600), "seconds"),
        *(
            Estimator(f"verified_next, after {after:g}s", "waiting", {"after_seconds": after}, _next(after))
            for after in AFTER
        ),
        Estimator("delivered within_30s", "arrival", {"measure": "within_30s"}, _arriving(30)),
        Estimator("delivered p50", "arrival", median, _quantile("attempts", 0.5), "seconds"),
    ]
    return made


ESTIMATORS = _estimators()


def estimate(world: World, batch: Batch) -> dict[str, Estimates]:
    """Make every estimate of a batch of histories; a history without the row has NaN."""
    # Here histories stand where groups would: to let them lean on each other is nobody's question, and takes long.
    with patch.object(frames, "with_shrinkage", lambda frame, _: frame):
        tables = {name: make(batch) for name, make in TABLES.items() if world.groups or name not in GROUPED}
    return {one.name: _picked(one, tables[one.table], batch.names) for one in ESTIMATORS if one.table in tables}


def _picked(one: Estimator, table: pd.DataFrame, names: list[str]) -> Estimates:
    rows = _chosen(table, one.rows)
    if one.table not in GROUPED:
        # A history in which nothing of the kind occurred has no row.
        asked = [name for name in names if one.table not in PAIRED or int(name) % 2 == 0]
        rows = rows.set_index("country").reindex(asked).rename_axis("country").reset_index().assign(_group="")
    value, low, high = (rows[name].to_numpy(dtype=float) for name in (one.column, "low", "high"))
    return Estimates(
        np.asarray(rows["country"].astype(int), dtype=np.int64), rows["_group"].to_numpy(dtype=object), value, low, high
    )
