"""Concurrent clients of a collector that keep on sending while things are done to it."""

import http.client
import random
import threading
from collections.abc import Callable
from contextlib import closing, suppress

from tests.collector.conftest import PATH, Provider
from tests.collector.faults.oracle import Book, Delivery, Kind

# Of twenty requests: mostly new callbacks; some come again, some cannot be read, some are not from the provider.
_MIX: list[Kind | str] = ["callback"] * 13 + ["again"] * 4 + ["unreadable", "report", "forged"]
# Fewer than are stored, so that every acknowledged arrival has a row of its own.
_TRIES = 8


class Clients:
    """Clients in threads of their own, from entering the `with` block to leaving it.

    Parameters
    ----------
    port
        Gives the port at which the collector is now.
    book
        Where everything is noted down.
    count
        How many send at the same time, each over one connection that it keeps as long as it lasts.
    seed
        Of what they send, in which order.
    """

    def __init__(self, port: Callable[[], int], book: Book, *, count: int = 4, seed: int = 0) -> None:
        self._port = port
        self._book = book
        self._seed = seed
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(count)]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let each finish the request it is at, and end."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        dice = random.Random(f"{self._seed}/{number}")
        client = Client(self._port, self._book)
        mine: list[Delivery] = []
        while not self._stop.is_set():
            if not self._send_one(client, dice, mine):
                # Not a busy loop while nobody listens.
                self._stop.wait(0.02)
        client.close()

    def _send_one(self, client: "Client", dice: random.Random, mine: list[Delivery]) -> bool:
        """Send what the dice say; False if there was no answer."""
        what = dice.choice(_MIX)
        if what in {"again", "forged"} and mine:
            earlier = mine[dice.randrange(max(0, len(mine) - 50), len(mine))]
            if what == "again" and earlier.sent < _TRIES:
                return client.send(earlier)
            if what == "forged" and earlier.acknowledged:
                return client.forge(earlier)
        kind: Kind = what if what in {"unreadable", "report"} else "callback"  # type: ignore[assignment]
        delivery = self._book.new(kind)
        if kind == "callback":
            mine.append(delivery)
        return client.send(delivery)


def takes_a_fresh_callback(port: int, book: Book) -> bool:
    """Say whether a callback that never was before is acknowledged now."""
    delivery = book.new("callback")
    with closing(Client(lambda: port, book)) as client:
        client.send(delivery)
    return delivery.acknowledged == 1


class Client:
    """One client with one connection at a time."""

    def __init__(self, port: Callable[[], int], book: Book, timeout: float = 20) -> None:
        self._port = port
        self._book = book
        self._timeout = timeout
        self._provider = Provider()
        self._connection: http.client.HTTPConnection | None = None

    def send(self, delivery: Delivery) -> bool:
        """Send one delivery once and note what came of it; False if there was no answer."""
        self._book.sending(delivery)
        path = "/verifications" if delivery.kind == "report" else PATH
        status = self._post(path, delivery.body, delivery.headers(self._provider))
        if status:
            self._book.answered(delivery, status)
        return bool(status)

    def forge(self, delivery: Delivery) -> bool:
        """Send another content under the nonce and signature of a delivery that was acknowledged."""
        body = delivery.body.replace(b"delivered", b"undelivered")
        status = self._post(PATH, body, delivery.headers(self._provider))
        if status:
            self._book.refused_forgery(delivery, status)
        return bool(status)

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
        self._connection = None

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port(), timeout=self._timeout)
            self._connection.request("POST", path, body, headers)
            with self._connection.getresponse() as answer:
                answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._book.failed(error)
            self.close()
            return 0
        return answer.status
