"""The tables of the first release.

Written out, not taken from ``collector.store``: a revision says what was true then, whatever the tables become later.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _create(name: str, *columns: sa.schema.SchemaItem, keyed: bool = False, rowid: bool = True) -> None:
    op.create_table(name, *columns, sqlite_strict=True, sqlite_autoincrement=keyed, sqlite_with_rowid=rowid)


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, sa.Identity(), nullable=False)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _integer(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=null)


def upgrade() -> None:
    """Create them."""
    _create(
        "callbacks",
        _key("callback_id"),
        _text("arrival_id"),
        _integer("received_at"),
        _text("provider"),
        _text("session_id"),
        _text("session_status", null=True),
        _text("attempt_id", null=True),
        _integer("attempt_sequence", null=True),
        _text("channel", null=True),
        _text("channel_status", null=True),
        _text("error_code", null=True),
        _integer("requested_at", null=True),
        _text("recipient_key", null=True),
        _text("country", null=True),
        _text("number_block", null=True),
        _text("proof"),
        _text("digest"),
        _text("extra", null=True),
        sa.PrimaryKeyConstraint("callback_id", name="pk_callbacks"),
        sa.UniqueConstraint("arrival_id", name="uq_callbacks_arrival_id"),
        keyed=True,
    )
    _create(
        "verifications",
        _key("verification_id"),
        _text("session_id"),
        _integer("verified_at"),
        _integer("received_at"),
        sa.PrimaryKeyConstraint("verification_id", name="pk_verifications"),
        sa.UniqueConstraint("session_id", "verified_at", name="uq_verifications_session_id_verified_at"),
        keyed=True,
    )
    _create(
        "pulse",
        _text("collector"),
        _integer("minute"),
        _integer("accepted"),
        _integer("repeated"),
        _integer("quarantined"),
        _integer("refused"),
        _text("refused_by"),
        sa.PrimaryKeyConstraint("collector", "minute", name="pk_pulse"),
        rowid=False,
    )
    _create(
        "nonces",
        _text("family"),
        _text("nonce_hash"),
        _text("digest"),
        _integer("arrivals"),
        sa.PrimaryKeyConstraint("family", "nonce_hash", name="pk_nonces"),
        rowid=False,
    )
    _create(
        "quarantine",
        _key("quarantine_id"),
        _integer("received_at"),
        _text("reason"),
        _text("proof"),
        _text("method"),
        _text("url"),
        _text("headers"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _text("nonces"),
        _text("digest"),
        _integer("replayed_at", null=True),
        sa.PrimaryKeyConstraint("quarantine_id", name="pk_quarantine"),
        keyed=True,
    )
    op.create_index("ix_quarantine_nonces", "quarantine", ["nonces"])
    _create(
        "peppers",
        _key("pepper_id"),
        _text("key_id"),
        _text("check_value"),
        sa.PrimaryKeyConstraint("pepper_id", name="pk_peppers"),
        sa.UniqueConstraint("key_id", name="uq_peppers_key_id"),
        keyed=True,
    )
