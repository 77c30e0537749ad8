"""A capture holds what arrived, signed, in order; and the same history gives the same bytes."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.verify_analytics.simulate.conftest import KEYS, Capture, Line, proved, read_capture
from verify_analytics.errors import ArgumentError
from verify_analytics.simulate import Features, History, signing
from verify_analytics.simulate.capture import Written

Make = Callable[..., History]


def test_every_arrival_is_a_line_and_every_line_an_arrival(world: History, capture: Capture) -> None:
    parts = world.chunk(0)
    arrived = Counter(us for part in parts for us in part.arrivals.received_us.tolist())
    reported = Counter(us for part in parts for us in part.reports.received_us.tolist())
    epoch = datetime.fromisoformat("1970-01-01T00:00Z")

    def moments(lines: list[Any]) -> Counter[int]:
        return Counter((line.received_at - epoch) // timedelta(microseconds=1) for line in lines)

    assert moments(capture.callbacks) == arrived
    assert moments(capture.reports) == reported
    assert len(arrived) > 4000
    assert len(reported) > 1000


def test_lines_are_in_the_order_received(capture: Capture) -> None:
    moments = [line.received_at for line in capture.lines]
    assert moments == sorted(moments)


def test_each_callback_is_signed_as_the_provider_signs(capture: Capture) -> None:
    for line in capture.callbacks:
        given = {name.removeprefix("X-Plivo-Signature-") for name in line.headers if name.startswith("X-Plivo")}
        given = {name for name in given if not name.endswith("Nonce")}
        assert given
        assert proved(line.method, line.url, line.headers, line.body) == given
        assert line.headers["X-Plivo-Signature-V2-Nonce"].isdigit()
        assert len(line.headers["X-Plivo-Signature-V2-Nonce"]) == 20


def test_every_way_to_sign_and_to_ask_occurs(capture: Capture) -> None:
    kinds = Counter(
        (line.method, frozenset(name[18:] for name in line.headers if name.startswith("X-Plivo")))
        for line in capture.callbacks
    )
    nonces = frozenset({"V2-Nonce"})
    for v3 in (frozenset[str](), frozenset({"V3-Nonce"})):
        for signers in ({""}, {"Ma-"}, {"", "Ma-"}):
            families = ["V2", "V3"] if v3 else ["V2"]
            names = nonces | v3 | {f"{signer}{family}" for signer in signers for family in families}
            assert kinds["POST", names] > 5
    assert sum(count for (method, _), count in kinds.items() if method == "GET") > 100


def test_a_get_carries_its_data_in_the_url_and_a_post_in_the_body(capture: Capture) -> None:
    for line in capture.callbacks:
        if line.method == "GET":
            assert line.body == ""
            assert line.url.startswith(KEYS["url"] + "?")
            assert "Content-Type" not in line.headers
        else:
            assert line.url == KEYS["url"]
            assert line.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert line.fields["SessionUUID"]


def test_a_url_with_a_query_of_its_own_keeps_it(make: Make, tmp_path: Path) -> None:
    made = make(60, features=Features(get=1.0))
    made.write_capture(tmp_path / "c", url="https://one.example/x?key=1", tokens=["t" * 20])
    for line in read_capture(tmp_path / "c").callbacks:
        assert urlsplit(line.url).query.startswith("key=1&SessionUUID=")


def test_tokens_rotate_after_a_third_and_both_sign_for_a_day(world: History, capture: Capture) -> None:
    days = Counter[tuple[str, tuple[int, ...]]]()
    begun = datetime.fromtimestamp(world.start_us / 1e6).astimezone()
    for line in capture.callbacks:
        header = line.headers.get("X-Plivo-Signature-V2")
        if header is None:
            continue
        place = (line.received_at - begun) / timedelta(days=7)
        when = "before" if place < 1 / 3 else "during" if place < 1 / 3 + 1 / 7 else "after"
        texts = [signing.signature(token, KEYS["url"] + nonce_of(line)) for token in KEYS["tokens"]]
        days[when, tuple(texts.index(value) for value in header.split(","))] += 1
    assert set(days) == {("before", (0,)), ("during", (0, 1)), ("after", (1,))}


def nonce_of(line: Line) -> str:
    return line.headers["X-Plivo-Signature-V2-Nonce"]


def test_a_redelivery_says_what_was_said_before(capture: Capture) -> None:
    by_nonce: dict[str, set[str]] = {}
    for line in capture.callbacks:
        by_nonce.setdefault(line.headers["X-Plivo-Signature-V2-Nonce"], set()).add(line.url + line.body)
    assert all(len(contents) == 1 for contents in by_nonce.values())
    assert len(by_nonce) < len(capture.callbacks)


def test_reports_are_signed_json_with_a_zone(capture: Capture) -> None:
    import hashlib
    import hmac

    for line in capture.reports:
        digest = hmac.new(KEYS["verification_secret"].encode(), line.body.encode(), hashlib.sha256).hexdigest()
        assert line.headers == {"Content-Type": "application/json", "X-Signature": f"sha256={digest}"}
        assert line.url == KEYS["verification_url"]
        assert datetime.fromisoformat(line.report["verified_at"]).utcoffset() == timedelta(0)


def test_a_capture_says_when_the_receiver_was_down_and_that_it_was_up_to_both_ends(
    world: History, capture: Capture
) -> None:
    start, end = (datetime.fromisoformat(text) for text in ("2026-10-22T00:00Z", "2026-10-28T23:59Z"))
    assert capture.down[0] == (start, start)
    assert capture.down[-1] == (end, end)
    spans = capture.down[1:-1]
    assert [(up - down) / timedelta(minutes=1) for down, up in spans] == [31, 8]
    assert not any(down <= line.received_at < up for line in capture.lines for down, up in spans)


def test_the_line_about_an_outage_stands_where_it_happened(world: History, tmp_path: Path) -> None:
    world.write_capture(tmp_path / "c", **KEYS)
    rows = [json.loads(text) for text in (tmp_path / "c").read_text().splitlines()]
    for i, row in enumerate(rows[1:-1], start=1):
        if "down_from" in row:
            assert rows[i - 1]["received_at"] < row["down_from"]
            assert row["down_to"] <= rows[i + 1]["received_at"]


def test_the_same_seed_gives_the_same_bytes(make: Make, tmp_path: Path) -> None:
    for name in ("one", "other"):
        made = make(200, seed=3)
        made.write_capture(tmp_path / f"{name}.jsonl", **KEYS)
        made.write_truth(tmp_path / f"{name}.parquet")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "other.jsonl").read_bytes()
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "other.parquet").read_bytes()
    make(200, seed=4).write_capture(tmp_path / "third.jsonl", **KEYS)
    assert (tmp_path / "third.jsonl").read_bytes() != (tmp_path / "one.jsonl").read_bytes()


def test_the_bytes_do_not_depend_on_how_python_hashes_text(root: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from datetime import datetime, UTC; from verify_analytics.simulate import history\n"
        "made = history(80, seed=3, days=2, end=datetime(2026, 10, 29, tzinfo=UTC))\n"
        "made.write_capture(sys.argv[1], url='https://one.example/x', tokens=['a token for tests'])\n"
        "made.write_truth(sys.argv[1] + '.parquet')\n"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / seed], cwd=root, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("0", "1")
    ]
    assert [run.wait() for run in runs] == [0, 0]
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()
    assert (tmp_path / "0.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()


def test_a_history_in_many_parts_is_written_in_order_and_whole(make: Make, tmp_path: Path) -> None:
    made = make(600, days=1, chunk_sessions=20)
    wrote = made.write_capture(tmp_path / "c", **KEYS)
    found = read_capture(tmp_path / "c")
    moments = [line.received_at for line in found.lines]
    assert moments == sorted(moments)
    assert wrote == Written(len(found.callbacks), len(found.reports), 2)
    assert wrote.callbacks == sum(len(part.arrivals.callback) for parts in made.chunks() for part in parts)
    assert len({line.fields["SessionUUID"] for line in found.callbacks}) > 560


def test_progress_counts_sessions_up_to_all_of_them(make: Make, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    made = make(500, chunk_sessions=200)
    made.write_capture(tmp_path / "c", **KEYS, progress=lambda done, total: told.append((done, total)))
    assert len(told) == 3
    assert told[-1] == (made.sessions, made.sessions)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_without_an_address_for_reports_there_are_none(make: Make, tmp_path: Path) -> None:
    wrote = make(60).write_capture(tmp_path / "c", url=KEYS["url"], tokens=KEYS["tokens"])
    assert wrote.reports == 0
    assert wrote.callbacks > 150
    assert not read_capture(tmp_path / "c").reports


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"url": "collector.example/x"}, "url='collector.example/x' is no web address"),
        ({"verification_url": "ftp://x/y"}, "verification_url='ftp://x/y' is no web address"),
        ({"tokens": ()}, "no token to sign with"),
        ({"tokens": ("a", "")}, "no token to sign with"),
        ({"verification_secret": None}, "reports need both"),
    ],
)
def test_keys_that_cannot_sign_are_refused_before_anything_is_written(
    wrong: dict[str, Any], message: str, make: Make, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=message):
        make(5).write_capture(tmp_path / "c", **{**KEYS, **wrong})
    assert list(tmp_path.iterdir()) == []


def test_a_capture_that_was_not_finished_leaves_the_old_one_and_no_rest(make: Make, tmp_path: Path) -> None:
    (tmp_path / "c").write_text("old")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(50).write_capture(tmp_path / "c", **KEYS, progress=interrupt)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
