"""A log says what happened in words and counts; what was sent stays out of it, whoever does the logging."""

import json
import logging
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

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


def written_by(code: str, root: Path) -> list[dict[str, object]]:
    """Run code in a process that logs as `serve` does, and give what it wrote: every line, each one JSON."""
    begin = "import sys, threading, logging, warnings\nfrom collector import logs\nlogs.to_standard_error()\n"
    ran = subprocess.run(
        [sys.executable, "-c", begin + textwrap.dedent(code)], cwd=root, capture_output=True, text=True, check=False
    )
    assert ran.stdout == ""
    for told in (NUMBER, PATH, "Traceback"):
        assert told not in ran.stderr
    return [json.loads(one) for one in ran.stderr.splitlines()]


UNCAUGHT = [
    f"""
        def work(): raise ValueError("{NUMBER}")
        thread = threading.Thread(target=work); thread.start(); thread.join()
    """,
    f"""
        def work(): raise ValueError("{NUMBER}\\n{PATH}")
        work()
    """,
    f"""
        class Odd:
            def __del__(self): work()
        def work(): raise ValueError("{PATH}")
        Odd()
    """,
]


@pytest.mark.parametrize("code", UNCAUGHT, ids=["in a thread", "in the main thread", "in a finalizer"])
def test_what_nobody_catches_is_one_line_without_its_text(code: str, root: Path) -> None:
    (found,) = written_by(code, root)
    assert (found["event"], found["level"], found["error"]) == ("uncaught", "critical", "ValueError")
    assert isinstance(found["where"], list)
    assert found["where"][-1].endswith("work")


def test_an_interruption_ends_as_before(root: Path) -> None:
    assert written_by("threading.Thread(target=sys.exit).start()\nraise SystemExit(3)", root) == []


def test_what_waitress_and_the_warnings_module_say_is_one_line_each(root: Path) -> None:
    found = written_by(
        f"""
        try:
            raise KeyError("{NUMBER}")
        except KeyError:
            logging.getLogger("waitress").exception("Exception while serving %s", "{PATH}?{NUMBER}")
        logging.getLogger("waitress").error("a line\\nand another, {PATH}")
        logging.getLogger("waitress.queue").warning("Task queue depth is %d", 7)
        warnings.warn("{PATH} is old")
        """,
        root,
    )
    assert [(one["event"], one["from"]) for one in found] == [
        ("library", "waitress"),
        ("library", "waitress"),
        ("library", "py.warnings"),
    ]
    assert found[0]["error"] == "KeyError"
