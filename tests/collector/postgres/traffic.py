"""Clients that send callbacks until they are told to stop, and remember what they were promised."""

import http.client
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Self
from urllib.parse import quote, urlencode

from tests.collector.conftest import PATH, CollectorProcess, Provider


class Traffic:
    """Several clients at once, each callback with a session and a nonce of its own.

    Parameters
    ----------
    collectors
        To which in turn; one that does not answer counts as unanswered.
    """

    def __init__(self, collectors: Sequence[CollectorProcess], clients: int = 4, name: str = "t") -> None:
        self.collectors = collectors
        self.sent: dict[str, dict[str, str]] = {}
        self.nonces: dict[str, str] = {}
        self.acknowledged: set[str] = set()
        self.answers: Counter[int] = Counter()
        self._numbers = itertools.count(1)
        self._name = name
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _run(self, number: int) -> None:
        for turn in itertools.count(number):
            if self._stop.is_set():
                return
            count = next(self._numbers)
            session = f"{self._name}-{count}"
            collector = self.collectors[turn % len(self.collectors)]
            # Not the providers' own: each of them counts from the same number.
            fields, nonce = Provider.fields(session, ErrorDetail=f"word {session}"), str(2 * 10**19 + count)
            with self._lock:
                self.sent[session], self.nonces[session] = fields, nonce
            status = deliver(collector, fields, nonce)
            with self._lock:
                self.answers[status] += 1
                if status == 200:
                    self.acknowledged.add(session)
            if status != 200:
                # As a client that was turned away: not at once again, nor a thousand times a second.
                self._stop.wait(0.05)

    def wait_for(self, holds: Callable[[], bool], seconds: float = 60) -> None:
        """Go on until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, dict(self.answers)
            time.sleep(0.02)

    def check(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Compare with (session_id, attempt_id, channel_status, extra) of every row in the store."""
        found = {row[0]: row[1:] for row in rows if row[0].startswith(f"{self._name}-")}
        assert self.acknowledged - set(found) == set(), "acknowledged and lost"
        assert set(found) - set(self.sent) == set(), "in the store and never sent"
        assert Counter(row[0] for row in rows).most_common(1)[0][1] == 1, "sent once and stored twice"
        for session, row in found.items():
            assert row == (f"{session}-a", "delivered", f'{{"ErrorDetail": "word {session}"}}')


def deliver(collector: CollectorProcess, fields: dict[str, str], nonce: str, timeout: float = 30) -> int:
    """Send one callback and give the status of the answer; 0 if there was none."""
    connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=timeout)
    headers = {"Content-Type": "application/x-www-form-urlencoded", **collector.provider.headers(nonce)}
    try:
        connection.request("POST", PATH, urlencode(fields, quote_via=quote), headers)
        return connection.getresponse().status
    except OSError:
        return 0
    except http.client.HTTPException:
        return 0
    finally:
        connection.close()


STORED = "SELECT session_id, attempt_id, channel_status, extra FROM callbacks"
