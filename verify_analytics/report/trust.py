"""Is anything wrong with the data? Each thing that could be, with how often it was found and what it would do."""

from typing import NamedTuple

import pandas as pd

from verify_analytics.charts.words import count, interval, percent

from .readings import of, source_of
from .study import Study
from .suppress import told
from .tables import Cell, Table, name

# A fault is worth a reader's doubt where it is surely more frequent than this (the low end of its interval).
TOLERATED = 0.01
# A source of verifications that could not see so many sessions is named.
UNSEEN = 0.1
RECEIPTS_MISSING = 0.1


class Check(NamedTuple):
    """One thing that was looked for: whether all is well (None: not known), how often it was found, what it means."""

    well: bool | None
    name: str
    found: str
    rate: str
    means: str


# What is looked for: a frame, a measure, its name, and what it does to the figures; `tolerated` is a share.
FAULTS = (
    (
        "completeness",
        "lacks_previous_attempt",
        "attempts that were never seen",
        "codes were sent that no figure counts",
    ),
    ("completeness", "lacks_acceptance", "steps missing in the middle", "callbacks were lost, and receipts may be too"),
    ("completeness", "lacks_end", "attempts without an end", "callbacks were lost: delivery looks too low"),
    ("lawful-order", "delivered_and_undelivered", "two receipts that contradict", "they count as delivered"),
    ("lawful-order", "failed_and_receipt", "a receipt of what was never sent", "the provider contradicts itself"),
    (
        "lawful-order",
        "facts_conflict",
        "one attempt, two stories",
        "its callbacks name different channels or countries",
    ),
    ("lawful-order", "requested_after_arrival", "answers before the question", "two clocks disagree: times are wrong"),
    ("lawful-order", "verified_before_start", "verified before it began", "a clock is wrong: left out of times"),
    (
        "receipt-trust",
        "verified_against_receipt",
        "receipts that lie",
        "somebody typed in a code that 'did not arrive'",
    ),
    ("webhook-health", "redelivered", "callbacks that came again", "none on the figures: counted once"),
    ("webhook-health", "unknown_status", "statuses nobody listed", "they are in no rate"),
)
# Redeliveries are ordinary: they tell of the road, not of the figures.
TOLERATED_OF = {"redelivered": 0.1, "verified_against_receipt": 0.05}


def checks(study: Study) -> list[Check]:
    """Look for what could be wrong; what is small or cannot be seen says so."""
    return [_coverage(study), *(_fault(study, *each) for each in FAULTS), *_unseen(study)]


def _fault(study: Study, frame: str, measure: str, called: str, means: str) -> Check:
    rows = study.frames[frame]
    if frame == "receipt-trust":
        rows = rows[rows["source"] == source_of(rows)]
    row = of(rows, measure)
    if row is None:
        few = study.options.min_cell > 1
        return Check(True if few else None, called, "few" if few else "–", "", means)
    well = not float(row["low"]) > TOLERATED_OF.get(measure, TOLERATED)
    return Check(well, called, *_figures(row), means)


def _coverage(study: Study) -> Check:
    """Say whether receipts come at all: where they do not, confirmed says little."""
    called, means = "receipts that never came", "confirmed looks too low: where receipts are rare, read accepted"
    row = of(study.frames["delivery"], "coverage")
    if row is None:
        return Check(None, called, "–", "", means)
    rest = row["n"] - row["count"], 1 - row["rate"], 1 - row["high"], 1 - row["low"]
    missing = {"n": row["n"], **dict(zip(("count", "rate", "low", "high"), rest, strict=True))}
    return Check(not float(missing["low"]) > RECEIPTS_MISSING, called, *_figures(pd.Series(missing)), means)


def _figures(row: pd.Series) -> tuple[str, str]:
    n = float(row["n"])
    rate = f"{percent(float(row['rate']), n)} ({interval(float(row['low']), float(row['high']), n)})"
    return f"{count(row['count'])} of {count(n)}", rate


def _unseen(study: Study) -> list[Check]:
    """Say for how many sessions a source of verifications was not reporting."""
    found = []
    frame = study.frames["verification"]
    for source, said in (("app", "application"), ("callback", "provider")):
        called = f"sessions while the {said} was not reporting"
        rows = frame[(frame["source"] == source) & (frame["measure"] == "verified")]
        means = "left out of what it told; with no report at all, nothing can be known"
        if rows.empty or pd.isna(rows.iloc[0]["not_observable"]):
            found.append(Check(None, called, "–", "", means))
            continue
        row = rows.iloc[0]
        unseen, n = int(row["not_observable"]), int(row["n"])
        if not n:
            found.append(Check(None, called, "all", "", means))
            continue
        share = unseen / (unseen + n)
        text = told(unseen, "session", study.options.min_cell)
        found.append(Check(share <= UNSEEN, called, text, percent(share, unseen + n), means))
    return found


def table(study: Study) -> Table:
    """Set every check in a row."""
    signs = {True: "✓ no", False: "! yes", None: "? not known"}
    rows = [
        (name(each.name), name(signs[each.well]), Cell(each.found), Cell(each.rate), name(each.means))
        for each in checks(study)
    ]
    heads = (name("looked for"), name("a doubt?"), Cell("found"), Cell("share"), name("what it does"))
    return Table("What was looked for in the data", heads, tuple(rows))
