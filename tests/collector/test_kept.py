"""Quarantine is shown without giving numbers away, and what can be read after a fix comes back as what it was, once."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from collector import kept, ledger, recipient, store, wire
from collector.errors import CollectorError
from collector.items import Outcome
from collector.settings import Settings
from tests.collector.conftest import NUMBER, PEPPER, CollectorProcess
from tests.collector.records import BOTH, NEWER, change, column, contents, fill, line, moment, settings_for

LATER = moment(10**6)
LONG = "x" * 300


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings of a store with two readable callbacks, two unreadable ones and a forged one."""
    made = settings_for(database_url)
    told = fill(
        made,
        line("a", 0, nonce="1" * 20),
        line("b", 1),
        line("c", 2, nonce="3" * 20, Channel=LONG),
        line("d", 3, SessionUUID=""),
        line("forged", 4, nonce="1" * 20),
    )
    assert (told["accepted"], told["quarantined"], told["refused"]) == (2, 2, 1)
    return made


@pytest.fixture
def fixed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mend the reading: a long channel is readable now."""
    monkeypatch.setattr(wire, "LONGEST_VALUE", 400)


def listed(settings: Settings, **chosen: object) -> list[str]:
    return list(kept.listed(settings.database_url, **({"reason": None, "limit": 50} | chosen)))  # type: ignore[arg-type]


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_what_is_kept_is_listed_with_the_newest_first_and_by_reason(settings: Settings) -> None:
    lines = listed(settings)
    assert [line.split()[2] for line in lines[1:-1]] == ["nonce_reused", "no_session", "field_too_long"]
    assert lines[-1] == "3 of 3 shown"
    assert listed(settings, limit=1)[-1] == "1 of 3 shown"
    assert [line.split()[2] for line in listed(settings, reason="no_session")[1:-1]] == ["no_session"]
    assert listed(settings, reason="odd") == ["quarantine holds nothing of this reason"]
    assert NUMBER not in "\n".join(lines)


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_a_request_is_shown_without_digits_that_could_be_a_number_unless_it_is_asked_for_raw(
    settings: Settings,
) -> None:
    text = "\n".join(kept.shown(settings.database_url, 1))
    assert "field     SessionUUID = c" in text
    assert "field     Recipient = ###########" in text
    assert NUMBER not in text
    assert NUMBER.encode() in kept.raw(settings.database_url, 1)


def test_what_a_request_brought_cannot_speak_to_the_terminal(database_url: str) -> None:
    made = settings_for(database_url)
    odd = "SessionUUID=\x1b[31m&SessionUUID=&b=\u202e&\x9b2J=%0d%0a%1b]0;title%07".encode()
    fill(made, line("", body=odd, headers=[("X-Odd", "\x1b[2J\r")]))
    for text in kept.shown(database_url, 1):
        assert text.isprintable(), text
    assert "SessionUUID = \\x1b[##m" not in "\n".join(kept.shown(database_url, 1))
    assert b"\x1b[31m" in kept.raw(database_url, 1)


def test_a_row_that_is_not_there_is_said(settings: Settings) -> None:
    with pytest.raises(CollectorError, match="no row 99"):
        list(kept.shown(settings.database_url, 99))
    with pytest.raises(CollectorError, match="no row 99"):
        kept.replay(settings, [1, 99], LATER)
    assert column(settings.database_url, store.quarantine.c.replayed_at) == [None] * 3


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_what_cannot_be_read_still_stays_where_it_is(settings: Settings) -> None:
    outcomes, _ = kept.replay(settings, [], LATER)
    assert outcomes == {"still unreadable: field_too_long": 1, "still unreadable: no_session": 1}
    assert column(settings.database_url, store.quarantine.c.replayed_at) == [None] * 3
    assert len(contents(settings.database_url, store.callbacks)) == 2


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
@pytest.mark.usefixtures("fixed")
def test_what_a_fix_makes_readable_is_stored_as_the_arrival_it_was_and_only_once(settings: Settings) -> None:
    url = settings.database_url
    before = contents(url, store.nonces)
    outcomes, _ = kept.replay(settings, [], LATER)
    assert outcomes == {"stored": 1, "still unreadable: no_session": 1}
    assert column(url, store.quarantine.c.replayed_at) == [LATER, None, None]
    assert contents(url, store.nonces) == before
    digest = column(url, store.quarantine.c.digest)[0]
    assert column(url, store.callbacks.c.digest)[-1] == digest
    assert column(url, store.callbacks.c.received_at)[-1] == moment(2)
    assert column(url, store.callbacks.c.proof)[-1] == "v2"
    named = wire.arrival_id(moment(2), [("v2", "3" * 20)], digest)
    assert column(url, store.callbacks.c.arrival_id)[-1] == named
    assert kept.replay(settings, [1], LATER + 1)[0] == {"replayed before": 1}
    # A capture of the same request says the same: it is known.
    assert fill(settings, line("c", 2, nonce="3" * 20, Channel=LONG))["known"] == 1
    assert len(contents(url, store.callbacks)) == 3


@pytest.mark.usefixtures("fixed")
def test_a_mark_that_was_lost_does_not_store_a_row_twice(settings: Settings) -> None:
    kept.replay(settings, [], LATER)
    change(settings.database_url, store.quarantine.update().values(replayed_at=None))
    kept.replay(settings, [], LATER)
    assert len(contents(settings.database_url, store.callbacks)) == 3


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_a_forged_content_never_comes_back_also_when_it_is_named(settings: Settings) -> None:
    outcomes, refused = kept.replay(settings, [3], LATER)
    assert outcomes == {"refused: nonce_reused": 1}
    assert refused == ["row 3 is not stored: its signature came first with another content, so this content is forged"]
    # Nor under another reason: what the nonce is bound to decides.
    change(settings.database_url, store.quarantine.update().values(reason="field_too_long"))
    assert kept.replay(settings, [3], LATER)[0] == {"refused: nonce_reused": 1}
    # Nor where what it was bound to is gone: what it was kept for decides too.
    change(settings.database_url, store.quarantine.update().values(reason="nonce_reused"))
    change(settings.database_url, store.nonces.delete())
    assert kept.replay(settings, [3], LATER)[0] == {"refused: nonce_reused": 1}
    assert len(contents(settings.database_url, store.callbacks)) == 2


@pytest.mark.usefixtures("fixed")
@pytest.mark.parametrize(
    ("change_to", "why"),
    [
        ({"body": b"SessionUUID=another"}, "content_changed"),
        ({"headers": json.dumps([["X-Plivo-Signature-V2-Nonce", "4" * 20]])}, "nonce_lost"),
    ],
)
def test_a_row_that_is_not_as_it_was_kept_is_refused(
    settings: Settings, change_to: dict[str, object], why: str
) -> None:
    rows = store.quarantine.c.quarantine_id == 1
    change(settings.database_url, store.quarantine.update().where(rows).values(**change_to))
    outcomes, refused = kept.replay(settings, [1], LATER)
    assert outcomes == {f"refused: {why}": 1}
    assert refused
    assert len(contents(settings.database_url, store.callbacks)) == 2


def test_replay_needs_neither_tokens_nor_urls_but_every_pepper_and_keys_with_the_newest(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings_for(database_url), line("c", 2, Channel=LONG))
    monkeypatch.setattr(wire, "LONGEST_VALUE", 400)
    bare = {"COLLECTOR_DATABASE_URL": database_url, "COLLECTOR_PEPPER": NEWER}
    with pytest.raises(CollectorError, match="lacks the pepper"):
        kept.replay(Settings.read(bare, require="keys"), [], LATER)
    settings = Settings.read(bare | {"COLLECTOR_PEPPER": f"{PEPPER},{NEWER}"}, require="keys")
    assert kept.replay(settings, [], LATER)[0] == {"stored": 1}
    key = column(database_url, store.callbacks.c.recipient_key)[0]
    assert key.startswith(recipient.key_id(NEWER.encode()))


def test_the_commands_say_what_they_did_and_refuse_a_forgery_with_status_2(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector().start()
    collector.post({"SessionStatus": "odd"})
    signed = collector.provider.headers()
    assert collector.post(collector.provider.fields("a"), signed).status == 200
    assert collector.post(collector.provider.fields("forged"), signed).status == 403
    # All of it beside the server that runs.
    listed = collector.run("quarantine", "list")
    assert re.search(rb"no_session .* v2 .* POST .* -\n2 of 2 shown", listed.stdout)
    assert b"SessionStatus = odd" in collector.run("quarantine", "show", "1").stdout
    assert collector.run("quarantine", "show", "1", "--raw").stdout.endswith(b"\n\nSessionStatus=odd")
    assert collector.run("quarantine", "replay", "--all").stdout.split() == b"still unreadable: no_session 1".split()
    refused = collector.run("quarantine", "replay", "2")
    assert (refused.returncode, b"row 2 is not stored" in refused.stderr) == (2, True)
    for arguments in ((), ("1", "--all")):
        assert collector.run("quarantine", "replay", *arguments).returncode == 2
    assert collector.rows("SELECT count(*) FROM callbacks") == [(1,)]


def full(settings: Settings, **bound: int) -> list[object]:
    """What becomes of two further unreadable requests under this bound."""
    from tests.collector.test_ledger import arrival, write

    engine = store.writer_engine(settings.database_url)
    try:
        rules = ledger.Ledger(**bound)
        return [write(engine, arrival(n, f"n{n}", is_readable=False), rules=rules)[0] for n in (101, 102)]
    finally:
        engine.dispose()


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
@pytest.mark.parametrize("bound", [{"quarantine_rows": 4}, {"quarantine_bytes": -1}])
def test_quarantine_is_bounded_by_rows_and_by_bytes(settings: Settings, bound: dict[str, int]) -> None:
    if "quarantine_bytes" in bound:
        rows = contents(settings.database_url, store.quarantine)
        bound["quarantine_bytes"] = sum(len(row[5]) + len(row[6]) + len(row[7]) for row in rows) + 1
    assert full(settings, **bound) == [Outcome.QUARANTINED, Outcome.FULL]


def test_space_that_was_freed_is_noticed_though_as_much_came_in_meanwhile(settings: Settings, tmp_path: Path) -> None:
    from tests.collector.test_ledger import arrival, write

    engine = store.writer_engine(settings.database_url)
    rules = ledger.Ledger(quarantine_rows=3)
    assert write(engine, arrival(1, "a", is_readable=False), rules=rules) == [Outcome.FULL]
    change(settings.database_url, store.quarantine.delete().where(store.quarantine.c.quarantine_id < 3))
    outcomes = [write(engine, arrival(n, f"n{n}", is_readable=False), rules=rules)[0] for n in (2, 3, 4)]
    assert outcomes == [Outcome.QUARANTINED, Outcome.QUARANTINED, Outcome.FULL]
    engine.dispose()


def test_what_no_store_can_be_asked_for_is_said_in_one_sentence(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector()
    fill(settings_for(f"sqlite:///{collector.store}"), line("a", 0))
    for arguments, said in (
        (("list", "--reason", "\udcff"), rb"Error: '\udcff' is no reason: reasons are plain words"),
        (("show", str(2**63)), b"is not in the range"),
        (("replay", "9" * 20), b"is not in the range"),
        (("show", str(2**63 - 1)), b"Error: quarantine has no row 9223372036854775807"),
    ):
        ran = collector.run("quarantine", *arguments)
        assert (ran.returncode, said in ran.stderr) == (2, True), ran.stderr
        assert b"Traceback" not in ran.stderr
