"""How the collector says no: to its operator, and to the other end of a request."""

from __future__ import annotations


class CollectorError(Exception):
    """A command cannot do what was asked.

    The message is one sentence for the operator; a command prints it on standard error and exits with status 2. It
    never holds a secret, nor a phone number.
    """


class Refused(Exception):  # noqa: N818 - it reads as what happened, and names no fault of ours
    """A request is turned away.

    Parameters
    ----------
    status
        The HTTP status of the answer, 400 to 599.
    reason
        One machine-readable word, the same for every request refused in this way: a label of the counters.
    detail
        A constant sentence for the answer's body. It repeats nothing of the request, so that whoever guesses learns
        nothing, and logs stay free of what was sent.
    """

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.detail = detail
