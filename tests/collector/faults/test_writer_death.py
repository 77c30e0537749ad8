"""Promise 8 when the writing thread dies of our mistake: nobody waits in vain, and the process ends for a restart."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.collector.conftest import CollectorProcess, Provider

Make = Callable[..., CollectorProcess]
# The collector as it is, but for one mistake: a row of the session "fatal" does what no row should be able to do.
MISTAKEN = """
import sys
from collector import ledger
from collector.__main__ import main

apply = ledger.Ledger.write

def write(self, connection, items, also):
    if any(getattr(item, "row", None) and item.row["session_id"] == "fatal" for item in items):
        raise {what}
    return apply(self, connection, items, also)

ledger.Ledger.write = write
main(sys.argv[4:])
"""


@pytest.mark.parametrize("what", ["RuntimeError('+12015550123')", "SystemExit(0)"])
def test_a_writer_that_dies_refuses_everybody_and_the_process_ends_with_1(make_collector: Make, what: str) -> None:
    collector = make_collector().start(sys.executable, "-c", MISTAKEN.replace("{what}", what))
    assert collector.post(Provider.fields("before")).status == 200
    with ThreadPoolExecutor(8) as pool:
        calls = [
            pool.submit(collector.post, Provider.fields("fatal"), Provider().headers(f"{10**19 + 7 + n}"))
            for n in range(8)
        ]
        ends = [call.exception() or call.result().status for call in calls]
    assert collector.process.wait(30) == 1
    # Who was inside was told 503; who came later found nobody, and not one waited for its patience to end.
    assert [end for end in ends if end == 503]
    assert all(end == 503 or isinstance(end, OSError) for end in ends)
    assert [event["error"] for event in collector.events() if event["event"] == "writer_died"] == [
        what.partition("(")[0]
    ]
    # Started anew, without the mistake.
    collector.start()
    assert collector.post(Provider.fields("fatal"), Provider().headers("99")).status == 200
    assert collector.rows("SELECT session_id FROM callbacks") == [("before",), ("fatal",)]
    assert "15550123" not in collector.log.read_text()
