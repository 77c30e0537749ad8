"""Whether the value of a setting can be meant, and whether it is safe to start with.

Pure functions from the text of a setting to its value, or to the sentence that refuses it. A sentence names the entry
by its number; it never repeats a token, a pepper, or the path of a URL, which may hold a random segment.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from collector import signature
from collector.errors import CollectorError

# The collector's own, which no callback may be sent to.
FIXED_PATHS = frozenset({"/verifications", "/healthz", "/readyz", "/metrics"})
# Each request is checked against every token under every URL.
MOST_TOKENS = 4
MOST_URLS = 4
# An HMAC is no stronger than its key, and an operator's own word is guessed first. Plivo's tokens have 40 characters:
# half of one is a copying mistake.
SHORTEST_PEPPER = 32
SHORTEST_SECRET = 16
FEWEST_DIFFERENT = 8

V3 = Literal["ignore", "require"]

_SPELT_OUT = re.compile(r"<.*>|\$\{.*|\{\{.*\}\}|.*(?:\.\.\.|…).*")
_STAND_IN = re.compile(
    r"(?:please)?(?:change|replace|insert|fill|set|put|edit|enter)(?:me|in|with|this|it|the|your|here)[a-z]*"
    r"|(?:your|my|the|a|some|new|old)*(?:plivo)?(?:main)?(?:auth|account|access|api|collector|verification)?"
    r"(?:id|token|secret|key|pepper|password)s?(?:goes)?(?:here)?"
    r"|todo|fixme|tbd|none|null|nil|undefined|unset|empty|placeholder|example|sample|dummy|test|testing|default|value"
)
# What a URL is written with (RFC 3986), without the semicolon and the fragment's sign, which are refused with a reason.
_URL = re.compile(r"[0-9A-Za-z\-._~:/?\[\]@!$&'()*+=%]+")
_PATH = re.compile(r"/[0-9A-Za-z\-._~:/\[\]@!$&'()*+=%]*")


def secrets(name: str, text: str | None, *, shortest: int, most: int | None = None) -> tuple[str, ...]:
    """Read a list of secrets, oldest first, and refuse those that protect nothing.

    Parameters
    ----------
    name, text
        The setting and what it was given; None means it was not.
    shortest
        How many characters a secret needs. It also needs some variety.
    most
        How many there may be.
    """
    found = _entries(name, text, most)
    for number, secret in enumerate(found, start=1):
        entry = _entry(name, number, found)
        if not (secret.isascii() and secret.isprintable()) or " " in secret:
            raise CollectorError(f"{entry} has a space or a character outside of ASCII in it; copy it again")
        if _is_stand_in(secret):
            raise CollectorError(f"{entry} is still a placeholder; put the real value there")
        if len(secret) < shortest:
            raise CollectorError(
                f"{entry} has {len(secret)} characters and needs {shortest}; copy it again, or draw one at random"
            )
        if len(set(secret)) < FEWEST_DIFFERENT:
            raise CollectorError(f"{entry} repeats a few characters, so it could be guessed; draw one at random")
    return found


def urls(name: str, text: str | None) -> tuple[str, ...]:
    """Read the URLs that Plivo was given, exactly as it was given them: signatures cover every character."""
    found = _entries(name, text, MOST_URLS)
    for number, url in enumerate(found, start=1):
        _check_url(_entry(name, number, found), url)
    if signature.ambiguous(found):
        raise CollectorError(
            f"one entry of {name} is the beginning of another, and only letters or digits follow; a signature of "
            "the longer could then be passed off as one of the shorter: give one of them another path"
        )
    return found


def paths(name: str, text: str | None, urls: tuple[str, ...]) -> tuple[str, ...]:
    """Find the path each URL's requests arrive under: its own, or the one a proxy leaves of it."""
    found = _entries(name, text, None, distinct=False) if text is not None else tuple(map(_own_path, urls))
    if len(found) != len(urls):
        raise CollectorError(
            f"{name} has {len(found)} entries for {len(urls)} public URLs; give one path for each, in the same order"
        )
    for number, path in enumerate(found, start=1):
        if not _PATH.fullmatch(path):
            raise CollectorError(
                f"{_entry(name, number, found)} is not a path; write it from its first slash on, without a query"
            )
        if (path.rstrip("/") or "/") in FIXED_PATHS:
            raise CollectorError(
                f"callbacks cannot arrive under {path.rstrip('/')}, which the collector answers itself; "
                "give Plivo another URL, or name another path in COLLECTOR_PATH"
            )
    return found


