"""Do one-time codes arrive, how fast, on which channel: frames of callbacks in, small frames of numbers out.

The module is half of every name: ``load.callbacks``, ``model.attempts``, ``metrics.delivery_rate``,
``charts.delivery_rate``. Nothing is imported until it is asked for.
"""

__version__ = "0.1.0"
