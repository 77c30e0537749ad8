"""Which figures does a report hold? Every metric, computed once, from attempts and sessions that were folded once."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import narwhals as nw
import pandas as pd

from verify_analytics import load, model
from verify_analytics.errors import ArgumentError, NotFoundError
from verify_analytics.model.moments import microseconds, moment

from .asked import Given, answers, asked_for
from .changes import Change, compared
from .facts import Facts, gather, moment_of
from .periods import Span, choose
from .suppress import suppressed, without_few

Say = Callable[[str], None]
Ready = Callable[[str, pd.DataFrame], None]


class Options(NamedTuple):
    """What else was asked of a report: small cells hidden below a size (0: none), and whether blocks are shown."""

    min_cell: int = 0
    number_blocks: bool = False


Where = str | Sequence[str]
"""The name of a store, or several that are read as one."""


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
    change: Change | None
    options: Options
    hidden: int


def study(
    where: Where,
    *,
    as_of: Any,
    since: Any,
    patience: Any,
    window: Any,
    say: Say,
    options: Options | None = None,
    ready: Ready = lambda _name, _frame: None,
) -> Study:
    """Load a store, fold it, and compute every figure of the report; `ready` is told of each frame that is final.

    Raises
    ------
    NotFoundError
        If there is nothing to report: no callback up to `as_of`, or no session since `since`.
    ArgumentError
        If `since` is not before `as_of`.
    """
    options = options or Options()
    until = moment(as_of)
    begin = None if since is None else moment(since, name="since")
    if begin is not None and begin >= until:
        raise ArgumentError(f"since={begin:%Y-%m-%dT%H:%MZ} is not before as_of={until:%Y-%m-%dT%H:%MZ}")
    say(f"reading {named_place(where)}")
    # Kept, because facts, fold and the figures on callbacks each read them whole.
    callbacks, verifications, pulse = load.keep(load.callbacks(where)), load.verifications(where), load.pulse(where)
    facts = gather(callbacks, verifications, pulse, as_of_us=microseconds(until))
    if not facts.callbacks:
        raise NotFoundError(_nothing(callbacks, where, f"{until:%Y-%m-%d %H:%M} UTC"))
    say(f"folding {facts.callbacks:,} callbacks")
    # Beside an archive most of it has been folded before.
    states = load.states(where, as_of=until, callbacks=callbacks)
    attempts = load.keep(model.finish(states, as_of=until, patience=patience, verifications=verifications, pulse=pulse))
    sessions = load.keep(model.sessions(attempts, window=window))
    whole = Given(attempts, sessions, callbacks, pulse, until, window)
    given = whole if begin is None else _since(whole, microseconds(begin))
    counted = _counts(given.attempts, given.sessions)
    if not counted["sessions"]:
        raise NotFoundError(f"no session in {named_place(where)} started since {begin:%Y-%m-%d %H:%M} UTC; try earlier")
    frames, doubts = answers(
        asked_for(number_blocks=options.number_blocks), given, say, None if options.min_cell else ready
    )
    context = frames["time-to-verify"].iloc[0]
    frames, hidden = suppressed(frames, options.min_cell)
    for name, frame in frames.items() if options.min_cell else ():
        ready(name, frame)
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
        doubts=tuple(without_few(each, options.min_cell) for each in doubts),
        change=_change(whole, facts, begin, options, say),
        options=options,
        hidden=hidden,
    )


def since_of(given: Given, span: Span) -> Given:
    """Keep what started in a span, as `_since` does."""
    return _since(given, _us(span.since), _us(span.until))


def whole_of(given: Given) -> Given:
    """Work attempts and sessions out once."""
    return given._replace(attempts=load.keep(given.attempts), sessions=load.keep(given.sessions))


def _since(given: Given, since_us: int, until_us: int | None = None) -> Given:
    """Keep what started in a period: sessions whole, with all their attempts; callbacks and minutes by when they came.

    What began before is not counted; it was loaded to tell what a later attempt followed.
    """

    def within(table: Any, name: str) -> Any:
        frame = nw.from_native(table).filter(nw.col(name) >= since_us)
        return (frame if until_us is None else frame.filter(nw.col(name) < until_us)).to_native()

    return given._replace(
        attempts=within(given.attempts, "session_started_us"),
        sessions=within(given.sessions, "started_us"),
        callbacks=within(given.callbacks, "received_us"),
        pulse=None if given.pulse is None else within(given.pulse, "minute_us"),
    )


def _change(given: Given, facts: Facts, begin: Any, options: Options, say: Say) -> Change | None:
    """Compare the report's period with the one before it, if the store holds both."""
    known = [each for each in (facts.first_received_us, facts.covered_from_us) if each is not None]
    heard = facts.covered_until_us
    periods = choose(
        as_of=pd.Timestamp(given.as_of),
        since=None if begin is None else pd.Timestamp(begin),
        reaches_to=moment_of(min(known)),
        heard_until=None if heard is None else moment_of(heard) + pd.Timedelta("1min"),
    )
    if periods is None:
        return None
    say(f"comparing {periods.now.words} with {periods.before.words}")
    now, before = (whole_of(since_of(given, span)) for span in (periods.now, periods.before))
    return compared(now, before, periods, facts.gaps, min_cell=options.min_cell)


def _us(value: pd.Timestamp) -> int:
    return microseconds(value.to_pydatetime())


def named_place(where: Where, between: str = " and ") -> str:
    """Name a store without what leads to it: no folders of a machine, no user, password or host of a database.

    >>> named_place("sqlite:////srv/callbacks.db"), named_place("postgresql://me:secret@db/verify"), named_place("a/b/")
    ('callbacks.db', 'postgresql:…/verify', 'b')
    >>> named_place(["data/archive", "callbacks.db"])
    'archive and callbacks.db'
    """
    if not isinstance(where, str):
        return between.join(named_place(each) for each in where)
    backend, address, rest = where.partition("://")
    last = (rest if address else where).split("?")[0].rstrip("/").rpartition("/")[2]
    return last if not address or backend.startswith("sqlite") else f"{backend.split('+')[0]}:…/{last}"


def _nothing(callbacks: Any, where: Where, until: str) -> str:
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
