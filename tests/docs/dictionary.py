"""The parts of docs/metrics.md that the code knows better: the table of statuses, and every measure.

    .venv/bin/python -m tests.docs.dictionary

writes them again; `test_metric_dictionary.py` fails where the page says something else.
"""

from itertools import groupby
from pathlib import Path

from verify_analytics.metrics.definitions import COUNT, CURVE, DEFINITIONS, NUMBER, RATE, SECONDS
from verify_analytics.model.outcomes import (
    MEANING,
    NO_ERROR,
    NO_ERROR_IF_COMPLETED,
    OTHER,
    RECEIPTS,
    SESSION_MEANING,
    STATES,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
KINDS = {RATE: "share", SECONDS: "seconds", NUMBER: "mean", CURVE: "share by second", COUNT: "count"}


def statuses() -> str:
    """The whole table from (channel, status) to state, one row per pair, weakest state first."""
    rows = [
        (state, channel, status)
        for state in STATES
        for channel, meanings in MEANING.items()
        for status, means in meanings.items()
        if means == state
    ]
    lines = ["| channel | status | state | a receipt |", "|---|---|---|---|"]
    named = {OTHER: "any other (WhatsApp, RCS, …)"}
    lines += [
        f"| {named.get(channel, channel)} | `{status}` | {state} | {'yes' if state in RECEIPTS else ''} |"
        for state, channel, status in rows
    ]
    return "\n".join(lines)


def session_statuses() -> str:
    """What a session's status reports, and which error codes say that nothing went wrong."""
    ends = ", ".join(f"`{status}` ({means})" for status, means in SESSION_MEANING.items())
    none = ", ".join("an empty code" if not code else f"`{code}`" for code in NO_ERROR)
    return (
        f"A session's status that reports an end: {ends}. Error codes that say that nothing went wrong: a missing "
        f"code, {none}, and `{NO_ERROR_IF_COMPLETED}` unless a voice call did not complete."
    )


def measures() -> str:
    """Every measure of every metric, a table for each."""
    parts = []
    for metric, entries in groupby(DEFINITIONS, key=lambda entry: entry.metric):
        lines = [f"### `metrics.{metric}`", "", "| measure | is a | of what | among |", "|---|---|---|---|"]
        lines += [f"| `{entry.measure}` | {KINDS[entry.kind]} | {entry.above} | {entry.below} |" for entry in entries]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


PARTS = {"statuses": statuses, "session statuses": session_statuses, "measures": measures}


def rewritten(text: str) -> str:
    """Give the page with its marked parts as the code has them."""
    for name, make in PARTS.items():
        before, begins, rest = text.partition(f"<!-- {name} -->\n")
        _, ends, after = rest.partition(f"<!-- /{name} -->")
        if not (begins and ends):
            raise ValueError(f"docs/metrics.md must hold the part {name!r}")
        text = f"{before}{begins}\n{make()}\n\n{ends}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
