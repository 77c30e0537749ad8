"""Puts the web app together: one door, one store behind it, the routes in front."""

from collections.abc import Callable

from flask import Flask

from collector.door import LARGEST_BODY, Door
from collector.pulse import Pulse
from collector.routes import Routes, Store


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
    app = Flask("collector", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    Routes(entrance, store, pulse, trouble).add_to(app)
    return app
