"""When was each source speaking? The rule about long silences, in plain Python, for the `witness` to judge by.

The model answers this question with running counts over minutes; here reports are walked through one after the other.
The two share no line. The rules, as read from the dictionary of metrics and the decision on silences:

1. A source speaks from its first report received to its last. Reports are those of the application, and the first
   callback of each attempt that said verified.
2. A silence is a run of whole minutes without a report, between two minutes with one.
3. It is long when it has at least 60 minutes; when outside of it, between the first and the last report, at least 20
   sessions were reported; when at the share reported there at least 20 reports were to be expected of the sessions that
   began in it; and when fewer than half of these were reported after all.
4. Sessions count from their first moment, and only where a code may have reached somebody: something was delivered, or
   an attempt was accepted and nothing worse was said of it.
5. A session is observable when it began while the source spoke, and from there to the end of its waiting no minute of a
   long silence was touched.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

_MINUTE_US = 60_000_000


class Begun(NamedTuple):
    """A session as the rule sees it: when it began, whether a code may have reached somebody, whether it was told."""

    began_us: int
    reached: bool
    reported: bool


class Speech(NamedTuple):
    """When a source spoke: from first to last report, but for silences (from, to), whole minutes, the end excluded."""

    first_us: int | None
    last_us: int | None
    silences: tuple[tuple[int, int], ...] = ()

    def covers(self, began_us: int, until_us: int) -> bool:
        """Say whether a session that waited from one moment to the other was observable."""
        if self.first_us is None or self.last_us is None or not self.first_us <= began_us <= self.last_us:
            return False
        return not any(quiet <= until_us and began_us < loud for quiet, loud in self.silences)


def speech(sessions: Iterable[Begun], reports_us: Iterable[int]) -> Speech:
    """Find when a source spoke.

    Parameters
    ----------
    sessions
        All that were heard of.
    reports_us
        When each report of this source was received.
    """
    received = sorted(reports_us)
    if not received:
        return Speech(None, None)
    minutes = sorted({moment // _MINUTE_US for moment in received})
    counted = sorted((one.began_us // _MINUTE_US, one.reported) for one in sessions if one.reached)
    counted = [one for one in counted if minutes[0] <= one[0] <= minutes[-1]]
    reported = sum(told for _, told in counted)
    found = []
    for before, after in pairwise(minutes):
        if after - before - 1 < 60:
            continue
        inside = counted[bisect_left(counted, (before + 1, False)) : bisect_left(counted, (after, False))]
        told_inside = sum(told for _, told in inside)
        told_outside, outside = reported - told_inside, len(counted) - len(inside)
        if told_outside < 20:
            continue
        # Cross-multiplied: a number of reports expected is no whole number.
        enough = len(inside) * told_outside >= 20 * outside
        mostly_missing = 2 * told_inside * outside < len(inside) * told_outside
        if enough and mostly_missing:
            found.append(((before + 1) * _MINUTE_US, after * _MINUTE_US))
    return Speech(received[0], received[-1], tuple(found))
