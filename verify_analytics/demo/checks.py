"""Compares what the toolkit found with what was really sent: equal to the last count, or the demo fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

FACTS = ["channel", "role", "country", "outcome", "mature"]


class Check(NamedTuple):
    """One comparison in words, with both sides."""

    what: str
    sent: int
    found: int

    @property
    def holds(self) -> bool:
        """Whether both sides are equal."""
        return self.sent == self.found


def truth_of(path: Path) -> pd.DataFrame:
    """Count the simulator's attempts that were heard of, by channel, role, country, outcome and maturity."""
    truth = pd.read_parquet(path)
    heard = truth.loc[truth["arrived_attempt"], [f"arrived_{fact}" for fact in FACTS]]
    return counted(heard.set_axis(FACTS, axis="columns"))


def counted(attempts: pd.DataFrame) -> pd.DataFrame:
    """Count rows by every fact; a missing one is a group of its own. One row per combination that occurs."""
    facts = attempts[FACTS].astype("object").where(attempts[FACTS].notna(), "(none)").astype(str)
    return facts.value_counts().rename("attempts").reset_index()


def differences(truth: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Give the combinations in which the two disagree; none, if all is well."""
    both = truth.merge(found, on=FACTS, how="outer", suffixes=("_sent", "_found")).fillna(0)
    return both[both["attempts_sent"] != both["attempts_found"]]


def live(expected: Mapping[str, Any], counts: Mapping[str, Any]) -> list[Check]:
    """Put what was sent live beside what the collector's own minute counts and rows say."""
    checks = [
        Check("callbacks stored", int(expected["accepted"]) + int(expected["repeated"]), int(counts["rows"])),
        Check("of these, seen before", int(expected["repeated"]), int(counts["repeated"])),
        Check("kept apart in quarantine", int(expected["quarantined"]), int(counts["quarantined"])),
        Check("reports of the application", int(expected["verifications"]), int(counts["verifications"])),
    ]
    reasons = sorted({*expected["refused"], *counts["refused"]})
    refused = [(reason, expected["refused"].get(reason, 0), counts["refused"].get(reason, 0)) for reason in reasons]
    return checks + [Check(f"refused: {reason.replace('_', ' ')}", sent, found) for reason, sent, found in refused]
