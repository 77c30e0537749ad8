"""Which five questions does everybody bring? Each answered in a sentence or two, with the chapter that shows it."""

import math
import warnings
from typing import NamedTuple

import pandas as pd

from verify_analytics import metrics
from verify_analytics.charts.words import FEW, count, listed, many, named, percent, seconds
from verify_analytics.errors import DoubtfulWarning

from .badges import badges
from .differences import points
from .readings import by_then, figures, of, source_of
from .study import Study
from .trust import checks

CHOICES = "first_choice"
HELPS = {
    "yes": "asking again may help",
    "no": "asking again will not help",
    "unknown": "it is not known whether asking again helps",
}


class Answer(NamedTuple):
    """A question, its answer, and the place on the page that shows more."""

    question: str
    answer: str
    anchor: str


def answers(study: Study) -> list[Answer]:
    """Answer the questions a report is opened for."""
    return [
        Answer("Which channel delivers better, and is it certain?", channels(study), "delivery"),
        Answer("What is the main cause of failure, and can a retry help?", causes(study), "errors"),
        Answer("How long until 90\N{NO-BREAK SPACE}% of those who will verify have done so?", waits(study), "times"),
        Answer("Does falling back to another channel help?", fallback(study), "retries"),
        Answer("Is anything wrong with the data?", data(study), "data"),
    ]


