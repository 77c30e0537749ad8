"""A capture comes in through the same door, as often as one likes, and leaves a store as if it had been served live."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import event, select

from collector import store
from collector.errors import CollectorError
from collector.replay import Replayed, open_replay
from collector.settings import Settings
from tests.collector.conftest import NUMBER, PATH, PEPPER, SECRET, TOKEN, URL, CollectorProcess, Provider

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
MINUTE = 60_000_000
DAY = 86_400
NOON_US = 1_788_264_000_000_000
# A year and more later, which the longest capture here goes to.
NOW = NOON_US + 500 * 1_440 * MINUTE


def at(seconds: float = 0) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def line(seconds: float = 0, session: str = "s-1", nonce: str = "1", **changed: Any) -> dict[str, Any]:
    """One captured callback."""
    return {
        "received_at": at(seconds),
        "method": "POST",
        "url": URL,
        "headers": list(map(list, Provider().headers(nonce).items())),
        "body": urlencode(Provider.fields(session)),
    } | changed


def written(*lines: Any) -> list[bytes]:
    return [(one if isinstance(one, str) else json.dumps(one)).encode() + b"\n" for one in lines]


class Place:
    """A store to replay into, and what it holds afterwards."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'store.db'}"
        self.told: list[int] = []
        self.settings = Settings(
            tokens=(TOKEN,),
            public_urls=(URL,),
            paths=(PATH,),
            peppers=(PEPPER.encode(),),
            verification_secrets=(SECRET.encode(),),
            database_url=self.url,
        )

    def replay(self, lines: list[bytes], **options: Any) -> Replayed:
        with open_replay(self.settings, NOW, told=self.told.append, **options) as run:
            return run(lines)

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        engine = store.reader_engine(self.url)
        with engine.connect() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
                for table in store.metadata.sorted_tables
            }

    def pulse(self) -> dict[int, tuple[int, ...]]:
        """Minutes after noon → accepted, repeated, quarantined, refused."""
        return {(row[1] - NOON_US) // MINUTE: row[2:6] for row in self.content()["pulse"] if row[0] == "replay"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def verification(seconds: float = 0, sign: str | None = None) -> dict[str, Any]:
    body = json.dumps({"session_id": "s-1", "verified_at": at(seconds)})
    mac = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    headers = {"X-Signature": f"sha256={mac if sign is None else sign}"}
    return line(seconds, url="https://hooks.example.com/verifications", headers=headers, body=body)


MIXED = written(
    line(0),
    line(1, "s-2", "2", method="GET", url=f"{URL}?{urlencode(Provider.fields('s-2'))}", body=""),
    line(61, "s-3", "3"),
    line(62, "s-3", "3"),
    line(63, "forged", "3"),
    line(64, headers=[]),
    line(65, nonce="4", body="Channel=sms"),
    line(66, nonce="5", body="", body_base64=base64.b64encode(urlencode(Provider.fields("s-5")).encode()).decode()),
    verification(70),
    verification(71, sign="0" * 64),
    line(72, url="https://hooks.example.com/nowhere"),
    "",
    line(200, "s-6", "6"),
)


def test_a_capture_is_stored_refused_and_kept_apart_as_it_would_have_been_live(place: Place) -> None:
    result = place.replay(MIXED)
    assert dict(result.table()) == {
        "lines": 13,
        "accepted": 5,
        "repeated": 1,
        "quarantined": 1,
        "known": 0,
        "verification": 1,
        "refused": 4,
        "refused: nonce_reused": 1,
        "refused: not_found": 1,
        "refused: signature": 1,
        "refused: verification_signature": 1,
    }
    content = place.content()
    assert [row[5 - 1] for row in content["callbacks"]] == ["s-1", "s-2", "s-3", "s-3", "s-5", "s-6"]
    assert [row[2] for row in content["callbacks"]][:2] == [NOON_US, NOON_US + 1_000_000]
    assert [row[1:] for row in content["verifications"]] == [("s-1", NOON_US + 70_000_000, NOON_US + 70_000_000)]
    assert place.pulse() == {0: (2, 0, 0, 0), 1: (2, 1, 1, 4), 2: (0, 0, 0, 0), 3: (1, 0, 0, 0)}
    assert json.loads(content["pulse"][1][6]) == {
        "nonce_reused": 1,
        "not_found": 1,
        "signature": 1,
        "verification_signature": 1,
    }


def test_what_v2_alone_proved_is_counted_once_however_often_it_is_replayed(place: Place) -> None:
    v3 = [["X-Plivo-Signature-V3", "x" * 44], ["X-Plivo-Signature-V3-Nonce", "1"]]
    lines = written(*(line(0, f"s-{n}", str(n), headers=[*line(nonce=str(n))["headers"], *v3]) for n in (1, 2)))
    for _ in range(2):
        place.replay([*lines, *written(line(1, headers=[]))])
        assert place.pulse()[0] == (2, 0, 0, 1)
        assert [row[6] for row in place.content()["pulse"]] == ['{"signature": 1, "v3_unproved": 2}']


def test_replaying_twice_adds_nothing(place: Place) -> None:
    place.replay(MIXED)
    before = place.content()
    again = place.replay(MIXED)
    assert place.content() == before
    assert (again.outcomes["known"], again.outcomes["accepted"], again.outcomes["repeated"]) == (7, 0, 0)


def test_the_size_of_a_transaction_changes_nothing(tmp_path: Path) -> None:
    contents = []
    for batch in (1, 3, 5_000):
        (tmp_path / str(batch)).mkdir()
        place = Place(tmp_path / str(batch))
        place.replay(MIXED, batch=batch)
        contents.append(place.content())
    assert contents[0] == contents[1] == contents[2]


def test_a_replayed_and_a_served_callback_are_the_same_but_for_their_moment(
    place: Place, collector_process: CollectorProcess
) -> None:
    collector_process.post(Provider.fields("s-1"), Provider().headers("1"))
    served = collector_process.rows("SELECT * FROM callbacks")[0]
    place.replay(written(line()))
    replayed = place.content()["callbacks"][0]
    moments = {1, 2}  # arrival_id, received_at
    assert [v for i, v in enumerate(served) if i not in moments] == [
        v for i, v in enumerate(replayed) if i not in moments
    ]


def test_minutes_said_to_be_down_have_no_pulse_and_quiet_ones_have_zeros(place: Place) -> None:
    place.replay(
        written(
            line(0),
            {"down_from": at(120), "down_to": at(300)},
            {"down_from": at(390), "down_to": at(395)},
            line(301, "s-2", "2"),
            line(480, "s-3", "3"),
        )
    )
    assert sorted(place.pulse()) == [0, 1, 5, 7, 8]


def test_an_empty_span_says_that_the_receiver_was_up_in_that_minute(place: Place) -> None:
    place.replay(
        written({"down_from": at(-60), "down_to": at(-60)}, line(60), {"down_from": at(210), "down_to": at(210)})
    )
    assert sorted(place.pulse()) == [-1, 0, 1, 2, 3]


def test_a_line_received_in_a_minute_said_to_be_down_is_counted_in_it(place: Place) -> None:
    place.replay(
        written(line(0), {"down_from": at(60), "down_to": at(240)}, line(150, "s-2", "2"), line(300, "s-3", "3"))
    )
    assert place.pulse() == {0: (1, 0, 0, 0), 2: (1, 0, 0, 0), 4: (0, 0, 0, 0), 5: (1, 0, 0, 0)}


def test_a_capture_in_two_files_adds_up(place: Place) -> None:
    whole = written(line(0), line(1, "s-2", "2"), line(2, headers=[]), line(3, "s-3", "3"), line(70, "s-4", "4"))
    place.replay(whole[:2])
    place.replay(whole[2:])
    assert place.pulse() == {0: (3, 0, 0, 1), 1: (1, 0, 0, 0)}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{", "is not JSON"),
        ('{"received_at": "2026-09-01T12', "is not JSON"),
        ("[" * 10_000, "is not JSON"),
        ("[]", "is not a JSON object"),
        (line() | {"received_at": "noon"}, "has no moment 'received_at'"),
        (line() | {"received_at": "2026-09-01T12:00:00"}, "without a zone"),
        (line() | {"url": None}, "has no text 'url'"),
        (line() | {"method": 1}, "has no text 'method'"),
        (line() | {"headers": "X: y"}, "has no headers"),
        (line() | {"headers": [["X", 1]]}, "has no headers"),
        (line() | {"headers": [["X"]]}, "has no headers"),
        (line() | {"body": 5}, "has no text 'body'"),
        (line() | {"body_base64": "%%%"}, "is not base64"),
        ({"down_from": at(0)}, "has no text 'down_to'"),
        ({"down_from": at(1), "down_to": at(0)}, "ends a span before it begins"),
        (line() | {"received_at": "1999-12-31T23:59:59Z"}, "has a moment 'received_at' before the year 2000 or"),
        (line(501 * DAY + 1), "has a moment 'received_at' before the year 2000 or more than a day from now"),
        ({"down_from": "1970-01-01T00:00:00Z", "down_to": at(0)}, "has a moment 'down_from' before the year 2000"),
        ({"down_from": at(0), "down_to": "9999-12-31T00:00:00Z"}, "has a moment 'down_to' before the year 2000"),
        (line(400 * DAY + 1), "makes the capture span more than 400 days"),
        (line(-399.9999 * DAY), "makes the capture span more than 400 days"),
        ({"down_from": at(100), "down_to": at(401 * DAY)}, "makes the capture span more than 400 days"),
    ],
)
def test_a_line_that_is_no_request_ends_the_replay_by_its_number_and_keeps_what_came_before(
    place: Place, bad: Any, said: str
) -> None:
    lines = written(line(0), line(61, "s-2", "2"), bad, line(62, "s-3", "3"))
    with pytest.raises(CollectorError, match="line 3 ") as caught:
        place.replay(lines)
    assert said in str(caught.value)
    assert "the 2 lines before it are stored" in str(caught.value)
    assert NUMBER not in str(caught.value)
    content = place.content()
    assert [row[4] for row in content["callbacks"]] == ["s-1", "s-2"]
    assert place.pulse() == {0: (1, 0, 0, 0), 1: (1, 0, 0, 0)}
    place.replay([*lines[:2], lines[3]])
    assert [row[4] for row in place.content()["callbacks"]] == ["s-1", "s-2", "s-3"]


