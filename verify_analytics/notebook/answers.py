"""Which figures does one want first? A few of every question's in one table, and where to read on."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from verify_analytics import metrics
from verify_analytics.charts.words import listed, percent

from .opening import Study

COLUMNS = (
    *("question", "what", "measure", "unit", "seconds", "rate", "mean", "low", "high", "count", "n"),
    *("interval", "small", "note", "more", "as_of"),
)
# The application's word first: it knows of every success it reported, the provider only of those it was told.
SOURCES = ("app", "callback")
TOLD_BY = {"app": "told by the application", "callback": "told by the provider, which need not hear of each success"}
HELPS = {"yes": "another try may help", "no": "another try will not help", "unknown": "no advice on trying again"}
MOST_CODES = 3


class Part(NamedTuple):
    """A question, and the notebook that answers it at length."""

    question: str
    more: str


ARRIVE = Part("Do codes arrive?", "02-delivery")
BETTER = Part("Which channel delivers better?", "02-delivery")
WHY = Part("Why do codes not arrive?", "03-error-codes")
VERIFIED = Part("Do people get verified?", "04-retries-and-fallback")
AGAIN = Part("Does asking again help?", "04-retries-and-fallback")
TIME = Part("How long do they wait?", "05-time-to-verify")
DATA = Part("Are the data whole?", "06-webhook-health")

Told = tuple[Part, str, pd.Series, str]


def answers(study: Study) -> pd.DataFrame:
    """Answer the main questions at once: one table with the figures that one wants first.

    Parameters
    ----------
    study
        What `study` opened.

    Returns
    -------
    pandas.DataFrame
        `question`, `what` (the figure in words), `measure`, `unit` (``"share"``, ``"seconds"`` or ``"number"``),
        `seconds`, `rate`, `mean`, `low`, `high`, `count`, `n`, `interval`, `small`, `note` (what it means, or who says
        so), `more` (the notebook to read on in), `as_of`. Every row is one of a metric's frame, unchanged; a question
        that has no answer in these data has no row. One row per figure.
    """
    told = [*_delivery(study), *_codes(study), *_sessions(study), *_again(study), *_times(study), *_data(study)]
    rows = [
        {
            **{name: row[name] for name in COLUMNS if name in row.index},
            "question": part.question,
            "what": words,
            "more": part.more,
            "note": note,
            "unit": _unit(row),
        }
        for part, words, row, note in told
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _unit(row: pd.Series) -> str:
    if "unit" in row.index and row["unit"] in {"share", "seconds"}:
        return str(row["unit"])
    return "share" if pd.notna(row["rate"]) or row["n"] == 0 else "seconds" if pd.notna(row["seconds"]) else "number"


def _rows(frame: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    for name, value in wanted.items():
        frame = frame[frame[name] == value]
    return frame


def _each(part: Part, frame: pd.DataFrame, words: dict[str, str], note: str = "") -> Iterator[Told]:
    """Tell the measures that are there, in the order of the words."""
    for measure, said in words.items():
        for _, row in _rows(frame, measure=measure).head(1).iterrows():
            yield part, said, row, note


def _delivery(study: Study) -> Iterator[Told]:
    whole = metrics.delivery_rate(study.attempts)
    words = {"confirmed": "delivered, by receipt", "accepted": "delivered, or taken with no receipt to follow"}
    yield from _each(ARRIVE, whole, words, "of attempts")
    first = _rows(metrics.delivery_rate(study.attempts, by=["channel", "role"]), role="first_choice")
    shares = _rows(first, measure="accepted").sort_values("n", ascending=False, kind="stable")
    channels = [str(name) for name in shares["channel"]][:2]
    note = "of attempts that were a first choice"
    if len(channels) == 2:
        compared = metrics.compare(first, between="channel", first=channels[0], second=channels[1])
        said = {m: _rows(compared, measure=m)["verdict"].iloc[0] for m in ("accepted", "confirmed")}
        against = f"{channels[0]} against {channels[1]}: {said['accepted']}; by receipts alone: {said['confirmed']}"
        note = f"{note}; {against}"
    for channel in channels:
        yield from _each(BETTER, _rows(first, channel=channel), {"accepted": f"{channel}: delivered or taken"}, note)


def _codes(study: Study) -> Iterator[Told]:
    codes = _rows(metrics.error_codes(study.attempts), measure="share_of_unsuccessful")
    for _, row in codes.head(MOST_CODES).iterrows():
        name = row["name"] or "a code that is not listed"
        yield WHY, f"{row['channel']} {row['code']}", row, f"{name}: {HELPS[row['retryable']]}"


def _by_best_source(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep the rows of the one whose word counts: the application where it reported, else the provider."""
    source = next((each for each in SOURCES if (_rows(frame, source=each)["n"] > 0).any()), "")
    return _rows(frame, source=source), TOLD_BY.get(source, "")


def _sessions(study: Study) -> Iterator[Told]:
    rates, note = _by_best_source(metrics.verification_rate(study.sessions))
    words = {"verified": "sessions verified", "first_attempt_conversion": "… with the first attempt"}
    yield from _each(VERIFIED, rates, words, note)


def _again(study: Study) -> Iterator[Told]:
    retries = metrics.retries(study.attempts, window=study.window)
    told, note = _by_best_source(retries[retries["source"] != ""])
    words = {
        "reaches_attempt_2": "sessions with a second attempt",
        "resent_too_early": "resends of a code that did come",
    }
    yield from _each(AGAIN, retries, words)
    yield from _each(
        AGAIN, told, {"rescue": "verified after changing the channel"}, f"followed by, not caused by; {note}"
    )


def _times(study: Study) -> Iterator[Told]:
    times, note = _by_best_source(metrics.time_to_verify(study.sessions))
    words = {"within_30s": "verified within 30 s", "p50": "half of all by", "p90": "90 % of all by"}
    reached = _rows(times, measure="p90")
    if len(reached) and reached["seconds"].isna().all():
        note = f"{note}; fewer than {percent(0.9, 1)} verify at all"
    yield from _each(TIME, times, words, f"of all sessions; {note}")


def _data(study: Study) -> Iterator[Told]:
    whole = metrics.completeness(study.attempts)
    yield from _each(DATA, whole, {"whole": "attempts that nothing is missing of"}, _silences(study))
    webhooks = metrics.webhook_health(study.callbacks, as_of=study.as_of, pulse=study.pulse)
    yield from _each(
        DATA, webhooks, {"redelivered": "callbacks that came again"}, "their first answer was lost or late"
    )


def _silences(study: Study) -> str:
    """Say when the collector was down."""
    if study.pulse is None:
        return "when the collector was down is not known"
    gaps = metrics.collector_gaps(study.pulse, as_of=study.as_of)
    if not len(gaps):
        return "the collector was never down"
    minutes = [f"{int(row['minutes'])} min from {row['from_at']:%Y-%m-%d %H:%M}" for _, row in gaps.head(2).iterrows()]
    more = f" and {len(gaps) - 2} times more" if len(gaps) > 2 else ""
    return f"the collector was down {listed(minutes)}{more}"
