"""Puts the web app together: one door, one store behind it, the routes in front."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from collector.door import LARGEST_BODY, Door
from collector.pulse import Pulse
from collector.routes import Routes, Store


class App(Flask):
    """Flask without a map of URLs: what a request is for is decided by its raw path, in `Routes.answer`."""

    def create_url_adapter(self, request: Any) -> None:
        """Match nothing: looking in an empty map costs a tenth of what Flask does for a callback."""


def build_app(entrance: Door, store: Store, pulse: Pulse, trouble: Callable[[], str]) -> Flask:
    """Build the WSGI app of one collector.

    Parameters
    ----------
    entrance
        What decides about a request.
    store
        What keeps it before it is answered.
    pulse
        Where refusals are counted.
    trouble
        Says in one word why nothing should be sent here now; empty if all is well.
    """
    app = App("collector", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    Routes(entrance, store, pulse, trouble).add_to(app)
    return app