def test_a_capture_of_400_days_and_a_line_a_day_ahead_are_taken(place: Place) -> None:
    assert place.replay(written(line(501 * DAY))).outcomes["accepted"] == 1
    down = {"down_from": at(60), "down_to": at(400 * DAY)}
    place.replay(written(line(0, "s-2", "2"), down, line(400 * DAY, "s-3", "3")))
    assert sorted(place.pulse()) == [0, 400 * 1_440, 501 * 1_440]


def test_headers_may_also_be_an_object_and_the_url_one_with_a_fragment_or_without_a_path(place: Place) -> None:
    result = place.replay(
        written(line(headers=dict(Provider().headers("1")), url=f"{URL}#x"), line(url="https://hooks.example.com"))
    )
    assert (result.outcomes["accepted"], result.refused) == (1, {"not_found": 1})


def test_unproved_lines_are_refused_unless_accepted_and_then_marked(place: Place) -> None:
    lines = written(line(0, headers=[]), line(1, "s-2", "2"))
    assert place.replay(lines).refused == {"signature": 1}
    accepted = place.replay(lines, accepts_unproved=True)
    assert (accepted.outcomes["accepted"], accepted.outcomes["known"]) == (1, 1)
    assert {row[4]: row[15] for row in place.content()["callbacks"]} == {"s-1": "none", "s-2": "v2"}
    assert place.replay(lines, accepts_unproved=True).outcomes["known"] == 2


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Give, by table, how many rows it had at each commit of a store opened from now on."""
    real = store.writer_engine
    counts: dict[str, list[int]] = {"callbacks": [0], "pulse": [0]}

    def watched(url: str) -> Any:
        engine = real(url)

        @event.listens_for(engine, "commit")
        def count(connection: Any) -> None:
            for table, rows in counts.items():
                rows.append(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar())

        return engine

    monkeypatch.setattr("collector.replay.writer_engine", watched)
    return counts


def test_a_year_of_refusals_is_written_in_parts_and_once(place: Place, grown: dict[str, list[int]]) -> None:
    # As many minutes as there are lines: all of them in one statement are more than PostgreSQL takes of a month.
    lines = written(*(line(60 * n, headers=[]) for n in range(2_500)))
    for _ in range(2):
        place.replay(lines)
        assert place.pulse() == dict.fromkeys(range(2_500), (0, 0, 0, 1))
    assert max(after - before for before, after in pairwise(grown["pulse"])) <= 1_000


def test_a_capture_is_written_in_short_transactions_and_told_as_it_goes(
    place: Place, grown: dict[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.replay.TELL", 300)
    result = place.replay(written(*(line(n / 100, f"s-{n}", str(n)) for n in range(700)), line(400_000, headers=[])))
    assert result.outcomes["accepted"] == 700
    assert place.told == [300, 600, 701]
    assert len(place.content()["callbacks"]) == 700
    assert len(place.pulse()) == 6_667
    largest = {table: max(after - before for before, after in pairwise(rows)) for table, rows in grown.items()}
    assert largest == {"callbacks": 300, "pulse": 1_000}


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Give a function that lets every store opened from now on grow to so many pages."""
    real = store.writer_engine

    def limit(pages: int) -> None:
        def limited(url: str) -> Any:
            engine = real(url)
            event.listen(engine, "connect", lambda c, _: c.execute(f"PRAGMA max_page_count = {pages}"))
            return engine

        monkeypatch.setattr("collector.replay.writer_engine", limited)

    yield limit
    monkeypatch.undo()


