"""How far can this report be trusted? Fresh or stale, whole or with gaps, everything understood, everything proved."""

from typing import NamedTuple

import pandas as pd

from verify_analytics.charts.words import count, many, moment, seconds

from .facts import moment_of
from .study import Study
from .suppress import told
from .tables import Cell, Table

# The collector writes its pulse once a minute, for the minute that has passed: this much behind is not stale.
SLACK = pd.Timedelta("2min")
MOST_GAPS = 8


class Badge(NamedTuple):
    """One answer: whether all is well (None: not known), what it is called, and why."""

    well: bool | None
    name: str
    why: str


def badges(study: Study) -> list[Badge]:
    """Judge freshness, completeness, understanding and proof."""
    return [_fresh(study), _whole(study), _understood(study), _proved(study)]


def _fresh(study: Study) -> Badge:
    until = study.facts.covered_until_us
    if until is None:
        return Badge(None, "Freshness not known", "this store keeps no record of when its collector was up")
    heard = moment_of(until)
    if study.as_of > heard + SLACK:
        return Badge(False, "Stale", f"the collector is known to have listened only until {moment(heard)}")
    return Badge(True, "Fresh", f"the collector listened until {moment(heard)}")


def _whole(study: Study) -> Badge:
    facts = study.facts
    if not facts.coverage_known:
        return Badge(None, "Gaps not known", "this store keeps no record of when its collector was up")
    gaps = [gap for gap in facts.gaps if study.since is None or moment_of(gap.to_us) > study.since]
    if not gaps:
        return Badge(True, "Whole", "the collector listened in every minute")
    down = sum(gap.minutes for gap in gaps)
    spans = [f"{moment(moment_of(gap.from_us))}, {seconds(60 * gap.minutes)}" for gap in gaps[:MOST_GAPS]]
    more = [f"and {len(gaps) - MOST_GAPS} more"] if len(gaps) > MOST_GAPS else []
    why = f"the collector was down for {seconds(60 * down)} in all: {'; '.join([*spans, *more])}"
    return Badge(False, many(len(gaps), "gap"), why)


def _understood(study: Study) -> Badge:
    odd = study.unknown_statuses
    if not odd:
        return Badge(True, "Every status known", "each status received is one that the model lists")
    return Badge(
        False,
        "Unknown statuses",
        f"{told(odd, 'attempt', study.options.min_cell)} came with a status that nobody has listed yet",
    )


def _proved(study: Study) -> Badge:
    unproved = study.facts.unproved
    if not unproved:
        return Badge(True, "Every callback signed", "each one's signature was verified when it was received")
    return Badge(
        False,
        "Unproved callbacks",
        f"{told(unproved, 'callback', study.options.min_cell)} came in without a verified signature",
    )


REASONS = {
    "immature": ("too young", "not old enough for the end to be known; judged by age alone, whatever is known already"),
    "unobserved": ("unobserved", "waited while the collector was down, so what was missed cannot be known"),
    "unknown": (
        "unknown",
        "attempts: nothing but unlisted statuses; sessions: no attempt, or not the first one, was seen",
    ),
    "not_observable": ("not observable", "outside the time in which this source was reporting"),
    "incomplete": ("incomplete", "its first attempt was not seen; left out of waits only"),
    "clock_faults": ("clock faults", "verified before it started, by a clock that was wrong"),
}


def left_out(study: Study) -> Table:
    """Set what was counted and what was left out, for each kind of figure."""
    frames = study.frames
    times = frames["time-to-verify"].drop_duplicates("source")
    rows = [
        *(("attempts, delivery and errors", row) for _, row in frames["delivery"].head(1).iterrows()),
        *(("sessions, retries", row) for _, row in frames["retries"].head(1).iterrows()),
        *((f"sessions, times ({SOURCES[str(row['source'])]})", row) for _, row in times.iterrows()),
    ]
    heads = (Cell("of", number=False), Cell("counted"), *(Cell(name) for name, _ in REASONS.values()))
    cells = [
        (
            Cell(name, number=False),
            Cell(count(row["n"])),
            *(Cell(_left_out(row, reason)) for reason in REASONS),
        )
        for name, row in rows
    ]
    return Table("Counted, and left out with the reason", heads, tuple(cells))


def _left_out(row: pd.Series, reason: str) -> str:
    if reason not in row.index:
        return ""
    return "not told" if pd.isna(row[reason]) else count(row[reason])


SOURCES = {"app": "told by the application", "callback": "told by the provider"}
