"""Every way of writing a request has its one answer, and whoever writes two requests as one gets none of them in.

One row a request, byte by byte, against the real process. Behind each row the same connection asks for its health: a
row that leaves the connection usable must leave it at exactly the right byte, and one that does not must close it.
"""

import json

import pytest

from tests.collector.attacks.tools import HEALTHZ, Answer, Target, answers
from tests.collector.attacks.wire_rows import ROWS, SHORT, octets_of


@pytest.mark.parametrize("name", ROWS)
def test_a_request_has_its_one_answer(target: Target, name: str) -> None:
    row = ROWS[name]
    before = target.stored()
    # What was cut short would take the second request for its own rest.
    followed = b"" if name in SHORT else HEALTHZ
    found = answers(target.raw(octets_of(row) + followed), to_head=name == "HEAD")
    is_open = bool(found) and found[-1].body == b"ok\n"
    told = found[:-1] if is_open else found
    assert (tuple(answer.status for answer in told), is_open) == (row.statuses, row.is_open)
    for answer in told:
        check(answer)
    assert target.stored() == (before[0] + row.callbacks, before[1] + row.kept)


def check(answer: Answer) -> None:
    """Hold one answer to what every answer is."""
    lines = answer.head.lower().split(b"\r\n")
    if answer.status == 100:
        assert lines == [b"http/1.1 100 continue"]
        return
    assert b"cache-control: no-store" in lines
    assert not any(line.startswith((b"server:", b"via:", b"location:", b"set-cookie:")) for line in lines)
    assert b"else.example" not in answer.head + answer.body
    if answer.status == 200:
        assert answer.body == b""
        return
    assert b"content-type: application/problem+json" in lines
    if answer.body:
        problem = json.loads(answer.body)
        assert (problem["type"], problem["status"]) == ("about:blank", answer.status)
        assert problem.keys() == {"type", "title", "status", "detail"}


def test_nothing_of_all_this_went_wrong_inside(target: Target) -> None:
    assert {event["event"] for event in target.events()} <= {"serving", "refused"}
    assert {event["status"] for event in target.events() if event["event"] == "refused"} <= {403, 404, 405}
    assert set(target.sessions()) == {"x"}


def test_a_request_that_comes_in_pieces_is_the_same_request(target: Target) -> None:
    before = target.stored()
    for name in ("a length and a body", "chunks with extensions", "three at once", "two lengths", "a folded header"):
        octets = octets_of(ROWS[name]) + HEALTHZ
        found = answers(target.raw(octets, piece=1))
        assert tuple(answer.status for answer in found if answer.body != b"ok\n") == ROWS[name].statuses
    assert target.stored() == (before[0] + 5, before[1])