def test_a_full_disk_is_said_and_what_was_written_is_whole(place: Place, full_disk: Callable[[int], None]) -> None:
    lines = written(*(line(n, f"s-{n}", str(n)) for n in range(1_000)))
    full_disk(60)
    with pytest.raises(CollectorError, match="full"):
        place.replay(lines, batch=50)
    kept = len(place.content()["callbacks"])
    assert 0 < kept < 1_000
    assert kept % 50 == 0
    full_disk(1_000_000)
    assert place.replay(lines).outcomes == {"known": kept, "accepted": 1_000 - kept}


def test_a_replay_beside_a_server_makes_nobody_wait_too_long(
    collector_process: CollectorProcess, tmp_path: Path
) -> None:
    capture = tmp_path / "capture.jsonl"
    capture.write_bytes(b"".join(written(*(line(n / 100, f"s-{n}", str(n)) for n in range(6_000)))))
    replayed: list[int] = []
    thread = threading.Thread(target=lambda: replayed.append(collector_process.run("replay", str(capture)).returncode))
    thread.start()
    answers: list[int] = []
    while thread.is_alive():
        headers = Provider().headers(f"9{len(answers):05}")
        answers.append(collector_process.post(Provider.fields("live"), headers).status)
    thread.join()
    assert replayed == [0]
    assert set(answers) == {200}
    with closing(store.reader_engine(f"sqlite:///{collector_process.store}").connect()) as connection:
        sessions = list(connection.scalars(select(store.callbacks.c.session_id)))
    assert sessions.count("live") == len(answers)
    assert len(sessions) == 6_000 + len(answers)
