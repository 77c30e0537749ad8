"""Tells systemd how things stand: ready, alive, about to end. Without systemd it tells nobody and costs nothing."""

import socket
import time
from contextlib import suppress


class Notify:
    """The service manager at the other end of a datagram socket.

    Parameters
    ----------
    address
        Of the socket: a path, or ``@`` and a name without a file. None: there is no manager.
    watchdog
        Seconds after which the manager takes a silent service for stuck; None: it does not watch.
    """

    def __init__(self, address: str | None, watchdog: float | None = None) -> None:
        self._address = address and ("\0" + address[1:] if address.startswith("@") else address)
        self._every = None if watchdog is None else watchdog / 4
        self._said_at = float("-inf")

    def __call__(self, state: str) -> None:
        """Send one word, such as ``READY=1``; a manager that does not listen is no reason to stop."""
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                # A manager that is held up itself must not hold up whoever writes.
                sender.setblocking(False)
                sender.sendto(state.encode(), self._address)

    def alive(self) -> None:
        """Say that the one who calls still gets round; at most four times in the time the manager waits."""
        if self._every is not None and time.monotonic() - self._said_at >= self._every:
            self._said_at = time.monotonic()
            self("WATCHDOG=1")
