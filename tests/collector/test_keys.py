"""A number gives the keys that the store keeps for it, and never appears where others could read it."""

from collections.abc import Callable

import pytest

from collector import store
from collector.errors import CollectorError
from collector.keys import keys_of, numbers
from tests.collector.conftest import NUMBER, PEPPER, CollectorProcess
from tests.collector.records import NEWER, column, fill, line, settings_for

WRITTEN = ["+1 201 555 0123", "1-201-555-0123", "+1 (201) 555.0123", "１２０１５５５０１２３"]


@pytest.mark.parametrize("written", WRITTEN)
def test_however_a_number_is_written_its_key_is_the_one_that_was_stored(database_url: str, written: str) -> None:
    settings = settings_for(database_url)
    fill(settings, line("a"))
    (number,) = numbers(written.encode())
    assert keys_of(number, settings.peppers) == column(database_url, store.callbacks.c.recipient_key)


def test_after_a_rotation_both_keys_are_given_with_the_newest_first(database_url: str) -> None:
    fill(settings_for(database_url), line("a"))
    both = settings_for(database_url, PEPPER, NEWER)
    fill(both, line("b", 1))
    assert keys_of(NUMBER, both.peppers) == column(database_url, store.callbacks.c.recipient_key)[::-1]


@pytest.mark.parametrize("odd", ["call me", "98", "1" * 16, "+1 201 555 0123 ext. 4", "a@example.com"])
def test_a_line_that_is_no_number_is_named_and_not_repeated(odd: str) -> None:
    with pytest.raises(CollectorError, match="line 3 is no phone number") as caught:
        numbers(f"{NUMBER}\n\n{odd}\n".encode())
    assert odd not in str(caught.value)


@pytest.mark.parametrize("nothing", [b"", b"\n \n"])
def test_nothing_on_standard_input_is_said(nothing: bytes) -> None:
    with pytest.raises(CollectorError, match="no number came"):
        numbers(nothing)


def test_what_is_no_text_is_said() -> None:
    with pytest.raises(CollectorError, match="no text in UTF-8"):
        numbers(b"\xff\xfe1\x002")


def test_the_command_prints_a_line_for_each_number_with_the_keys_beside_each_other(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector(COLLECTOR_PEPPER=f"{PEPPER},{NEWER}")
    ran = collector.run("key", stdin=f"+{NUMBER}\n12015550199\n".encode())
    wanted = [keys_of(n, (PEPPER.encode(), NEWER.encode())) for n in (NUMBER, "12015550199")]
    assert ran.stdout.decode().splitlines() == ["\t".join(keys) for keys in wanted]
    assert ran.stderr == b""
    refused = collector.run("key", stdin=b"nobody")
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"line 1 is no phone number" in refused.stderr
