"""Makes the parts of one history in several processes at once; what comes of it is the same, and in the same order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, TypeVar

from verify_analytics.errors import VerifyAnalyticsError

if TYPE_CHECKING:
    from verify_analytics.simulate.history import History
    from verify_analytics.simulate.plan import Plan

_Work = TypeVar("_Work")
_Made = TypeVar("_Made")
# What a working process has: its own copy of the history, made of the same plan.
_here: list[History] = []


def in_order(
    plan: Plan, make: Callable[[History, _Work], _Made], works: Sequence[_Work], processes: int
) -> Iterator[_Made]:
    """Do each piece of work on a history, in so many processes; give what comes of them in their order.

    Parameters
    ----------
    make
        A function of a module, given a history of this plan and one piece of work.

    Raises
    ------
    VerifyAnalyticsError
        If a process was ended from outside.
    """
    from verify_analytics.simulate.history import History

    if min(processes, len(works)) == 1:
        history = History(plan)
        yield from (make(history, work) for work in works)
        return
    # Not forked: threads of the libraries would stay behind in the middle of their work.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(works)), context, _begin, (plan,)) as pool:
        try:
            yield from pool.map(_do, [make] * len(works), works)
        except BrokenProcessPool:
            raise VerifyAnalyticsError(
                "a working process was ended from outside, perhaps for want of memory; try fewer processes"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(plan: Plan) -> None:
    """Prepare a working process."""
    from verify_analytics.simulate.history import History

    # Ctrl-C reaches every process of the terminal; the one that was started by hand ends the others in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _here[:] = [History(plan)]


def _end_with_parent() -> None:
    """End when whoever started this process is gone, however that came: nobody else would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(make: Callable[[History, _Work], _Made], work: _Work) -> _Made:
    return make(_here[0], work)