def channels(study: Study) -> str:
    """Compare the two channels with the most first choices, within that role."""
    frame = study.frames["delivery-by-channel-and-role"]
    mine = frame[(frame["role"] == CHOICES) & frame["measure"].isin(("accepted", "confirmed")) & (frame["n"] > 0)]
    sizes = mine.groupby("channel")["n"].max().sort_values(ascending=False, kind="stable")
    if sizes.empty:
        return "Nothing can be said yet: no first attempt is old enough to be judged."
    if len(sizes) == 1:
        only = of(mine, "confirmed", channel=sizes.index[0]), of(mine, "accepted", channel=sizes.index[0])
        name = named(sizes.index[0], "channel")
        said = [
            f"{figures(row)} {what}"
            for row, what in zip(only, ("confirmed delivered", "accepted"), strict=True)
            if row is not None
        ]
        return (
            f"Not to be told: {name} alone is used as first choice ({', '.join(said)}). Other channels meet only the "
            "phones that it did not reach."
        )
    first, second = (str(name) for name in sizes.index[:2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulWarning)
        rows = metrics.compare(mine, between="channel", first=first, second=second, adjust="holm", relevant=0.05)
    rows = rows[rows["difference"].notna()].set_index("measure")
    one, two = named(first, "channel"), named(second, "channel")
    found = {str(measure): row for measure, row in rows.iterrows()}
    said = [_between(found[measure], one, two, how) for measure, how in DELIVERED.items() if measure in found]
    if not said:
        return f"Not to be told: too few first attempts by {one} or {two} are old enough to be judged."
    sure = _sure({str(each) for each in rows["verdict"]})
    return f"{sure}. As first choice, {'; '.join(said)}. Who gets which channel first was not drawn by lot."


def _sure(verdicts: set[str]) -> str:
    """Say whether both figures say the same, with certainty."""
    if not {"higher", "lower"} & verdicts:
        return "Not certain"
    return "Certain" if len(verdicts) == 1 else "In part"


DELIVERED = {"confirmed": "with a receipt that says delivered", "accepted": "taken by the network"}


def _between(row: pd.Series, one: str, two: str, how: str) -> str:
    verdict = str(row["verdict"])
    word = {"higher": f"{one} is better", "lower": f"{two} is better"}.get(verdict, verdict)
    return (
        f"{how}: {one} {percent(row['value_first'], row['n_first'])} of {count(row['n_first'])}, {two} "
        f"{percent(row['value_second'], row['n_second'])} of {count(row['n_second'])}, {word} ({points(row)})"
    )


def causes(study: Study) -> str:
    """Name the most frequent code and sum up what a retry can do about all of them."""
    frame = study.frames["error-codes"]
    rows = frame[frame["measure"] == "share_of_unsuccessful"].sort_values("count", ascending=False, kind="stable")
    if rows.empty:
        return "No attempt that can be judged failed or went undelivered, or too few did to be shown."
    first = rows.iloc[0]
    n = float(first["n"])
    code = f"code {named(first['code'])} of {named(first['channel'], 'channel')}, {named(first['name'])}"
    sums = rows.groupby("retryable")["count"].sum()
    shares = [
        f"{percent(float(sums[key]) / n, n)} carry codes for which {words}"
        for key, words in HELPS.items()
        if key in sums
    ]
    return (
        f"Most often {code}: {figures(first)} of {many(n, 'failure')}; there {HELPS[str(first['retryable'])]}. "
        f"Of all failures, {listed(shares)}."
    )


def waits(study: Study) -> str:
    """Say by when 90 % of those who verify have done so, and what that is not."""
    frame = study.frames["time-to-verify"]
    source = source_of(frame)
    if source is None:
        return "Not observable: nobody told when sessions were verified."
    found = by_then(frame, source, 0.9)
    if found is None:
        return "Not known: too few sessions were seen to verify."
    span = (
        f" (95 % interval {seconds(found.low)} to {seconds(found.high)})"
        if not math.isnan(found.low + found.high)
        else ""
    )
    whole = of(frame, "p90", source=source)
    of_all = f" That is not of all: {percent(found.share, found.of)} of {many(found.of, 'session')} verify in that time"
    if whole is not None and pd.isna(whole["seconds"]):
        of_all += ", so 90\N{NO-BREAK SPACE}% of all is never reached"
    elif whole is not None:
        of_all += f", and 90\N{NO-BREAK SPACE}% of all have by {seconds(float(whole['seconds']))}"
    return (
        f"{seconds(found.seconds)}{span}, for the {many(found.n, 'session')} that verified within "
        f"{seconds(found.horizon)}, as {named(source)}.{of_all}."
    )


def fallback(study: Study) -> str:
    """Say what followed a change of channel, and what that cannot prove."""
    frame = study.frames["retries"]
    source = source_of(frame)
    rescue = None if source is None else of(frame, "rescue", source=source)
    if rescue is None:
        return "Not to be told: too few sessions changed the channel, or nobody told which were verified."
    early = of(frame, "fell_back_too_early")
    same = _followed(frame, source)
    changed = f"{many(rescue['n'], 'session')} that changed the channel unverified"
    said = f"{figures(rescue)} of {changed} were verified afterwards"
    said += f"; after a resend on the same channel it was {same}." if same else "."
    if early is not None:
        said += f" {figures(early)} of the changes came too early: the code before arrived after all."
    return f"{said} Followed by, not caused by: whether the change helped, only a trial that draws it by lot can tell."


def _followed(frame: pd.DataFrame, source: str | None) -> str:
    """Tell how often sessions that asked again on their channel were verified."""
    rows = frame[(frame["measure"] == "second_attempt_then_verified") & (frame["source"] == source)]
    rows = rows[(rows["from_channel"] == rows["to_channel"]) & (rows["n"] >= FEW)].sort_values("n", kind="stable")
    return f"{figures(rows.iloc[-1])} of {count(rows.iloc[-1]['n'])}" if len(rows) else ""


def data(study: Study) -> str:
    """Sum up what is wrong with the data, and what is not known."""
    wrong = [badge.name for badge in badges(study) if badge.well is False]
    wrong += [check.name for check in checks(study) if check.well is False]
    unknown = [badge.name for badge in badges(study) if badge.well is None]
    unknown += [check.name for check in checks(study) if check.well is None]
    things = many(len(wrong), "thing")
    said = f"{things} to know: {listed(wrong)}." if wrong else "Nothing that was looked for was found."
    return said + (f" Not known: {listed(unknown)}." if unknown else "")
