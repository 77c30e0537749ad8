"""The server's loop is woken once for many answers, and never left asleep."""

from collections.abc import Callable
from typing import Any

from collector.channel import wake_once


class Trigger:
    """Waitress's trigger, with a counter for its pipe; something may happen while the pipe is read."""

    def __init__(self) -> None:
        self.octets = 0
        self.thunks: list[object] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def pull_trigger(self, thunk: Any = None) -> None:
        self.octets += 1
        if thunk is not None:
            self.thunks.append(thunk)

    def handle_read(self) -> None:
        self.meanwhile()
        self.octets = 0


def test_many_answers_wake_the_loop_once_and_the_next_one_after_it_again() -> None:
    trigger = Trigger()
    wake_once(trigger)
    for _ in range(5):
        trigger.pull_trigger()
    assert trigger.octets == 1
    trigger.handle_read()
    trigger.pull_trigger()
    assert trigger.octets == 1


def test_who_answers_while_the_pipe_is_emptied_leaves_nobody_asleep() -> None:
    trigger = Trigger()
    wake_once(trigger)
    trigger.pull_trigger()
    trigger.meanwhile = trigger.pull_trigger
    trigger.handle_read()
    trigger.meanwhile = lambda: None
    # Whatever was taken with the pipe: the next answer finds a way to wake the loop.
    trigger.pull_trigger()
    assert trigger.octets == 1


def test_what_is_to_be_done_by_the_loop_is_always_handed_over() -> None:
    trigger = Trigger()
    wake_once(trigger)
    trigger.pull_trigger()
    trigger.pull_trigger("this")
    assert trigger.thunks == ["this"]
