"""Which version a database has, and how an older one becomes a current one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, inspect, select, text

from tokonomy.errors import StoreCorrupt, StoreTooNew
from tokonomy.store.derive import DERIVATION
from tokonomy.store.schema import run

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every migration, oldest first; kept here because importing Alembic takes longer than opening."""


def revision(connection: Connection, place: str) -> str | None:
    """The database's revision, None for an empty one; refuses what is newer or not ours."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    found = None
    if "alembic_version" in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is None or "run" not in tables:
        raise StoreCorrupt(f"{place}: a database, but not one of Tokonomy's; name another file")
    if found not in REVISIONS:
        raise StoreTooNew(
            f"{place}: written by a newer Tokonomy (revision {found}; this one knows "
            f"up to {REVISIONS[-1]}); upgrade Tokonomy to read it"
        )
    return str(found)


def stale(connection: Connection) -> bool:
    """Whether some figures were derived by another version of the derivation."""
    bounds = connection.execute(select(func.min(run.c.derivation), func.max(run.c.derivation)))
    return any(bound not in (None, DERIVATION) for bound in bounds.one())


def migrate(connection: Connection, to: str = "head") -> None:
    """Bring the database to a revision, inside the caller's transaction."""
    from alembic import command

    settings = configuration()
    settings.attributes["connection"] = connection
    command.upgrade(settings, to)


def configuration() -> Config:
    """Alembic's settings, with the migrations that ship in this package."""
    from alembic.config import Config

    settings = Config()
    folder = Path(__file__).parent / "migrations"
    settings.set_main_option("script_location", str(folder).replace("%", "%%"))
    return settings
