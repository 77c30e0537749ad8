"""What signs a simulated history: the collector's own settings, by their own names, or a token that everybody knows.

Kept apart from the collector's reader on purpose: the two packages share no import. Only the four settings that sign
are read here, each as ``NAME`` or as ``NAME_FILE`` naming a file that holds the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from verify_analytics.errors import ArgumentError, NotFoundError
from verify_analytics.simulate.capture import Keys

PUBLIC_URL = "https://codes.example.com/callbacks/plivo"
"""Where the simulated provider sends callbacks to, unless told otherwise; nothing is ever sent there."""
SIMULATED_TOKEN = "simulated-provider-6f1d0c2b9a7e"  # noqa: S105 - known to everybody, it guards nothing
SIMULATED_SECRET = "simulated-application-3b8e5d714c"  # noqa: S105


def read(environ: Mapping[str, str], env_file: Path | None = None) -> Keys:
    """Find what signs: the environment first, then an env file as ``collector init`` writes it, then the known token.

    Raises
    ------
    NotFoundError
        If the env file, or a file named in it, cannot be read.
    ArgumentError
        If a line of the env file is no ``NAME=value``, or the token it names is still empty.
    """
    settings = {**(_settings(env_file) if env_file else {}), **_resolved(environ, Path())}
    if env_file and not _all(settings.get("PLIVO_AUTH_TOKEN")):
        named = _lines(env_file).get("PLIVO_AUTH_TOKEN_FILE")
        place = f"the file {named} that it names" if named else "it"
        raise ArgumentError(f"{env_file} has no PLIVO_AUTH_TOKEN yet: put one into {place}")
    url = _first(settings.get("COLLECTOR_PUBLIC_URL")) or PUBLIC_URL
    server = urlsplit(url)
    return Keys(
        url=url,
        tokens=_all(settings.get("PLIVO_AUTH_TOKEN")) or (SIMULATED_TOKEN,),
        main_token=_first(settings.get("PLIVO_MAIN_AUTH_TOKEN")),
        verification_url=f"{server.scheme}://{server.netloc}/verifications",
        # The newest secret: the collector takes several while one is being changed.
        verification_secret=(_all(settings.get("COLLECTOR_VERIFICATION_SECRET")) or (SIMULATED_SECRET,))[-1],
    )


def _settings(env_file: Path) -> dict[str, str]:
    return _resolved(_lines(env_file), env_file.parent)


def _lines(env_file: Path) -> dict[str, str]:
    lines = {}
    for number, line in enumerate(_text(env_file).splitlines(), 1):
        name, equals, value = line.strip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals:
            raise ArgumentError(f"line {number} of {env_file} is no NAME=value")
        lines[name.strip()] = value.strip()
    return lines


def _resolved(given: Mapping[str, str], folder: Path) -> dict[str, str]:
    names = (
        "COLLECTOR_PUBLIC_URL",
        "PLIVO_AUTH_TOKEN",
        "PLIVO_MAIN_AUTH_TOKEN",
        "COLLECTOR_VERIFICATION_SECRET",
    )
    found = {name: given[name] for name in names if given.get(name)}
    files = {name: folder / given[f"{name}_FILE"] for name in names if given.get(f"{name}_FILE")}
    return found | {name: _text(path).strip() for name, path in files.items()}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise NotFoundError(f"{path} cannot be read: {why}") from None


def _all(value: str | None) -> tuple[str, ...]:
    # Commas, or one a line: what the collector reads too.
    return tuple(part.strip() for part in (value or "").replace("\n", ",").split(",") if part.strip())


def _first(value: str | None) -> str | None:
    parts = _all(value)
    return parts[0] if parts else None
