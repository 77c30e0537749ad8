"""${message}.

Additive only: a column or a table more. What is renamed or dropped would break whoever reads the store.
"""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Add what this release needs."""
    ${upgrades if upgrades else "pass"}
