"""Makes a whole history: what happened, what was said of it, what arrived, and both written down.

`history` is what callers start from. A history is made in parts of some thousand sessions, each a slice of time, so a
long one never lies in memory as a whole; the result does not depend on who asks for the parts, or how often.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verify_analytics.simulate import countries, rhythm
from verify_analytics.simulate.arrivals import Arrivals, Reports, arrive, report
from verify_analytics.simulate.callbacks import Said, say
from verify_analytics.simulate.countries import Integers
from verify_analytics.simulate.features import Features
from verify_analytics.simulate.manners import Manners, choose
from verify_analytics.simulate.people import Start, Story, live
from verify_analytics.simulate.plan import CHUNK, Plan
from verify_analytics.simulate.streams import WHOLE, Streams

if TYPE_CHECKING:
    import pandas as pd

    from verify_analytics.simulate.archive import Archived
    from verify_analytics.simulate.capture import Progress, Written

# An hour: nobody returns sooner, so two sessions of one recipient do not lie in one code's life.
_AWAY_US = 3_600_000_000


@dataclass(frozen=True)
class Part:
    """Some sessions with all that belongs to them; arrivals up to the end of the history."""

    story: Story
    said: Said
    arrivals: Arrivals
    reports: Reports
    manners: Manners


class History:
    """A simulated provider's history with known truth. Made by `history`.

    Parameters
    ----------
    plan
        What to make.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._calendar = rhythm.calendar(plan.end_at, plan.days)
        full, rest = divmod(plan.sessions, plan.chunk_sessions)
        self._sizes = [plan.chunk_sessions] * full + [rest] * (rest > 0)
        whole = Streams(plan.seed, WHOLE)
        self._borders = rhythm.borders(whole, self._sizes)
        self._bursts = rhythm.bursts(whole, plan.features, self._calendar, plan.sessions)
        self.outages = rhythm.outages(whole, plan.features, self._calendar)
        self.chunk = lru_cache(maxsize=2)(self._chunk)

    @property
    def start_us(self) -> int:
        """When the history begins, µs since 1970; its first session comes later."""
        return self._calendar.start_us

    @property
    def end_us(self) -> int:
        """When the history ends; nothing is received later."""
        return rhythm.microseconds(self.plan.end_at)

    @property
    def as_of_us(self) -> int:
        """The moment from which the truth is told."""
        return rhythm.microseconds(self.plan.read_at)

    @property
    def sessions(self) -> int:
        """How many sessions there are, bots included."""
        return self.plan.sessions + sum(burst.sessions for burst in self._bursts)

    @property
    def slices(self) -> int:
        """How many slices of time it is made in."""
        return len(self._sizes)

    def chunks(self) -> Iterator[list[Part]]:
        """Give the history slice by slice of time, each as parts: people, and bots where they are at work.

        No session begins before one of an earlier slice; what arrives of a slice may arrive in a later one.
        """
        for index in range(len(self._sizes)):
            yield self.chunk(index)

    def border_us(self, index: int) -> int:
        """When slice `index` begins; past the last one, when the history ends."""
        if index >= len(self._sizes):
            return self.end_us
        return int(rhythm.moments(self._calendar, self._borders[index : index + 1])[0]) if index else self.start_us

    def write_capture(
        self,
        path: str | Path,
        *,
        url: str,
        tokens: tuple[str, ...] | list[str],
        main_token: str | None = None,
        verification_url: str | None = None,
        verification_secret: str | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Write what arrived, one signed request a line; see `capture.write`."""
        from verify_analytics.simulate import capture

        keys = capture.Keys(url, tuple(tokens), main_token, verification_url, verification_secret)
        return capture.write(self, Path(path), keys, progress)

    def write_truth(self, path: str | Path) -> int:
        """Write what happened and what was seen of it, one row per attempt; see `truth.write`."""
        from verify_analytics.simulate import truth

        return truth.write(self, Path(path))

    def write_archive(self, folder: str | Path, *, processes: int = 1, progress: Progress | None = None) -> Archived:
        """Write what a collector would have archived, without running one; see `archive.write`."""
        from verify_analytics.simulate import archive

        return archive.write(self, Path(folder), processes=processes, progress=progress)

    def truth(self) -> pd.DataFrame:
        """Give what `write_truth` writes. One row per attempt."""
        from verify_analytics.simulate import truth

        found: pd.DataFrame = truth.table(self).to_pandas()
        return found

    def frames(self) -> dict[str, pd.DataFrame]:
        """Give callbacks, verifications and pulse as a store would hold them; see `frames.frames`."""
        from verify_analytics.simulate import frames

        return frames.frames(self)

    def _chunk(self, index: int) -> list[Part]:
        people = self._part(self._people(index), Streams(self.plan.seed, index + 1, "people"))
        bots = self._bots(index)
        if not len(bots.start_us):
            return [people]
        return [people, self._part(bots, Streams(self.plan.seed, index + 1, "bots"))]

    def _people(self, index: int) -> Start:
        streams, size = Streams(self.plan.seed, index + 1, "start"), self._sizes[index]
        begin, end = self._borders[index], self._borders[index + 1]
        position = begin + (end - begin) * np.sort(streams.uniform("start", size))
        start_us = rhythm.moments(self._calendar, position)
        place = rhythm.places(self._calendar, start_us, streams.uniform("place", size))
        recipient = countries.numbers(place, streams.uniform("number", size))
        returns = streams.uniform("returning", size) < self.plan.features.returning
        _return(start_us, place, recipient, np.where(returns, streams.uniform("returning.whom", size), np.nan))
        return Start(start_us, place, recipient, np.zeros(size, dtype=np.bool_))

    @cached_property
    def _all_bots(self) -> Start:
        """Give the bots of the whole history: few beside the people, so they are made at once."""
        streams = Streams(self.plan.seed, WHOLE, "bots")
        start_us, place, numbers = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)], list[str]()
        for i, burst in enumerate(self._bursts):
            # A machine's pace: evenly, but for the clock of the network.
            pace = (np.arange(burst.sessions) + 0.3 * streams.uniform(f"pace.{i}", burst.sessions)) / burst.sessions
            start_us.append(burst.from_us + np.floor(pace * (burst.to_us - burst.from_us)).astype(np.int64))
            place.append(np.full(burst.sessions, burst.place))
            numbers += countries.neighbours(burst.place, burst.base, burst.sessions)
        moments = np.concatenate(start_us)
        order = np.argsort(moments, kind="stable")
        recipient = [numbers[i] for i in order.tolist()]
        return Start(moments[order], np.concatenate(place)[order], recipient, np.ones(len(order), dtype=np.bool_))

    def _bots(self, index: int) -> Start:
        """Give the bots that are at work in a slice of time."""
        bots = self._all_bots
        first, last = np.searchsorted(bots.start_us, [self.border_us(index), self.border_us(index + 1)]).tolist()
        here = slice(first, last)
        return Start(bots.start_us[here], bots.place[here], bots.recipient[here], bots.bot[here])

    def _part(self, start: Start, streams: Streams) -> Part:
        features = self.plan.features
        story = live(start, streams, features, expiry_seconds=self.plan.expiry_seconds)
        said = say(story, streams, features)
        arrivals = arrive(said, story, streams, features, self.outages)
        reports = report(story, streams, features, self.outages, (self.start_us, self.end_us))
        seen, told = arrivals.received_us < self.end_us, reports.received_us < self.end_us
        return Part(
            story=story,
            said=said,
            arrivals=Arrivals(*(column[seen] for column in vars(arrivals).values())),
            reports=Reports(*(column[told] for column in vars(reports).values())),
            manners=choose(story, streams, features),
        )


def history(
    sessions: int,
    *,
    seed: int,
    end: datetime,
    days: int = 28,
    as_of: datetime | None = None,
    patience_seconds: float = 900.0,
    window_seconds: float = 600.0,
    expiry_seconds: float = 600.0,
    features: Features | None = None,
    chunk_sessions: int = CHUNK,
) -> History:
    """Simulate a provider's history: people ask for codes, networks carry them, callbacks arrive or do not.

    Parameters
    ----------
    sessions
        Of people, over the whole period. Those of bots come on top (`Features.bots`).
    seed
        The same seed and arguments give the same bytes, on every run with the same version of numpy.
    end
        When the period ends, with a time zone. Nothing is received later.
    days
        How long it is; shares of the day and week follow each place's local time.
    as_of
        The moment from which the truth tells what was seen; by default `end`.
    patience_seconds, window_seconds
        For the truth: how long an attempt may wait, and how long after its last attempt a session may be verified.
    expiry_seconds
        How long a code is valid; whoever asks again within it gets another attempt of the same session.
    features
        What is switched on; by default everything.
    chunk_sessions
        How many sessions are made at once. Another size gives another history of the same kind.

    Returns
    -------
    History
        Nothing is made until it is asked for.

    Raises
    ------
    ArgumentError
        For fewer than one session or day, a moment without a zone, a length that is not positive.

    Examples
    --------
    >>> from datetime import UTC
    >>> made = history(50, seed=1, end=datetime(2026, 9, 29, tzinfo=UTC), days=7)
    >>> sorted(made.truth()["true_channel"].unique())[:2]
    ['sms', 'voice']
    """
    return History(
        Plan(
            sessions=sessions,
            seed=seed,
            end=end,
            days=days,
            as_of=as_of,
            patience_seconds=patience_seconds,
            window_seconds=window_seconds,
            expiry_seconds=expiry_seconds,
            features=features or Features(),
            chunk_sessions=chunk_sessions,
        )
    )


def _return(start_us: Integers, place: Integers, recipient: list[str], whom: np.typing.NDArray[np.float64]) -> None:
    """Give some sessions the number of an earlier session of the same place, at least an hour before.

    Parameters
    ----------
    whom
        Uniform in [0, 1): which of the earlier ones; NaN where nobody returns.
    """
    returns = np.isfinite(whom)
    for index in np.unique(place).tolist():
        rows = np.nonzero(place == index)[0]
        at_us = start_us[rows]
        before = np.searchsorted(at_us, at_us - _AWAY_US)
        chosen = (np.where(returns[rows], whom[rows], 0.0) * before).astype(np.int64)
        chosen[~returns[rows] | (before == 0)] = -1
        latest: dict[str, int] = {}
        mine = [recipient[row] for row in rows.tolist()]
        for i, (moment, earlier) in enumerate(zip(at_us.tolist(), chosen.tolist(), strict=True)):
            # That one may have returned already, just now.
            if earlier >= 0 and latest[mine[earlier]] <= moment - _AWAY_US:
                mine[i] = recipient[rows[i]] = mine[earlier]
            latest[mine[i]] = moment
