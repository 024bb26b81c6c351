"""How older databases become current ones; run from the package, without an alembic.ini."""
