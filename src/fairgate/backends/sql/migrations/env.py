"""Alembic runs this file: the migrations, on the connection and in the transaction that it was given."""

from alembic import context

from fairgate.backends.sql.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
