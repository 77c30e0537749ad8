"""A small web process: signed callbacks in over HTTP, durable rows out.

Where things are: the commands in ``__main__``, the web app in ``app`` and ``routes``, what a signature proves in
``signature``, the provider's names in ``wire``, the one writing thread in ``writer``, the tables in ``store``.
"""

from importlib.metadata import version

__version__ = version("verify-analytics")
