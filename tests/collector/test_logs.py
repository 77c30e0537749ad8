"""A log says what happened in words and counts; what was sent stays out of it, whoever does the logging."""

import json
import logging
import sys

from collector.logs import JsonLines

NUMBER = "12015550123"
PATH = "/callbacks/plivo/3f9d1c"


def line(name: str, message: object, *arguments: object, failure: Exception | None = None, **extra: object) -> str:
    info = None
    if failure is not None:
        try:
            raise failure
        except type(failure):
            info = sys.exc_info()
    record = logging.LogRecord(name, logging.WARNING, "somewhere.py", 7, message, arguments, info)
    vars(record).update(extra)
    return JsonLines().format(record)


def test_a_line_of_ours_is_one_json_object_with_what_belongs_to_it() -> None:
    written = line("collector", "refused", reason="signature", status=403)
    assert "\n" not in written
    found = json.loads(written)
    assert found.pop("at").endswith("+00:00")
    assert found == {"level": "warning", "event": "refused", "reason": "signature", "status": 403}


def test_an_exception_is_its_type_and_its_places_without_its_text() -> None:
    written = line("collector", "request_failed", failure=KeyError(NUMBER))
    found = json.loads(written)
    assert found["error"] == "KeyError"
    assert found["where"][0].startswith("test_logs.py:")
    assert NUMBER not in written


def test_what_another_library_says_is_kept_without_paths_numbers_and_arguments() -> None:
    for message, arguments in [
        (f"Exception while serving {PATH}", ()),
        ("Exception while serving %s", (PATH,)),
        (f"Malformed header from 127.0.0.1:51234: {NUMBER}", ()),
    ]:
        written = line("waitress", message, *arguments)
        assert json.loads(written)["from"] == "waitress"
        assert "hile serving" in written or "Malformed header" in written
        for told in (PATH, NUMBER, "127.0.0.1", "51234"):
            assert told not in written


def test_a_message_that_is_no_text_is_named_by_its_kind() -> None:
    assert json.loads(line("other", KeyError(NUMBER)))["said"] == "KeyError"
