"""What an env file and the secret files it names say.

Lines ``NAME=value`` or ``NAME_FILE=path``, comments after ``#`` at the start of a line, values bare or in quotes: what
systemd and Docker read too. No variable is expanded and no command is run.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

from collector.errors import CollectorError

LARGEST_FILE = 65_536
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read(path: Path, known: Collection[str]) -> dict[str, str]:
    """Read an env file.

    Parameters
    ----------
    path
        The file.
    known
        The names it may hold, each also as ``NAME_FILE``.

    Returns
    -------
    dict
        Name → value, as written, without surrounding spaces and quotes.

    Raises
    ------
    CollectorError
        The file cannot be read, a line is no ``NAME=value``, a name is unknown or comes twice. The line's number is
        said and its value is not: it may be a secret.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, text_of(path).split("\n")), start=1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not _NAME.fullmatch(name):
            raise CollectorError(f"line {number} of {path} is not NAME=value; write one setting a line")
        if name.removesuffix("_FILE") not in known:
            raise CollectorError(f"line {number} of {path} sets {name}, which is no setting; {_near(name, known)}")
        if name in found:
            raise CollectorError(f"line {number} of {path} sets {name} a second time; keep one of the two lines")
        found[name] = _unquoted(value.strip())
    return found


def text_of(path: Path) -> str:
    """Read a small text file, or say in one sentence why it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise CollectorError(f"cannot read {path}: {(error.strerror or 'no such file').lower()}") from None
    except ValueError:
        raise CollectorError(f"cannot read {str(path)!r}: this is no file name") from None
    if len(raw) > LARGEST_FILE:
        raise CollectorError(f"{path} is larger than {LARGEST_FILE // 1024} KB, so it is not a file of settings")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise CollectorError(f"{path} is not a text file in UTF-8")
    return text


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"" else value


def _near(name: str, known: Collection[str]) -> str:
    names = [*known, *(f"{one}_FILE" for one in known)]
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}, each also as NAME_FILE"
