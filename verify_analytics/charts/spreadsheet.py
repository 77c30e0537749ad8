"""How does a frame become a file for a spreadsheet? As CSV in which no cell starts a formula."""

import csv
import io

import pandas as pd

from .words import printable

# A spreadsheet takes a text that begins like this for a formula, and may run it; some take the full-width forms too.
FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
LONGEST = 1000


def as_csv(frame: pd.DataFrame) -> str:
    """Write a frame as CSV that a spreadsheet opens without running anything: commas, moments in ISO 8601, UTC.

    A text that begins like a formula gets an apostrophe before it, and control characters become spaces; numbers stay
    numbers, what is missing stays empty.

    >>> print(as_csv(pd.DataFrame({"code": ["=1+1", "30"], "rate": [-0.5, float("nan")]})), end="")
    code,rate
    '=1+1,-0.5
    30,
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([_plain(str(name)) for name in frame.columns])
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([_plain(value) for value in row])
    return written.getvalue()


def _plain(value: object) -> object:
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, float):
        return "" if pd.isna(value) else value
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, str):
        # A lone carriage return would begin a new row in some readers, and with it a new formula.
        text = printable(value, LONGEST)
        return f"'{text}" if text.startswith(FORMULA) else text
    return value
