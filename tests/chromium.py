"""A real browser for the tests: Chromium from the system, driven by Playwright, that may reach nothing but loopback."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, sync_playwright

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)
HERE = {"127.0.0.1", "localhost", ""}


class NoBrowserError(Exception):
    """No Chromium is here."""


class Watched(NamedTuple):
    """A page, and what happened on it: requests beyond this machine, errors and warnings of its console."""

    page: Page
    outside: list[str]
    requested: list[str]
    complaints: list[str]


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the browser, and end it.

    Raises
    ------
    NoBrowserError
        If no Chromium is installed.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise NoBrowserError("no Chromium here; run.py installs it on Debian")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield started
        finally:
            started.close()


def watched(context: BrowserContext) -> Watched:
    """Open a page of a context that refuses every request beyond this machine, and take down what happens."""
    page = context.new_page()
    found = Watched(page, [], [], [])

    def refuse_outside(route: Route, request: Request) -> None:
        found.requested.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in HERE:
            found.outside.append(request.url)
            route.abort()
        else:
            route.continue_()

    page.route("**/*", refuse_outside)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))

    def complain(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            found.complaints.append(f"{said.type}: {said.text}")

    page.on("console", complain)
    return found
