"""Alembic's entry: runs the migrations on the connection that ``upgrade`` hands over.

Without a connection it prints the SQL for the dialect in ``config.attributes["dialect"]``.
"""

from __future__ import annotations

from alembic import context

connection = context.config.attributes.get("connection")
if connection is None:
    context.configure(dialect_name=context.config.attributes["dialect"], literal_binds=True)
else:
    context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
