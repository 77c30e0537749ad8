"""Which questions does a report answer, and in which order? For each: chart, reading, meaning, table."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import pandas as pd

from verify_analytics import charts

from . import readings
from . import readings_data as data
from . import readings_sessions as sessions
from .tables import Table, by_group, of_errors, of_measures, of_retries, of_times, of_waits

DELIVERY = {
    "confirmed": "confirmed",
    "accepted": "accepted",
    "coverage": "receipt coverage",
    "not_handed_over": "not handed over",
}


class Section(NamedTuple):
    """One view of the report; `name` is that of its files and its meaning, and of its frame unless `frame` says so.

    `folded` views are opened by whoever wants more.
    """

    name: str
    title: str
    draw: Callable[..., charts.Chart]
    read: Callable[[pd.DataFrame], str]
    table: Callable[[pd.DataFrame], Table] | None
    frame: str = ""
    folded: bool = False

    @property
    def source(self) -> str:
        """The frame that is drawn."""
        return self.frame or self.name

    @property
    def meaning(self) -> tuple[str, ...]:
        """What the figures mean, paragraph by paragraph."""
        return tuple(_meanings()[self.name])


class Chapter(NamedTuple):
    """Sections that belong together."""

    anchor: str
    title: str
    sections: tuple[Section, ...]


@cache
def _meanings() -> dict[str, list[str]]:
    return tomllib.loads((files(__package__) / "meanings.toml").read_text(encoding="utf-8"))


def _delivery(by: Sequence[str], caption: str, most: int = 40) -> Callable[[pd.DataFrame], Table]:
    return lambda frame: by_group(frame, by, DELIVERY, caption=caption, n="attempts", most=most)


def _of_source(table: Callable[..., Table], by: Sequence[str] = ()) -> Callable[[pd.DataFrame], Table]:
    """Show what one source told, as the chart's reading does; the file has them all."""

    def shown(frame: pd.DataFrame) -> Table:
        source = readings.source_of(frame)
        mine = frame[frame["source"].isin(["", source])] if source is not None else frame
        return table(mine, by)

    return shown


def _waits(frame: pd.DataFrame) -> Table:
    source = readings.source_of(frame)
    return of_waits(frame if source is None else frame[frame["source"] == source])


CHAPTERS = (
    Chapter(
        "delivery",
        "Do messages and calls arrive?",
        (
            Section(
                "delivery-by-channel-and-role",
                "First choice against fallback",
                charts.delivery_rate,
                readings.by_channel_and_role,
                _delivery(("channel", "role"), "Delivery by channel and role"),
            ),
            Section(
                "delivery-by-channel-and-day",
                "By day",
                charts.delivery_rate,
                readings.by_day,
                _delivery(("channel", "day"), "Delivery by channel and day", most=0),
            ),
            Section(
                "delivery-by-country",
                "By country",
                charts.delivery_rate,
                readings.by_country,
                _delivery(("country",), "Delivery by country"),
            ),
            Section(
                "delivery-by-country-and-day",
                "The largest countries by day",
                charts.delivery_rate,
                sessions.countries_over_time,
                _delivery(("country", "day"), "Delivery by country and day", most=0),
                folded=True,
            ),
            Section(
                "delivery-by-weekday-and-hour",
                "By hour of the week",
                charts.delivery_rate,
                sessions.week,
                _delivery(("weekday", "hour"), "Delivery by weekday and hour", most=0),
                folded=True,
            ),
            Section(
                "delivery-by-number-block",
                "By block of numbers",
                charts.delivery_rate,
                readings.by_block,
                _delivery(("number_block",), "Delivery by block of numbers"),
                folded=True,
            ),
        ),
    ),
    Chapter(
        "errors",
        "Why do they not arrive?",
        (
            Section("error-codes", "Error codes", charts.error_codes, readings.errors, of_errors),
            Section(
                "error-codes-by-day",
                "The most frequent codes by day",
                charts.error_codes,
                sessions.codes_over_time,
                None,
                folded=True,
            ),
        ),
    ),
    Chapter(
        "retries",
        "What do people do when no code comes?",
        (
            Section(
                "retry-flow",
                "From attempt to attempt",
                charts.retry_flow,
                sessions.flow,
                _of_source(of_retries),
                frame="retries",
            ),
            Section("retries", "How many ask again", charts.retries, readings.retries, None, folded=True),
            Section(
                "attempts-per-session",
                "Attempts per session",
                charts.attempts_per_session,
                sessions.attempts,
                None,
                frame="retries",
                folded=True,
            ),
            Section(
                "retry-gaps",
                "How long before asking again",
                charts.retry_gaps,
                sessions.gaps,
                None,
                frame="retries",
                folded=True,
            ),
        ),
    ),
    Chapter(
        "times",
        "How long does it take?",
        (
            Section(
                "time-to-verify",
                "Until a session is verified",
                charts.time_to_verify,
                readings.times,
                lambda frame: of_times(frame, ()),
            ),
            Section("when-to-switch", "When to offer another way", charts.when_to_switch, sessions.switch, _waits),
            Section(
                "time-to-verify-by-country",
                "Until a session is verified, by country",
                charts.time_to_verify,
                readings.times_by_country,
                _of_source(of_times, ("country",)),
                folded=True,
            ),
            Section(
                "time-to-deliver",
                "Until a receipt says delivered",
                charts.time_to_deliver,
                sessions.deliveries,
                None,
                folded=True,
            ),
        ),
    ),
    Chapter(
        "funnel",
        "Where are people lost?",
        (
            Section(
                "funnel",
                "How far sessions get",
                charts.funnel,
                sessions.funnel,
                lambda frame: of_measures(frame, "How far sessions get", "sessions"),
            ),
        ),
    ),
    Chapter(
        "data",
        "Is anything wrong with the data?",
        (
            Section(
                "webhook-health-by-day",
                "Callbacks by day",
                charts.webhook_health,
                data.webhooks,
                None,
            ),
            Section(
                "collector-health",
                "What the collector did, by day",
                charts.collector_health,
                data.collector,
                None,
                folded=True,
            ),
            Section(
                "completeness",
                "Callbacks that are missing",
                charts.completeness,
                data.completeness,
                lambda frame: of_measures(frame, "Callbacks that are missing", "attempts"),
                folded=True,
            ),
            Section(
                "lawful-order",
                "What contradicts itself",
                charts.lawful_order,
                data.order,
                lambda frame: of_measures(frame, "What contradicts itself", "judged"),
                folded=True,
            ),
            Section(
                "receipt-trust",
                "Receipts against what people did",
                charts.receipt_trust,
                data.receipts,
                lambda frame: of_measures(frame, "Receipts against what people did", "sessions"),
                folded=True,
            ),
        ),
    ),
)


def shown_chapters(frames: Mapping[str, pd.DataFrame]) -> tuple[Chapter, ...]:
    """Name the chapters with the views of which there are figures: blocks of numbers only where they were asked for."""
    kept = [
        chapter._replace(sections=tuple(each for each in chapter.sections if each.source in frames))
        for chapter in CHAPTERS
    ]
    return tuple(kept)
