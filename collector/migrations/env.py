"""What Alembic runs: revisions on the connection it was handed, inside the transaction that is open there."""

from alembic import context

from collector.store import metadata

# Offline (`upgrade --sql`) there is no connection: the statements are written down for the dialect that was named.
connection = context.config.attributes.get("connection")
if connection is None:
    context.configure(
        dialect_name=context.config.attributes.get("dialect", "sqlite"), target_metadata=metadata, literal_binds=True
    )
else:
    context.configure(connection=connection, target_metadata=metadata)

with context.begin_transaction():
    context.run_migrations()
