"""What a careful user would write from Plivo's guide: Flask, SQLAlchemy's ORM, one commit for each request.

It is measured beside the collector and is no part of it. It keeps what the guide keeps, checks V2 with Plivo's own
package, and leaves SQLite as it comes: rollback journal, and Python's wait of five seconds for a lock.
"""

import os
from datetime import UTC, datetime

from flask import Flask, Response, abort, request
from plivo.utils import validate_signature
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """The tables of this app."""


class Callback(Base):
    """One request as it came, and its fields."""

    __tablename__ = "callbacks"

    id: Mapped[int] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
    session_uuid: Mapped[str] = mapped_column(index=True)
    session_status: Mapped[str | None]
    request_time: Mapped[str | None]
    recipient: Mapped[str | None]
    channel: Mapped[str | None]
    channel_status: Mapped[str | None]
    channel_error_code: Mapped[str | None]
    attempt_uuid: Mapped[str | None] = mapped_column(index=True)
    attempt_sequence: Mapped[str | None]


def create_app() -> Flask:
    """Build the app; the token and the file come by the environment."""
    app = Flask(__name__)
    # "database is locked" is counted by whoever asks; its traceback would fill the screen.
    app.logger.disabled = True
    token = os.environ["PLIVO_AUTH_TOKEN"]
    engine = create_engine(f"sqlite:///{os.environ['CALLBACKS_DB']}")
    with engine.begin() as connection:
        # Two workers start at once.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        Base.metadata.create_all(connection)

    @app.post("/callbacks/plivo")
    def callback() -> Response:
        nonce = request.headers.get("X-Plivo-Signature-V2-Nonce", "")
        signature = request.headers.get("X-Plivo-Signature-V2", "")
        if not validate_signature(request.url, nonce, signature, token):
            abort(403)
        form = request.form
        with Session(engine) as session:
            session.add(
                Callback(
                    received_at=datetime.now(UTC),
                    session_uuid=form["SessionUUID"],
                    session_status=form.get("SessionStatus"),
                    request_time=form.get("RequestTime"),
                    recipient=form.get("Recipient"),
                    channel=form.get("Channel"),
                    channel_status=form.get("ChannelStatus"),
                    channel_error_code=form.get("ChannelErrorCode"),
                    attempt_uuid=form.get("AttemptUUID"),
                    attempt_sequence=form.get("AttemptSequence"),
                )
            )
            session.commit()
        return Response(status=200)

    return app
