"""How far did a session's attempts get on their way to the phone? One row per session, for the metrics that ask so."""

from datetime import timedelta

import narwhals as nw
from narwhals.typing import IntoFrame

from verify_analytics import model
from verify_analytics.model.columns import ATTEMPTS
from verify_analytics.model.frames import Frame

from .by import ROLES
from .delivery import ACCOUNT_CODES, POLICY_CODES
from .engine import opened
from .judged import NOT_OBSERVABLE, SEEN, check_whole, with_end
from .outcomes import UNKNOWN, UNOBSERVED

# How far an attempt got, from nearest to furthest. A session got as far as the furthest of its attempts.
SILENT, POLICY, ACCOUNT, NETWORK = "silent", "policy", "account", "network"
UNDELIVERED, NO_RECEIPT, DELIVERED = "undelivered", "no_receipt", "delivered"
PLACES = (SILENT, POLICY, ACCOUNT, NETWORK, UNDELIVERED, NO_RECEIPT, DELIVERED)
# No status of its attempts was ever listed, or nobody was listening.
NOWHERE = 0
# An attempt after the verification answers a new need.
_WANTED = tuple(role for role in ROLES if role != "after_verified")


def sessions_with_receipts(attempts: IntoFrame, *, window: str | timedelta, asked_by: str) -> Frame:
    """Make sessions of attempts, and put beside each how far its attempts got before it was verified.

    Returns
    -------
    Frame
        The columns of ``model.sessions``; ``_furthest``, the place in `PLACES` from 1 on, or `NOWHERE`; and ``_gap``,
        1 where one of its attempts waited while the collector was not listening. One row per session.

    Raises
    ------
    ArgumentError
        For something that is no dataframe, or attempts of one session that were seen from several moments.
    SchemaError
        For a frame that lacks a column of ``model.attempts``.
    """
    columns = [column.name for column in ATTEMPTS]
    frame = opened(attempts, columns, asked_by=asked_by, made_by="model.attempts")
    check_whole(frame, asked_by=asked_by)
    sessions: Frame = nw.from_native(model.sessions(nw.to_native(frame), window=window))
    return sessions.join(_rolled_up(frame.filter(nw.col("is_attempt"))), on="session_id", how="left")


def judged(sessions: Frame, source: str = "") -> Frame:
    """Do as `with_end`, and leave out, too, whose attempts nothing can be said of.

    An attempt waits longer than the window: a session may have been watched to its end, and its attempt not. By time
    alone, whatever was heard of it, as the model has it.
    """
    told = with_end(sessions, source)
    kind = nw.col("_class")
    known = nw.when(nw.col("_furthest") > NOWHERE).then(kind).otherwise(nw.lit(UNKNOWN))
    known = nw.when(nw.col("_gap") == 1).then(nw.lit(UNOBSERVED)).otherwise(known)
    return told.with_columns(_class=nw.when(kind.is_in([SEEN, NOT_OBSERVABLE])).then(known).otherwise(kind))


def _rolled_up(attempts: Frame) -> Frame:
    """Reduce attempts to one row per session: only the largest of prepared columns."""
    wanted, unobserved = nw.col("role").is_in(_WANTED), nw.col("outcome").is_in([UNOBSERVED])
    prepared = attempts.with_columns(
        _furthest=nw.when(wanted).then(_place()).otherwise(nw.lit(NOWHERE)).cast(nw.Int64),
        _gap=nw.when(wanted & unobserved).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64),
    )
    return prepared.group_by("session_id").agg(nw.col("_furthest").max(), nw.col("_gap").max())


def _place() -> nw.Expr:
    """Say how far an attempt got, as its place in `PLACES`."""
    outcome, code = nw.col("outcome").fill_null(""), nw.col("error_code").fill_null("")
    number = {name: nw.lit(place) for place, name in enumerate(PLACES, 1)}
    refused = nw.when(code.is_in(ACCOUNT_CODES)).then(number[ACCOUNT]).otherwise(number[NETWORK])
    refused = nw.when(code.is_in(POLICY_CODES)).then(number[POLICY]).otherwise(refused)
    place = nw.when(outcome == "silent").then(number[SILENT]).otherwise(nw.lit(NOWHERE))
    place = nw.when(outcome == "failed").then(refused).otherwise(place)
    place = nw.when(outcome == "undelivered").then(number[UNDELIVERED]).otherwise(place)
    place = nw.when(outcome == "accepted").then(number[NO_RECEIPT]).otherwise(place)
    return nw.when(outcome == "delivered").then(number[DELIVERED]).otherwise(place)
