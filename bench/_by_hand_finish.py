"""States to attempts and sessions by hand: outcome, role, coverage and the ends of sessions, all in arrays."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from bench._by_hand import MINUTE, NONE, SECOND, Columns, Ints, Sorted, Table, minutes_of
from verify_analytics.model import outcomes

OUTCOMES = ("", "unobserved", "delivered", "undelivered", "failed", "unknown", "pending", "accepted", "silent")
ROLES = ("", "first_choice", "after_verified", "unknown", "resend", "fallback")


class View(NamedTuple):
    """From when and how patiently it is read, µs."""

    as_of_us: int
    patience_us: int
    window_us: int


def finish(states: Table, folder: Path, view: View) -> tuple[Table, Table]:
    """Give attempts and sessions as `model.finish` and `model.sessions` do."""
    placed = Sorted(states)
    rows, attempt = placed.rows, placed.rows["is_attempt"]
    _start(placed)
    whole = _facts(placed)
    reports = _reports(folder, states.texts["session_id"], view.as_of_us)
    app = np.full(len(states.texts["session_id"]), NONE)
    first = reports.groupby("session_id")["verified_us"].min()
    known = first.index.to_numpy() >= 0
    app[first.index.to_numpy()[known]] = first.to_numpy()[known]
    whole["verified_app_us"] = app[placed.session[placed.starts]]
    heard = rows["verified_us"][rows["verified_us"] != NONE]
    sources = minutes_of(whole, heard, reports["received_us"].to_numpy())
    minute = whole["begun_us"] // MINUTE
    for source, (minutes, values) in sources.items():
        at = np.searchsorted(minutes, minute)
        whole |= {f"{source}_{name}": column[at] for name, column in values.items()}
    observed, covered = _coverage(folder, rows["started_us"], view.as_of_us)
    rows.columns["observed_until_us"] = observed
    _roles(placed, whole)
    mature = rows["started_us"] <= view.as_of_us - view.patience_us
    unseen = _unobserved(observed, covered, rows["started_us"] + view.patience_us)
    rows.columns |= {"mature": mature, "outcome": _outcome(rows, mature, unseen), "session": placed.number}
    _receipts(rows)
    rows.columns["attempts_in_session"] = whole["attempts"][placed.number]
    whole["channel"] = placed.least(np.where(attempt & whole.pop("_is_first"), rows["channel"], NONE))
    return rows, Table(_ends(placed, whole, covered, view), states.texts)


def _start(placed: Sorted) -> None:
    """Say when each attempt started, and whether its requested time is that of the one before."""
    rows, sequence = placed.rows, placed.sequence
    requested, received = rows["requested_us"], rows["first_received_us"]
    sequence_before, requested_before = placed.before(sequence), placed.before(requested)
    shared = _shared(requested, requested_before, sequence, sequence_before)
    before = _shared(
        requested_before, placed.before(requested, steps=2), sequence_before, placed.before(sequence, steps=2)
    )
    received_before = placed.before(received)
    rows.columns |= {
        "requested_at_shared": shared,
        "started_us": np.where(shared | (requested == NONE), received, requested),
        "_started_before": np.where(before, received_before, placed.before(placed.begun)),
        "_received_before": received_before,
    }


def _shared(requested: Ints, before: Ints, sequence: Ints, sequence_before: Ints) -> Any:
    known = (requested != NONE) & (sequence != NONE) & (sequence_before != NONE)
    return known & (requested == before) & (sequence > sequence_before)


def _facts(placed: Sorted) -> Columns:
    """Say what the rows of each session say together; attempts alone decide where there is one."""
    rows, attempt = placed.rows, placed.rows["is_attempt"]
    started = rows["started_us"]
    of_attempts = placed.least(np.where(attempt, started, NONE))
    last = placed.most(np.where(attempt, started, -1))
    begun = placed.least(np.where(attempt, placed.begun, NONE))
    lowest = placed.least(placed.sequence)
    is_first = np.diff(placed.session, prepend=-1) != 0
    reached = (rows["delivered_us"] != NONE) | (
        (rows["accepted_us"] != NONE) & (rows["failed_us"] == NONE) & (rows["undelivered_us"] == NONE)
    )
    return {
        "started_us": np.where(of_attempts == NONE, placed.least(started), of_attempts),
        "last_started_us": np.where(last < 0, placed.most(started), last),
        "begun_us": np.where(begun == NONE, placed.least(placed.begun), begun),
        "lowest_sequence": lowest,
        "attempts": np.add.reduceat(attempt.astype(np.int64), placed.starts),
        "verified_callback_us": placed.least(rows["verified_us"]),
        "expired_us": placed.least(rows["expired_us"]),
        "reached": placed.most(reached.astype(np.int64)),
        "_is_first": is_first,
    }


def _reports(folder: Path, sessions: Any, as_of_us: int) -> pd.DataFrame:
    """Read what the application reported, sessions by their number, -1 where callbacks name none such."""
    files = sorted((folder / "verifications").rglob("*.parquet"))
    found = pd.concat([pq.ParquetFile(file).read().to_pandas() for file in files], ignore_index=True)
    moments = {f"{name}_us": found[f"{name}_at"].astype("int64").to_numpy() for name in ("verified", "received")}
    numbers = pd.Index(sessions).get_indexer(found["session_id"])
    reports = pd.DataFrame({"session_id": numbers, **moments})
    return reports[reports["received_us"] <= as_of_us]


def _coverage(folder: Path, started_us: Ints, as_of_us: int) -> tuple[Ints, int]:
    """Say up to when the collector listened without a break from each start, and when it is last known to have."""
    files = sorted((folder / "pulse").rglob("*.parquet"))
    minutes = np.unique(
        np.concatenate([pq.ParquetFile(f).read(["minute"])["minute"].to_numpy().astype("int64") for f in files])
    )
    minutes = minutes[minutes <= as_of_us - MINUTE] // MINUTE
    run = np.cumsum(np.diff(minutes, prepend=minutes[0]) > 1)
    ends = minutes[np.append(np.flatnonzero(np.diff(run)), len(minutes) - 1)]
    minute = np.maximum(started_us // MINUTE, minutes[0])
    at = np.minimum(np.searchsorted(minutes, minute), len(minutes) - 1)
    return np.where(minutes[at] == minute, (ends[run[at]] + 1) * MINUTE, started_us), int((minutes[-1] + 1) * MINUTE)


def _unobserved(observed: Ints, covered: int, last_us: Ints) -> Any:
    end = (last_us // MINUTE + 1) * MINUTE
    return np.where(end > covered, observed < covered, observed < end)


def _roles(placed: Sorted, whole: Columns) -> None:
    rows, sequence, channel = placed.rows, placed.sequence, placed.rows["channel"]
    before, after = placed.before(sequence), placed.before(sequence, steps=-1)
    known = sequence != NONE
    ambiguous = known & ((sequence == before) | (sequence == after))
    ambiguous |= (before != NONE) & (before == placed.before(sequence, steps=2))
    follows = known & (before != NONE) & (sequence == before + (before != NONE)) & ~ambiguous
    app = whole["verified_app_us"]
    wrong = (app < whole["started_us"]) & (whole["lowest_sequence"] == 1)
    verified = np.minimum(np.where(wrong, NONE, app), whole["verified_callback_us"])[placed.number]
    channel_before = placed.before(channel, -1)
    role = np.where(channel == channel_before, ROLES.index("resend"), ROLES.index("fallback"))
    role = np.where(~follows | (channel < 0) | (channel_before < 0), ROLES.index("unknown"), role)
    role = np.where(rows["started_us"] > verified, ROLES.index("after_verified"), role)
    role = np.where(sequence == 1, ROLES.index("first_choice"), role)
    started, received = rows["started_us"], rows["first_received_us"]
    gap = np.where(rows["requested_at_shared"], received - rows["_received_before"], started - rows["_started_before"])
    rows.columns |= {
        "role": np.where(rows["is_attempt"], role, 0),
        "previous_channel": np.where(follows, channel_before, -1),
        "seconds_since_previous": np.where(follows, gap / SECOND, np.nan),
    }


def _outcome(rows: Table, mature: Any, unseen: Any) -> Ints:
    seen = {name: rows[f"{name}_us"] != NONE for name in outcomes.STATES}
    nothing = rows["has_unknown_status"] & ~(seen["queued"] | seen["ringing"] | seen["accepted"])
    conditions = {
        "": ~rows["is_attempt"],
        "unobserved": unseen,
        "delivered": seen["delivered"],
        "undelivered": seen["undelivered"],
        "failed": seen["failed"],
        "unknown": nothing,
        "pending": ~mature,
        "accepted": seen["accepted"],
    }
    return np.select(list(conditions.values()), [OUTCOMES.index(name) for name in conditions], OUTCOMES.index("silent"))


def _receipts(rows: Table) -> None:
    """Add the strongest receipt with its time and code, and whether something did not fit together."""
    settled, code, code_max = np.full((3, len(rows["mature"])), NONE)
    for name in outcomes.RECEIPTS:
        here = rows[f"{name}_us"] != NONE
        settled = np.where(here, rows[f"{name}_us"], settled)
        if name != "delivered":
            code = np.where(here, rows[f"code_{name}"], code)
            code_max = np.where(here, rows[f"code_{name}_max"], code_max)
        else:
            code, code_max = np.where(here, NONE, code), np.where(here, NONE, code_max)
    code, code_max = np.where(code == NONE, -1, code), np.where(code_max == NONE, -1, code_max)
    facts = ("session_id", "provider", "channel", "attempt_sequence", "recipient_key", "country", "number_block")
    conflict = np.zeros(len(settled), dtype=bool)
    for name in facts:
        conflict |= rows[name] != rows[f"{name}_max"]
    rows.columns |= {
        "settled_us": settled,
        "error_code": code,
        "codes_differ": code != code_max,
        "conflict": conflict & rows["is_attempt"],
    }


def _ends(placed: Sorted, whole: Columns, covered: int, view: View) -> Columns:
    """Say how each session ended, as far as it was known."""
    rows, attempt, sequence = placed.rows, placed.rows["is_attempt"], placed.sequence
    before = attempt & (rows["role"] != ROLES.index("after_verified"))
    later = before & (sequence > 1) & (sequence != NONE)
    last_before = placed.most(np.where(before, rows["started_us"], -1))
    last_us = whole["last_started_us"] + view.window_us
    waited = np.where(last_before < 0, whole["last_started_us"], last_before) + view.window_us
    end = np.minimum(whole["expired_us"], waited)
    observed = placed.least(np.where(attempt, rows["observed_until_us"], NONE))
    observed = np.where(observed == NONE, placed.least(rows["observed_until_us"]), observed)
    return whole | {
        "highest_sequence": placed.most(np.where(sequence == NONE, -1, sequence)),
        "attempts_before_verified": np.add.reduceat(before.astype(np.int64), placed.starts),
        "second_started_us": placed.least(np.where(later, rows["started_us"], NONE)),
        "fallback_started_us": placed.least(
            np.where(rows["role"] == ROLES.index("fallback"), rows["started_us"], NONE)
        ),
        "mature": whole["last_started_us"] + view.patience_us <= view.as_of_us - view.window_us,
        "ended_us": np.where(end <= view.as_of_us, end, NONE),
        "unobserved": _unobserved(observed, covered, last_us),
        "covered_until_us": covered,
        **{f"observable_{source}": _observable(whole, source, last_us) for source in ("app", "callback")},
    }


def _observable(whole: Columns, source: str, last_us: Ints) -> Any:
    started = whole["started_us"]
    within = (started >= whole[f"{source}_first_us"]) & (started <= whole[f"{source}_last_us"])
    return within & ~(whole[f"{source}_silence_from_us"] <= last_us)
