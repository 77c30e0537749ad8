"""A mistake of ours is never a 500: what was proved is kept apart or asked for again, and nobody reads a traceback.

The real process, with an error planted in each room of a callback's road. It strikes where a request says so, and its
text holds what the log must never hold.
"""

import sys

import pytest

from tests.collector.attacks.conftest import MakeTarget
from tests.collector.attacks.tools import FORM, Answer, Target, by_v2, written
from tests.collector.conftest import NUMBER, PATH, TOKEN

# Each room is given a wrapper that fails when a text of its own is among what it was given. Run as the launcher of the
# real command line: the modules that are planted are those that the process then serves with.
PLANTED = f"""
import functools, runpy, sys

def plant(owner, name, word, error):
    genuine = getattr(owner, name)

    @functools.wraps(genuine)
    def struck(*given, **named):
        if word in repr((given, named)):
            raise error("{NUMBER}", "{TOKEN}", given)
        return genuine(*given, **named)

    setattr(owner, name, struck)

from collector import door, form, ledger, recipient, signature, wire, writer

plant(door.Door, "open", "break-the-door", KeyError)
plant(signature, "verify", "break-the-signature", RuntimeError)
plant(form, "query_octets", "break-the-query", ValueError)
plant(wire, "read", "break-the-wire", ZeroDivisionError)
plant(wire, "digest", "break-the-digest", RecursionError)
plant(recipient, "describe", "999555", TypeError)
plant(ledger.Ledger, "_apply", "break-the-ledger", RuntimeError)
plant(ledger.Ledger, "_apply_in_hope", "break-the-ledger", RuntimeError)
plant(ledger, "_store", "break-the-row", OverflowError)
plant(writer.Writer, "append", "break-the-writer", MemoryError)
plant(ledger.Ledger, "write", "break-it-all", SystemError)
sys.argv = ["collector", *sys.argv[4:]]
runpy.run_module("collector", run_name="__main__")
"""

# What strikes, and what then becomes of a proved callback: 200 and kept apart, or 503 and asked for again.
MISTAKES = {
    "break-the-door": 503,
    "break-the-signature": 503,
    "break-the-query": 503,
    "break-the-digest": 503,
    "break-the-wire": 200,
    "999555": 200,
    "break-the-ledger": 503,
    "break-the-row": 200,
    "break-the-writer": 503,
}


@pytest.fixture(scope="module")
def planted(make_target: MakeTarget) -> Target:
    return make_target().start(sys.executable, "-c", PLANTED)


def callback(word: str) -> bytes:
    where = f"{PATH}?{word}" if word == "break-the-query" else PATH
    return written([FORM, *by_v2()], f"SessionUUID={word}&Recipient={word if word.isdigit() else NUMBER}", where=where)


@pytest.mark.parametrize("word", MISTAKES)
def test_a_mistake_in_any_room_is_a_200_kept_apart_or_a_503(planted: Target, word: str) -> None:
    before = planted.stored()
    answer = planted.ask(callback(word))
    assert answer.status == MISTAKES[word]
    assert planted.stored() == (before[0], before[1] + (answer.status == 200))
    check(answer)
    # Whoever comes next notices nothing.
    assert planted.ask(callback("well")).status == 200


def check(answer: Answer) -> None:
    for telling in (b"Traceback", b"Error", b"File", NUMBER.encode(), TOKEN.encode(), b"break", b"collector/"):
        assert telling not in answer.body
    if answer.status == 503:
        assert b"Retry-After: 5" in answer.head.split(b"\r\n")


def test_the_log_has_the_kind_and_the_place_and_nothing_of_the_request(planted: Target) -> None:
    for word in MISTAKES:
        planted.ask(callback(word))
    events = [event for event in planted.events() if event["level"] == "error"]
    assert {event["event"] for event in events} == {"request_failed", "reading_failed", "row_failed"}
    kinds = {event["error"] for event in events}
    assert kinds >= {"KeyError", "RuntimeError", "ZeroDivisionError", "TypeError", "OverflowError", "MemoryError"}
    # The last place named is where it struck.
    places = {event["where"][-1].partition(":")[0] for event in events}
    assert places == {"<string>"}
    rooms = {place.partition(":")[0] for event in events for place in event["where"]}
    assert rooms >= {"routes.py", "door.py", "ledger.py"}
    text = planted.log.read_text()
    for telling in (NUMBER, TOKEN, PATH, "break-the", "999555", "Traceback"):
        assert telling not in text


def test_what_was_kept_apart_says_why(planted: Target) -> None:
    reasons = "SELECT reason, count(*) > 0 FROM quarantine GROUP BY 1 ORDER BY 1"
    assert planted.rows(reasons) == [("our_mistake", 1), ("unstorable", 1)]


def test_a_mistake_that_takes_the_writer_with_it_is_a_503_and_the_end_of_the_process(planted: Target) -> None:
    """Last here: a process without its writer answers what is in hand and ends, for systemd to start it anew."""
    answer = planted.ask(callback("break-it-all"))
    assert answer.status == 503
    check(answer)
    assert planted.process.wait(30) == 1
    died = [event for event in planted.events() if event["event"] == "writer_died"]
    assert [(event["error"], event["why"]) for event in died] == [("SystemError", "unknown")]
    assert any(place.startswith("writer.py:") for place in died[0]["where"])
    assert TOKEN not in planted.log.read_text()