def port(name: str, text: str | None) -> int | None:
    """Read a port, 0 for any that is free; None when nothing was given."""
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535:
        return int(text)
    hint = ""
    if text.startswith("tcp://"):
        hint = "; Kubernetes sets it for a service of that name, unless the pod says enableServiceLinks: false"
    raise CollectorError(f"{name} is no port: give a whole number up to 65535{hint}")


def host(name: str, text: str | None, default: str) -> str:
    """Read the address to listen on."""
    value = text or default
    if not re.fullmatch(r"[0-9A-Za-z.:_%\-]+|\[[0-9A-Fa-f:.]+\]", value):
        raise CollectorError(
            f"{name} is no address to listen on; give one like 127.0.0.1, or 0.0.0.0 for every address"
        )
    return value.strip("[]")


def v3(name: str, text: str | None) -> V3:
    """Read what becomes of a request whose V3 signature is not genuine though its V2 signature is."""
    match text or "ignore":
        case "ignore":
            return "ignore"
        case "require":
            return "require"
    raise CollectorError(
        f"{name} is neither ignore nor require; leave it out to ignore a V3 signature that cannot be proved"
    )


def database_url(name: str, text: str | None, default: str) -> str:
    """Read where the store is: a SQLite file or a PostgreSQL database."""
    value = text or default
    if re.fullmatch(r"postgresql(?:\+psycopg)?://\S+", value):
        return value
    if re.fullmatch(r"sqlite(?:\+pysqlite)?:///[^?\0]+(?:\?.*)?", value) and ":memory:" not in value:
        return value
    raise CollectorError(
        f"{name} is no place to keep callbacks; give sqlite:/// and a file, as in {default}, or postgresql://"
    )


def folder(name: str, text: str | None) -> Path | None:
    """Read the path of a folder; None when nothing was given."""
    if text and ("\0" in text or "\n" in text):
        raise CollectorError(f"{name} is no path of a folder; give it one line, such as /var/lib/collector/archive")
    return Path(text) if text else None


def _entries(name: str, text: str | None, most: int | None, *, distinct: bool = True) -> tuple[str, ...]:
    """Take a list apart: commas, or one a line."""
    if text is None:
        return ()
    found = tuple(entry.strip() for line in text.strip().split("\n") if line.strip() for entry in line.split(","))
    if not found:
        raise CollectorError(f"{name} is set but empty; give it a value or take it out")
    if "" in found:
        raise CollectorError(f"{name} has an empty entry; take the comma too many out")
    if most is not None and len(found) > most:
        raise CollectorError(f"{name} has {len(found)} entries and may have {most}; keep those still in use")
    if distinct and len(set(found)) < len(found):
        raise CollectorError(f"{name} has the same entry twice; take one of them out")
    return found


def _entry(name: str, number: int, found: tuple[str, ...]) -> str:
    return f"entry {number} of {name}" if len(found) > 1 else name


def _is_stand_in(secret: str) -> bool:
    # A number at the end makes it no more of a secret; digits in the middle make it no word.
    words = re.sub(r"[^a-z0-9]", "", secret.lower()).rstrip("0123456789")
    return bool(_STAND_IN.fullmatch(words) or _SPELT_OUT.fullmatch(secret) or len(set(secret)) == 1)


def _check_url(entry: str, url: str) -> None:
    as_given = "exactly as Plivo was given it"
    if ";" in url or "#" in url:
        raise CollectorError(
            f"{entry} has a semicolon or a fragment, and how Plivo signs those is not known; choose a URL without"
        )
    if "<" in url and ">" in url:
        raise CollectorError(f"{entry} still has a placeholder in it; write the collector's host name there")
    if not url.startswith(("http://", "https://")):
        raise CollectorError(f"{entry} does not begin with https:// or http:// in small letters; write it {as_given}")
    if not _URL.fullmatch(url):
        raise CollectorError(f"{entry} has a character that no URL has; write it percent-encoded, {as_given}")
    parts = _split(url)
    if parts is None or not parts.hostname:
        raise CollectorError(f"{entry} has no host or no valid port; write it {as_given}, beginning with https://")
    if parts.hostname in {"http", "https"} and parts.path.startswith("//"):
        raise CollectorError(f"{entry} begins with two schemes; write it {as_given}")
    if "@" in parts.netloc:
        raise CollectorError(
            f"{entry} has a user or a password before the host, which not everybody signs; leave them out"
        )


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        open_port = parts.port != 0
    except ValueError:
        return None
    return parts if open_port else None


def _own_path(url: str) -> str:
    return urlsplit(url).path or "/"
