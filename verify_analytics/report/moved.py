"""What moved since the period before? At most five sentences, of what is no chance; if nothing is, that is said."""

from typing import NamedTuple

import pandas as pd

from verify_analytics.charts.words import many, named

from .changes import GROUP, MAIN, RELEVANT, Change
from .differences import apart, by_points

MOST = 5
# What a main figure is about, to say which of its groups moved with it.
GROUPS = {"confirmed": ("countries", "delivery"), "accepted": ("countries", "delivery")}
# The share that a country's two figures are read from where both moved: one sentence for one finding.
SUBJECTS = {
    "verified": "Sessions verified",
    "first_attempt_conversion": "Sessions verified with the first attempt",
    "within_60s": "Sessions verified within 60 s",
    "confirmed": "Confirmed deliveries",
    "accepted": "Attempts accepted by the network",
    "reaches_attempt_2": "Sessions that took a second attempt",
    "resent_too_early": "Resends that came before the code they replaced",
    "rescue": "Sessions verified after a change of channel",
}


class Sentence(NamedTuple):
    """What moved, which way, and the figures."""

    verdict: str
    text: str


def sentences(change: Change) -> list[Sentence]:
    """Say what moved, the main figures first and each by how sure it is; what is one finding is told once."""
    rows = change.rows
    moved = rows[rows["verdict"].isin(("higher", "lower"))].assign(size=rows["difference"].abs())
    moved = moved.sort_values(["p_adjusted", "size"], ascending=[True, False], kind="stable")
    main = moved[moved["list"] == MAIN]
    groups = moved[moved["list"] == GROUP]
    # A country that moved in both figures is told once, by the surer one.
    groups = groups.drop_duplicates(["question", "channel", "role", "country", "code", "measure"])
    countries = groups["question"] == "countries"
    groups = pd.concat([groups[countries].drop_duplicates("country"), groups[~countries]]).sort_values(
        ["p_adjusted", "size"], ascending=[True, False], kind="stable"
    )
    told: list[Sentence] = []
    used: set[object] = set()
    for _, row in main.iterrows():
        with_it = _behind(row, groups[~groups.index.isin(used)])
        used |= set(with_it.index)
        told.append(Sentence(str(row["verdict"]), _main(row, with_it)))
    told += [Sentence(str(row["verdict"]), _plain(row)) for at, row in groups.iterrows() if at not in used]
    return told[:MOST]


def asked(change: Change) -> str:
    """Say how much was asked, and what "nothing moved" excludes."""
    rows = change.rows
    main, groups = (int((rows["list"] == name).sum()) for name in (MAIN, GROUP))
    return (
        f"{many(main, 'main figure')} and {many(groups, 'group')} (channels, countries, codes) were compared; only "
        "what stands after accounting for so many questions (Holm) is told."
    )


def nothing(change: Change) -> str:
    """Say that nothing moved, and whether that is known or only not seen."""
    main = change.rows[change.rows["list"] == MAIN]
    if main.empty:
        return "Nothing can be said on what moved: too few sessions are old enough in one of the two periods."
    settled = int((main["verdict"] == "no evidence of a difference").sum())
    few = int((main["verdict"] == "too little data").sum())
    said = ["Nothing moved that is more than chance."]
    if settled:
        said.append(
            f"Of {settled} of {len(main)} main figures a change of more than {100 * RELEVANT:.0f} points is excluded."
        )
    if few:
        said.append(f"For {few} there are too few data to tell: a change of that size may be there and not be seen.")
    return " ".join(said)


def _main(row: pd.Series, behind: pd.DataFrame) -> str:
    subject = SUBJECTS[str(row["measure"])]
    if pd.notna(row["channel"]):
        subject += f", first choices by {named(row['channel'], 'channel')}"
    elif row["source"]:
        subject += f", as {named(row['source'])}"
    said = f"{subject}: {apart(row)}, {row['verdict']} {by_points(row)}."
    if behind.empty:
        return said + (" No single country stands out." if row["measure"] in GROUPS else "")
    first = behind.iloc[0]
    return f"{said} With it moved {_named(first)}: {apart(first)}, {first['verdict']} {by_points(first)}."


def _behind(row: pd.Series, groups: pd.DataFrame) -> pd.DataFrame:
    """Find the groups that moved the same way as a main figure on delivery."""
    about = groups["question"].isin(GROUPS.get(str(row["measure"]), ())) & (groups["verdict"] == row["verdict"])
    found: pd.DataFrame = groups[about].head(1)
    return found


def _plain(row: pd.Series) -> str:
    named_ = _named(row)
    return f"{named_[0].upper()}{named_[1:]}: {apart(row)}, {row['verdict']} {by_points(row)}."


def _named(row: pd.Series) -> str:
    measure = str(row["measure"])
    if row["question"] == "codes":
        code = f"code {named(row['code'])} of {named(row['channel'], 'channel')} ({named(row['name'])})"
        return f"{code}, of all attempts"
    subject = {"accepted": "accepted attempts", "confirmed": "confirmed deliveries"}.get(
        measure, SUBJECTS.get(measure, measure)
    )
    if row["question"] == "countries":
        return f"{subject} in {named(row['country'], 'country')}"
    if row["question"] == "delivery":
        return f"{subject}, {named(row['channel'], 'channel')} as {named(row['role'], 'role')}"
    return subject
