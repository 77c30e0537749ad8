"""Which figures does a report hold? Every metric, computed once, from attempts and sessions that were folded once."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import narwhals as nw
import pandas as pd

from verify_analytics import load, metrics, model
from verify_analytics.errors import ArgumentError, DoubtfulWarning, NotFoundError
from verify_analytics.model.moments import microseconds, moment

from .facts import Facts, gather, moment_of

Say = Callable[[str], None]

# Name of the frame: the metric and its split. The names are those of the files.
FRAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "delivery": ("delivery_rate", ()),
    "delivery-by-channel-and-role": ("delivery_rate", ("channel", "role")),
    "delivery-by-country": ("delivery_rate", ("country",)),
    "delivery-by-channel-and-day": ("delivery_rate", ("channel", "day")),
    "error-codes": ("error_codes", ()),
    "retries": ("retries", ()),
    "time-to-verify": ("time_to_verify", ()),
    "time-to-verify-by-country": ("time_to_verify", ("country",)),
}
OF_SESSIONS = {"time_to_verify"}


class Study(NamedTuple):
    """All figures of one report, and what stands behind them."""

    frames: dict[str, pd.DataFrame]
    facts: Facts
    as_of: pd.Timestamp
    since: pd.Timestamp | None
    patience_seconds: float
    window_seconds: float
    attempts: int
    sessions: int
    unknown_statuses: int
    first_started: pd.Timestamp
    doubts: tuple[str, ...]


def study(where: str, *, as_of: Any, since: Any, patience: Any, window: Any, say: Say) -> Study:
    """Load a store, fold it, and compute every figure of the report.

    Raises
    ------
    NotFoundError
        If there is nothing to report: no callback up to `as_of`, or no session since `since`.
    ArgumentError
        If `since` is not before `as_of`.
    """
    until = moment(as_of)
    begin = None if since is None else moment(since, name="since")
    if begin is not None and begin >= until:
        raise ArgumentError(f"since={begin:%Y-%m-%dT%H:%MZ} is not before as_of={until:%Y-%m-%dT%H:%MZ}")
    say(f"reading {named_place(where)}")
    callbacks, verifications, pulse = load.callbacks(where), load.verifications(where), load.pulse(where)
    facts = gather(callbacks, verifications, pulse, as_of_us=microseconds(until))
    if not facts.callbacks:
        raise NotFoundError(_nothing(callbacks, where, f"{until:%Y-%m-%d %H:%M} UTC"))
    say(f"folding {facts.callbacks:,} callbacks")
    attempts = load.keep(
        model.attempts(callbacks, as_of=until, patience=patience, verifications=verifications, pulse=pulse)
    )
    sessions = load.keep(model.sessions(attempts, window=window))
    if begin is not None:
        started = microseconds(begin)
        attempts = nw.from_native(attempts).filter(nw.col("session_started_us") >= started).to_native()
        sessions = nw.from_native(sessions).filter(nw.col("started_us") >= started).to_native()
    counted = _counts(attempts, sessions)
    if not counted["sessions"]:
        raise NotFoundError(f"no session in {named_place(where)} started since {begin:%Y-%m-%d %H:%M} UTC; try earlier")
    frames, doubts = _measured(attempts, sessions, window, say)
    context = frames["time-to-verify"].iloc[0]
    return Study(
        frames=frames,
        facts=facts,
        as_of=pd.Timestamp(until),
        since=None if begin is None else pd.Timestamp(begin),
        patience_seconds=float(context["patience_seconds"]),
        window_seconds=float(context["window_seconds"]),
        attempts=counted["attempts"],
        sessions=counted["sessions"],
        unknown_statuses=counted["unknown_statuses"],
        first_started=moment_of(counted["first_started_us"]),
        doubts=doubts,
    )


def named_place(where: str) -> str:
    """Name a store without what leads to it: no folders of a machine, no user, password or host of a database.

    >>> named_place("sqlite:////srv/callbacks.db"), named_place("postgresql://me:secret@db/verify"), named_place("a/b/")
    ('callbacks.db', 'postgresql:…/verify', 'b')
    """
    backend, address, rest = where.partition("://")
    last = (rest if address else where).split("?")[0].rstrip("/").rpartition("/")[2]
    return last if not address or backend.startswith("sqlite") else f"{backend.split('+')[0]}:…/{last}"


def _nothing(callbacks: Any, where: str, until: str) -> str:
    """Say why there is nothing to report: an empty store, or one that began later."""
    first = _one(nw.from_native(callbacks).select("received_us").sort("received_us").head(1))
    if first is None:
        return f"{named_place(where)} holds no callbacks yet: nothing to report"
    began = moment_of(int(first["received_us"]))
    return (
        f"{named_place(where)} holds no callbacks up to {until}: its first one was received at {began:%Y-%m-%dT%H:%MZ}"
    )


def _counts(attempts: Any, sessions: Any) -> dict[str, int]:
    """Count what the report is about."""
    one = nw.lit(1).alias("_one")
    frame = nw.from_native(attempts).filter(nw.col("is_attempt"))
    odd = nw.when(nw.col("has_unknown_status")).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)
    of_attempts = _one(
        frame.with_columns(one, _odd=odd).group_by("_one").agg(nw.len().alias("rows"), nw.col("_odd").sum())
    )
    of_sessions = _one(
        nw.from_native(sessions)
        .with_columns(one)
        .group_by("_one")
        .agg(nw.len().alias("rows"), nw.col("started_us").min())
    )
    return {
        "attempts": 0 if of_attempts is None else int(of_attempts["rows"]),
        "unknown_statuses": 0 if of_attempts is None else int(of_attempts["_odd"]),
        "sessions": 0 if of_sessions is None else int(of_sessions["rows"]),
        "first_started_us": 0 if of_sessions is None else int(of_sessions["started_us"]),
    }


def _one(frame: Any) -> pd.Series | None:
    table = (frame.lazy() if isinstance(frame, nw.DataFrame) else frame).collect().to_pandas()
    return table.iloc[0] if len(table) else None


def _measured(attempts: Any, sessions: Any, window: Any, say: Say) -> tuple[dict[str, pd.DataFrame], tuple[str, ...]]:
    """Compute every frame; what the metrics doubt is kept for the reader of the report."""
    frames = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DoubtfulWarning)
        for name, (metric, by) in FRAMES.items():
            say(f"computing {name}")
            options = {"window": window} if metric == "retries" else {}
            frames[name] = getattr(metrics, metric)(sessions if metric in OF_SESSIONS else attempts, by=by, **options)
    doubts = [str(each.message).partition(": ")[2] for each in caught if issubclass(each.category, DoubtfulWarning)]
    for other in caught:
        if not issubclass(other.category, DoubtfulWarning):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    return frames, tuple(dict.fromkeys(doubts))
