"""How can this report be made again, and is it the same? Inputs, versions, files, by digest; no time of making."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from verify_analytics import __version__

from .folder import MADE_BY
from .periods import Periods
from .study import Study, Where, named_place

FORMAT = 1
# What could change a figure or a picture.
PACKAGES = ("duckdb", "jinja2", "matplotlib", "narwhals", "numpy", "pandas", "pyarrow")


def command(study: Study, where: Where) -> str:
    """Write the command that makes this report; where the store and the report lie on a machine is left out."""
    words = ["verify-analytics", "report", named_place(where, " "), "--as-of", _moment(study.as_of)]
    if study.since is not None:
        words += ["--since", _moment(study.since)]
    lengths = (("--patience", study.patience_seconds, 900), ("--window", study.window_seconds, 600))
    words += [word for name, said, usual in lengths if said != usual for word in (name, f"{said:g}s")]
    if study.options.min_cell:
        words += ["--min-cell", str(study.options.min_cell)]
    if study.options.number_blocks:
        words.append("--number-blocks")
    return " ".join([*words, "--out", "DIR"])


def versions() -> dict[str, str]:
    """Name the versions of everything that could change a figure or a picture."""
    return {"verify-analytics": __version__, **{name: version(name) for name in PACKAGES}}


def manifest(study: Study, where: Where, files: Mapping[str, bytes], *, note: str | None) -> bytes:
    """Write the manifest.

    The digest of an input is over its sorted rows up to `as_of`: (arrival_id, digest) of callbacks, all columns of the
    others, each row as text with tabs between and a line feed after, SHA-256 over UTF-8.
    """
    content: dict[str, Any] = {
        "made_by": MADE_BY,
        "format": FORMAT,
        "command": command(study, where),
        "note": note,
        "as_of": _moment(study.as_of),
        "since": None if study.since is None else _moment(study.since),
        "patience_seconds": study.patience_seconds,
        "window_seconds": study.window_seconds,
        "min_cell": study.options.min_cell,
        "number_blocks": study.options.number_blocks,
        "compared": None if study.change is None else _compared(study.change.periods),
        "inputs": {name: each._asdict() for name, each in study.facts.inputs.items()},
        "versions": versions(),
        "files": {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in sorted(files.items())},
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _compared(periods: Periods) -> dict[str, list[str]]:
    """Name the two periods that were compared, each from its first moment up to its last, which is not in it."""
    return {name: [_moment(each) for each in span] for name, span in (("now", periods.now), ("before", periods.before))}


def _moment(value: Any) -> str:
    """Write a moment as the command takes it, to the microsecond where it has any."""
    if value.second or value.microsecond:
        return f"{value:%Y-%m-%dT%H:%M:%S}" + (f".{value.microsecond:06d}" if value.microsecond else "") + "Z"
    return f"{value:%Y-%m-%dT%H:%M}Z"
