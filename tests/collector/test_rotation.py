"""Tokens and peppers are changed on a collector that goes on, and nothing that was true before becomes false."""

from collections.abc import Callable

from collector import recipient
from collector.keys import keys_of
from tests.collector.conftest import NUMBER, PEPPER, TOKEN, CollectorProcess, Provider
from tests.collector.records import NEWER

NEW_TOKEN = "pX39rT6vLq0ZbN81mWsK4yHcE7uJgD5oAfI2nQxB"


def give(collector: CollectorProcess, name: str, *values: str) -> None:
    """Set a list of secrets, oldest first, and start the collector anew."""
    collector.end()
    lines = collector.env_file.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(f"{name}=")]
    collector.env_file.write_text("\n".join([*kept, f"{name}={','.join(values)}"]) + "\n")
    collector.start()


def test_while_a_token_is_rotated_both_prove_and_afterwards_only_the_new_one(
    collector_process: CollectorProcess,
) -> None:
    collector = collector_process
    old, new = collector.provider, Provider(NEW_TOKEN)
    fresh = iter(str(10**18 + number) for number in range(10))
    assert collector.post(old.fields("a"), old.headers()).status == 200
    assert collector.post(old.fields("too-early"), new.headers(next(fresh))).status == 403
    give(collector, "PLIVO_AUTH_TOKEN", TOKEN, NEW_TOKEN)
    assert collector.post(old.fields("b"), old.headers()).status == 200
    assert collector.post(old.fields("c"), new.headers(next(fresh))).status == 200
    # Plivo sends both signatures while it rotates.
    both: dict[str, str] = {}
    nonce = next(fresh)
    for one in (old, new):
        for header, value in one.headers(nonce).items():
            both[header] = value if header.endswith("Nonce") or header not in both else f"{both[header]},{value}"
    assert collector.post(old.fields("d"), both).status == 200
    give(collector, "PLIVO_AUTH_TOKEN", NEW_TOKEN)
    assert collector.post(old.fields("too-late"), old.headers()).status == 403
    assert collector.post(old.fields("e"), new.headers(next(fresh))).status == 200
    # A retry that only the old token signed is refused now; one that both signed is known.
    assert collector.post(old.fields("d"), both).status == 200
    assert [row[0] for row in collector.rows("SELECT session_id FROM callbacks ORDER BY callback_id")] == list("abcded")
    assert collector.rows("SELECT DISTINCT proof FROM callbacks") == [("v2",)]


def test_a_new_pepper_keys_new_numbers_while_a_retry_from_before_it_stays_a_retry(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector().start()
    signed = collector.provider.headers()
    assert collector.post(collector.provider.fields("a"), signed).status == 200
    give(collector, "COLLECTOR_PEPPER", PEPPER, NEWER)
    assert collector.post(collector.provider.fields("a"), signed).status == 200
    assert collector.post(collector.provider.fields("a", Channel="voice"), signed).status == 403
    assert collector.post(collector.provider.fields("b")).status == 200
    old, new = (recipient.key_id(pepper.encode()) for pepper in (PEPPER, NEWER))
    rows = collector.rows("SELECT session_id, substr(recipient_key, 1, 8), digest FROM callbacks ORDER BY callback_id")
    assert [row[:2] for row in rows] == [("a", old), ("a", new), ("b", new)]
    # The digest is the oldest pepper's: the content is recognised.
    assert rows[0][2] == rows[1][2]
    assert collector.rows("SELECT key_id FROM peppers ORDER BY pepper_id") == [(old,), (new,)]
    collector.end()
    assert collector.rows("SELECT sum(accepted), sum(repeated), sum(refused) FROM pulse") == [(2, 1, 1)]
    keys = collector.run("key", stdin=NUMBER.encode()).stdout.decode().strip().split("\t")
    assert keys == keys_of(NUMBER, (PEPPER.encode(), NEWER.encode()))
    assert {row[0] for row in collector.rows("SELECT recipient_key FROM callbacks")} == set(keys)
    assert b"callbacks        3" in collector.run("erase", "--yes", stdin=NUMBER.encode()).stdout
    assert collector.rows("SELECT count(*) FROM callbacks") == [(0,)]
    # The order in the settings does not matter, the older one may not go.
    text = collector.env_file.read_text()
    collector.env_file.write_text(text.replace(f"{PEPPER},{NEWER}", NEWER))
    refused = collector.run("serve")
    assert (refused.returncode, f"lacks the pepper {old}".encode() in refused.stderr) == (2, True)
    for command in (["erase"], ["quarantine", "replay", "--all"]):
        assert b"lacks the pepper" in collector.run(*command, stdin=NUMBER.encode()).stderr
