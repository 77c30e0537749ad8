"""A number is not stored, not logged and not said: all that a run leaves behind is searched for what it took in."""

import base64
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.collector.conftest import NUMBER, PATH, PEPPER, SECRET, TOKEN, CollectorProcess, Provider, clean_environment

# Digits that the number leaves behind nowhere, however it is cut: its last seven.
TELLING = NUMBER[-7:]
ODD = {"Channel": "sms", "Recipient": NUMBER}


def spellings(text: str) -> dict[str, bytes]:
    octets = text.encode()
    return {"plain": octets, "base64": base64.b64encode(octets)[:-2], "utf-16": text.encode("utf-16-le")}


def traffic(collector: CollectorProcess) -> list[str]:
    """Send the number in every way there is, also where it does not belong; give the nonces it came with."""
    send, nonces = collector.provider, []
    for name in ("SessionStatus", "Channel", "ChannelStatus", "ChannelErrorCode", "AttemptUUID", "Recipient", "New"):
        nonces.append(send.nonce())
        collector.post(Provider.fields(f"s-{name}", **{name: f"+{NUMBER}"}), send.headers(nonces[-1]))
    nonces.append(send.nonce())
    collector.get(Provider.fields("by-get"), send.headers(nonces[-1]))
    collector.post(Provider.fields("forged"), send.headers(nonces[-1]))
    collector.post(Provider.fields("unsigned"), {})
    collector.request("GET", f"/nowhere/{NUMBER}?Recipient={NUMBER}")
    collector.raw(f"GET {PATH}?Recipient={NUMBER} HTTP/1.1\r\nbroken\r\n\r\n".encode())
    return nonces


def test_no_file_and_no_stream_of_a_run_holds_a_number_a_token_or_a_nonce(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET).start()
    nonces = traffic(collector)
    copies = collector.folder / "copies"
    copies.mkdir()
    said = {
        f"{number}: {' '.join(words)}": collector.run(*words, stdin=stdin)
        for number, (words, stdin) in enumerate([
            (("key",), b"not a number " + NUMBER.encode()),
            (("status",), b""),
            (("doctor", "--no-request"), b""),
            (("key",), NUMBER.encode()),
            (("quarantine", "list"), b""),
            (("quarantine", "show", "1"), b""),
            (("backup", str(copies / "early.db")), b""),
            (("erase",), NUMBER.encode()),
            (("erase", "--yes"), NUMBER.encode()),
            (("prune", "--older-than", "1h", "--quarantine-older-than", "1h"), b""),
            (("restore", str(copies / "early.db"), "--verify"), b""),
            (("move", "--to", f"sqlite:///{collector.folder / 'moved.db'}"), b""),
            (("quarantine", "list"), b""),
        ])
    }  # fmt: skip
    assert collector.end() == 0
    assert {name: done.returncode for name, done in said.items() if done.returncode} == {"0: key": 2}
    written = {f"{name} says": done.stdout + done.stderr for name, done in said.items()}
    # A copy of before the erasure holds quarantine, the one table with clear content.
    kept_apart = {collector.env_file, copies / "early.db"}
    written |= {str(file): file.read_bytes() for file in everything(collector.folder) if file not in kept_apart}
    assert {"store.db", "collector.log"} <= {Path(name).name for name in written}
    hidden = {"number": TELLING, "token": TOKEN, "secret": SECRET, "pepper": PEPPER}
    hidden |= {f"nonce {number}": nonce for number, nonce in enumerate(nonces)}
    found = [
        (where, what, how)
        for where, content in written.items()
        for what, text in hidden.items()
        for how, octets in spellings(text).items()
        if octets in content
    ]
    assert found == []


def test_the_search_finds_a_number_where_it_may_be(make_collector: Callable[..., CollectorProcess]) -> None:
    """The control: quarantine keeps requests as they came, so the same search must find it there."""
    collector = make_collector().start()
    collector.post(ODD)
    assert TELLING.encode() in b"".join(file.read_bytes() for file in collector.folder.glob("store.db*"))


def test_no_command_takes_a_number_or_a_secret_as_an_argument_that_other_users_see() -> None:
    for command in ("key", "erase", "serve", "doctor"):
        done = subprocess.run(
            [sys.executable, "-m", "collector", command, NUMBER],
            capture_output=True, check=False, env=clean_environment(), timeout=60,
        )  # fmt: skip
        assert done.returncode == 2
        assert TELLING.encode() not in done.stdout


def everything(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]
