"""What do people do when no code comes? How often they ask again, on which channel, and what followed."""

from collections.abc import Callable

import pandas as pd

from .canvas import Chart, Words, in_house_style, message
from .frames import (
    INTERVAL,
    checked,
    group_name,
    in_reading_order,
    largest,
    left_out,
    seen_from,
    sentence,
    split_by,
    title_of,
)
from .palette import PLAIN, Look, channel_look
from .rows import Mark, Row, Section, draw_rows
from .words import many, named, seconds

NEEDED = ("source", "from_channel", "to_channel", "measure", "count", "n", "rate", "mean", "seconds", "low", "high")
CONTEXT = ("immature", "unobserved", "as_of")
SOURCES = ("app", "callback")
ORDINALS = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 5: "5th"}
MOST_FLOWS = 4
MOST_GROUPS = 5
LOOK = Look(PLAIN, "o", "-", "")

REACHES, BEFORE, GAP = "reaches_attempt_", "verified_before_attempt_", "gap_to_attempt_2_"
# Section by section: its heading, and what its measures begin with.
SECTIONS = (
    ("How many attempts a session takes", (REACHES,)),
    ("Asked too early: the code before did arrive", ("resent_too_early", "fell_back_too_early")),
    ("What the second attempt was", ("second_attempt",)),
    ("Verified", (BEFORE,)),
    ("Verified afterwards (followed by, not caused by)", ("rescue", "second_attempt_then_verified")),
)
HEADLINES = ("reaches_attempt_2", "resent_too_early", "verified_before_attempt_2", "rescue")


@in_house_style
def retries(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw how often people ask again, on which channel, whether too early, and how often verification followed.

    Verification is drawn as one source reported it: the application where it reported, else the provider.

    Parameters
    ----------
    frame
        What ``metrics.retries`` gives, for any `by`; filter its rows as you like.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError
        For something else than a frame.
    SchemaError
        For a frame without the metric's columns.
    """
    frame = checked(frame, (*NEEDED, *CONTEXT), name="retries")
    by = split_by(frame, "source")
    seen = frame.loc[frame["n"] > 0, "source"]
    source = next((each for each in SOURCES if (seen == each).any()), "")
    drawn = frame[frame["source"].isin(["", source]) & (frame["n"] > 0)]
    title = title_of("When people ask for another code", by)
    words = Words(title, _definition(frame, source), _notes(frame, drawn, by, source))
    if not drawn["rate"].notna().any():
        return message(words, "No session is old enough to be judged, so there is nothing to draw.", narrow=narrow)
    kept, more = largest(drawn, by, MOST_GROUPS)
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.", *words.notes))
    sections = _by_group(kept, by) if by else _in_full(kept)
    return draw_rows(words, sections, ["share"], narrow=narrow)


def _definition(frame: pd.DataFrame, source: str) -> str:
    verified = f"verified as {named(source)}" if source else "verification is not observable"
    return sentence("Shares of sessions", verified, INTERVAL, seen_from(frame))


def _notes(frame: pd.DataFrame, drawn: pd.DataFrame, by: list[str], source: str) -> tuple[str, ...]:
    notes = []
    if not by:
        per = drawn.loc[drawn["measure"] == "attempts_per_session", "mean"].dropna()
        waits = drawn.set_index("measure")["seconds"].dropna()
        if len(per):
            notes.append(f"{per.iloc[0]:.2f} attempts per session.")
        if {GAP + "p50", GAP + "p90"} <= set(waits.index):
            half, most = (seconds(float(waits[GAP + name])) for name in ("p50", "p90"))
            notes.append(f"Half of the second attempts come within {half} of the first, 90 % within {most}.")
    of_source = frame[frame["source"] == source] if source else frame
    notes.append(left_out(of_source, by, "session", "of which no attempt was seen"))
    return tuple(note for note in notes if note)


def _in_full(rows: pd.DataFrame) -> list[Section]:
    sections = []
    for heading, beginnings in SECTIONS:
        found: list[Row] = []
        for beginning in beginnings:
            exact = beginning in set(rows["measure"])
            mine = rows[rows["measure"] == beginning if exact else rows["measure"].str.startswith(beginning)]
            mine = mine[mine["rate"].notna()]
            if beginning.startswith("second_attempt"):
                size = "n" if beginning.endswith("verified") else "count"
                mine = mine.sort_values(size, ascending=False, kind="stable").head(MOST_FLOWS)
            found += [_row(row, _name(row)) for _, row in mine.iterrows()]
        if found:
            sections.append(Section(heading, tuple(found)))
    return sections


def _by_group(rows: pd.DataFrame, by: list[str]) -> list[Section]:
    sections = []
    for _, mine in in_reading_order(rows, by).groupby(by, sort=False):
        headlines = [mine[mine["measure"] == measure] for measure in HEADLINES]
        found = tuple(_row(each.iloc[0], _name(each.iloc[0], alone=True)) for each in headlines if len(each))
        sections.append(Section(group_name(mine.iloc[0], by), found))
    return sections


def _row(row: pd.Series, name: str) -> Row:
    look = channel_look(str(row["to_channel"])) if row["to_channel"] else LOOK
    numbers = (float(row["rate"]), float(row["low"]), float(row["high"]), float(row["n"]))
    return Row(name, (Mark("share", *numbers, look),), float(row["n"]))


def _name(row: pd.Series, *, alone: bool = False) -> str:
    """Name a measure under its section's heading, or by itself."""
    measure = str(row["measure"])
    if measure in {"second_attempt", "second_attempt_then_verified"}:
        return f"{named(row['from_channel'], 'channel')} → {named(row['to_channel'], 'channel')}"
    for beginning, words in NAMES.items():
        if measure.startswith(beginning):
            number = int(measure.removeprefix(beginning)) if beginning in {REACHES, BEFORE} else 0
            short, full = words(number)
            return full if alone else short
    return measure


def _of_verified(number: int) -> tuple[str, str]:
    which = f"with the {ORDINALS.get(number - 1, f'{number - 1}th')} attempt"
    return (which, f"verified {which}") if number == 2 else (f"{which}, if there was one", f"verified {which}, if any")


# For each measure its name under a heading, and its name alone.
NAMES: dict[str, Callable[[int], tuple[str, str]]] = {
    REACHES: lambda number: (f"{number} or more", f"{number} or more attempts"),
    BEFORE: _of_verified,
    "resent_too_early": lambda _: ("same channel again", "asked again too early"),
    "fell_back_too_early": lambda _: ("another channel", "changed the channel too early"),
    "rescue": lambda _: ("after any change of channel", "verified after changing the channel"),
}
