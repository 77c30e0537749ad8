"""Makes requests of bytes: waitress's own parser, without the readings that a proxy in front of it may not share.

What is no request in one reading only is answered here, before any thread or any of our code sees it, in our words.
"""

import re
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask
from waitress.utilities import BadRequest

from collector.pulse import Pulse
from collector.routes import problem, problem_headers

_FOLDED = re.compile(rb"\r\n[ \t]")
_CODING = re.compile(rb"\r\ntransfer-encoding:[ \t]*([^\r]*?)[ \t]*(?=\r)", re.IGNORECASE)
_CONTROL = re.compile(r"[\0-\x20\x7f]")


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Waitress's parser, without the readings that a proxy in front of it may not share.

    Where two servers disagree about the end of a request, its rest becomes the beginning of somebody else's.
    """

    def received(self, data: bytes) -> int:
        """Take what came; whatever it is, the request ends with an answer and not with an exception in the log."""
        try:
            consumed = int(super().received(data))
        except ValueError:  # a length of thousands of digits, an address in brackets that is none
            self.error = BadRequest("Malformed")
            self.completed = True
            consumed = len(data)
        if self.completed:
            # Nothing more is wanted of it: asked to go on, the client's next request would become part of this one.
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Take the head apart, or say why it has two readings."""
        if _FOLDED.search(header_plus):
            raise ParsingError("A header over two lines")
        super().parse_header(header_plus)
        codings = [coding.lower() for coding in _CODING.findall(header_plus)]
        if self.version not in {"1.0", "1.1"} or (self.version == "1.0" and codings):
            raise ParsingError("A version of HTTP, or a coding in it, that is not spoken here")
        if codings and (codings != [b"chunked"] or "CONTENT_LENGTH" in self.headers):
            raise ParsingError("Transfer-Encoding is given twice, is empty, or has Content-Length beside it")
        if _CONTROL.search(self.request_uri):
            raise ParsingError("A control character in the target")


def channel_of(pulse: Pulse) -> type:
    """Make waitress's own refusals look like ours, and count them."""

    class WireError(ErrorTask):  # type: ignore[misc]
        def execute(self) -> None:
            # What waitress calls an internal error is trouble of ours, and worth another try.
            status = 503 if self.request.error.code == 500 else self.request.error.code
            words = {413: "body_too_large", 431: "headers_too_large", 503: "our_mistake"}
            pulse.count("refused", words.get(status, "bad_request"))
            body = problem(status, "The request cannot be taken as it is.")
            self.status = f"{status} {self.request.error.reason if status != 503 else 'Service Unavailable'}"
            self.response_headers.extend(problem_headers(status))
            self.set_close_on_finish()
            self.content_length = len(body)
            self.write(body)

    class Channel(HTTPChannel):  # type: ignore[misc]
        parser_class = Parser
        error_task_class = WireError

    return Channel


def wake_once(trigger: Any) -> None:
    """Let the threads wake the server's loop once for all that they have answered meanwhile, and not once for each.

    Each wake-up is a system call, at which the interpreter changes hands, and a look at every connection.
    """
    pull, read = trigger.pull_trigger, trigger.handle_read
    is_pulled = False

    def pull_once(thunk: Any = None) -> None:
        nonlocal is_pulled
        if thunk is not None or not is_pulled:
            is_pulled = True
            pull(thunk)

    def wake() -> None:
        nonlocal is_pulled
        # The pipe is emptied first. Who comes between the two is not pulled for, but seen in the turn that follows; the
        # other way round, its byte would be taken while the mark stays, and nobody would be woken any more.
        read()
        is_pulled = False

    trigger.pull_trigger, trigger.handle_read = pull_once, wake
