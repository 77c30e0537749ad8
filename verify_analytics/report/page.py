"""How do figures, charts and tables become one page? It stands alone: no script, nothing fetched, fit to print."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from verify_analytics.charts.words import count, many, moment, percent, seconds

from .answers import answers
from .asked import BLOCKS, FRAMES
from .badges import REASONS, badges, left_out
from .glossary import anchor, glossary
from .headlines import Headline, headlines
from .manifest import command, versions
from .moved import asked, nothing, sentences
from .sections import Chapter, Section
from .study import Study, Where
from .suppress import at_least, told
from .tables import Table
from .trust import table

ASKED = FRAMES | BLOCKS


class Shown(NamedTuple):
    """A section as it stands on the page: its chart for a wide and for a narrow page, its reading, its table."""

    section: Section
    wide: Markup
    narrow: Markup
    reading: str
    table: Table | None


def render(
    study: Study, where: Where, shown: Mapping[str, Shown], chapters: Sequence[Chapter], *, note: str | None
) -> bytes:
    """Write the page. The same study gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("verify_analytics.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"count": count, "moment": moment, "percent": percent, "spell": seconds}
    style = (files(__package__) / "page.css").read_text(encoding="utf-8")
    text = environment.get_template("page.html").render(
        study=study,
        note=note,
        facts=study.facts,
        style=Markup(style),  # our own file  # noqa: S704
        summary=_summary(study),
        headlines=[(each, Markup(_gauge(each))) for each in headlines(study)],  # numbers only  # noqa: S704
        compared=_compared(study),
        moved=_moved(study),
        answers=answers(study),
        badges=badges(study),
        checks=table(study),
        glossary=glossary(each.metric for each in FRAMES.values()),
        anchor=anchor,
        told=told,
        metric_of=lambda section: ASKED[section.source].metric,
        chapters=[(chapter, [shown[section.name] for section in chapter.sections]) for chapter in chapters],
        left_out=left_out(study),
        reasons=REASONS.values(),
        command=command(study, where),
        versions=versions(),
    )
    return text.encode()


def _summary(study: Study) -> str:
    facts, few = study.facts, study.options.min_cell
    redelivered = told(facts.redeliveries, "redelivery", few, "redeliveries")
    again = f" ({redelivered})" if facts.redeliveries else ""
    since = f"since {moment(study.since)}" if study.since is not None else f"since {moment(study.first_started)}"
    return (
        f"{at_least(study.sessions, 'session', few)} started {since}, with {at_least(study.attempts, 'attempt', few)}; "
        f"{many(facts.callbacks, 'callback')} received{again}."
    )


def _compared(study: Study) -> str:
    """Say which periods the tiles compare, and what their verdicts account for."""
    if study.change is None:
        return "No change is shown: the store does not reach back far enough for a period to compare with."
    periods, down = study.change.periods, study.change.down
    spans = [
        span.words + (f" (the collector was down for {seconds(60 * minutes)} of it)" if minutes else "")
        for span, minutes in zip((periods.now, periods.before), down, strict=True)
    ]
    return (
        f"Change: {spans[0]} against {spans[1]}: {periods.how}. Only what is old enough to be judged counts in either. "
        "Each verdict accounts for six figures being looked at together, so an interval that just leaves out 0 is not "
        "yet a change."
    )


def _moved(study: Study) -> Mapping[str, object]:
    """Say what moved, or that nothing did."""
    if study.change is None:
        return {"sentences": [], "nothing": "There is no earlier period to compare with.", "asked": ""}
    found = sentences(study.change)
    return {
        "sentences": found,
        "nothing": "" if found else nothing(study.change),
        "asked": asked(study.change),
    }


def _gauge(each: Headline) -> str:
    """Draw a rate and its interval on a small scale from 0 to 1; decoration, since the words say it all."""
    if each.rate is None:
        return ""
    band = ""
    if each.low is not None and each.high is not None:
        width = max(100 * (each.high - each.low), 0.8)
        band = f'<rect class="band" x="{100 * each.low:.2f}" y="0.5" width="{width:.2f}" height="5" rx="1"/>'
    return (
        '<svg class="gauge" viewBox="-1 0 102 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<rect class="scale" x="0" y="2.4" width="100" height="1.2"/>{band}'
        f'<rect class="point" x="{100 * each.rate - 0.4:.2f}" y="0" width="0.8" height="6"/></svg>'
    )
