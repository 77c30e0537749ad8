"""Which store, seen from when, and which part of it? Opened once, for all cells of a notebook."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import narwhals as nw

from verify_analytics import load, model
from verify_analytics.errors import ArgumentError
from verify_analytics.model.moments import microseconds, moment

from .progress import Bar

Moment = str | datetime
STEPS = 4


class Study(NamedTuple):
    """One store as a notebook looks at it.

    `callbacks` are those received in the period, `attempts` and `sessions` those of sessions that started in it;
    `pulse` and `verifications` are None where the store keeps none. Frames are DuckDB relations, or those of the
    analyst's own engine.
    """

    callbacks: Any
    verifications: Any
    pulse: Any
    attempts: Any
    sessions: Any
    as_of: datetime
    summary: str

    def _repr_html_(self) -> str:
        return self.summary

    def __repr__(self) -> str:
        return self.summary


def study(
    store: Any,
    *,
    as_of: Moment,
    since: Moment | None = None,
    until: Moment | None = None,
    patience: str | timedelta = "15min",
    window: str | timedelta = "10min",
) -> Study:
    """Open a store and fold it once, so that every cell starts from the same attempts and sessions.

    In a notebook a bar shows how far it is; in a script nothing is printed.

    Parameters
    ----------
    store
        Anything ``load.callbacks`` takes: a SQLite file, a database URL, a Parquet file, an archive folder, a frame. A
        relative path that is not here is looked for in the folders above: a notebook may be run from its own folder or
        from the project's.
    as_of
        The moment we look from, with its time zone. What was received later does not exist yet.
    since, until
        Keep sessions that started from `since` on and before `until`; their attempts come with them, whenever made. By
        default all. The end of the period may be as near to `as_of` as you like: what is too young is not judged.
    patience, window
        As in ``model.attempts`` and ``model.sessions``.

    Returns
    -------
    Study
        Printed, it says what it holds. One row per callback, per attempt and per session in its frames.

    Raises
    ------
    NotFoundError, SchemaError
        As ``load.callbacks``.
    ArgumentError
        For a moment without a time zone, and for a period that cannot be: `since` not before `until` or `as_of`.
    """
    seen = moment(as_of)
    begin = None if since is None else moment(since, name="since")
    end = None if until is None else moment(until, name="until")
    if begin is not None and begin >= (end or seen):
        after = f"until={end:%Y-%m-%dT%H:%MZ}" if end else f"as_of={seen:%Y-%m-%dT%H:%MZ}"
        raise ArgumentError(f"since={begin:%Y-%m-%dT%H:%MZ} is not before {after}: no session could lie between them")
    store = _found(store)
    bar = Bar(STEPS)
    bar.step("reading callbacks")
    callbacks = load.callbacks(store)
    bar.step("reading verifications and pulse")
    told, pulse = load.verifications(store), load.pulse(store)
    bar.step("folding callbacks into attempts")
    attempts = load.keep(model.attempts(callbacks, as_of=seen, patience=patience, verifications=told, pulse=pulse))
    bar.step("grouping attempts into sessions")
    sessions = load.keep(model.sessions(attempts, window=window))
    if begin is not None or end is not None:
        callbacks = _between(callbacks, "received_us", begin, end)
        attempts = load.keep(_between(attempts, "session_started_us", begin, end))
        sessions = load.keep(_between(sessions, "started_us", begin, end))
    summary = _summary(attempts, sessions, (seen, begin, end))
    bar.end(summary)
    return Study(callbacks, told, pulse, attempts, sessions, seen, summary)


def _found(store: Any) -> Any:
    """Find a file or folder here or above; anything else is left as it is, also what is nowhere."""
    if not isinstance(store, str | Path) or "://" in str(store) or Path(store).is_absolute():
        return store
    here = Path.cwd()
    return next((folder / store for folder in (here, *here.parents) if (folder / store).exists()), store)


def _between(frame: Any, column: str, begin: datetime | None, end: datetime | None) -> Any:
    kept = nw.from_native(frame)
    if begin is not None:
        kept = kept.filter(nw.col(column) >= microseconds(begin))
    if end is not None:
        kept = kept.filter(nw.col(column) < microseconds(end))
    return kept.to_native()


def _summary(attempts: Any, sessions: Any, moments: tuple[datetime, datetime | None, datetime | None]) -> str:
    seen, begin, end = moments
    rows = [_rows(nw.from_native(attempts).filter(nw.col("is_attempt"))), _rows(nw.from_native(sessions))]
    period = "".join(
        f" {word} {each:%Y-%m-%d %H:%M} UTC" for word, each in (("from", begin), ("before", end)) if each is not None
    )
    started = f" that started{period}" if period else ""
    return f"{rows[1]:,} sessions{started}, with {rows[0]:,} attempts; as of {seen:%Y-%m-%d %H:%M} UTC."


def _rows(frame: Any) -> int:
    lazy = frame.lazy() if isinstance(frame, nw.DataFrame) else frame
    return int(lazy.select(nw.len()).collect("pyarrow").item(0, 0))
