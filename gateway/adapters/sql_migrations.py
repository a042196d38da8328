"""Bringing a database's schema to its newest version. Apart from the engine, because few starts need it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Table, inspect

from gateway.adapters.sql_schema import LEDGER, STORE, SchemaName
from gateway.core.errors import SetupFault

_MIGRATIONS = Path(__file__).parent / "migrations"
_TABLES: Mapping[SchemaName, Mapping[str, Table]] = {"store": STORE.tables, "ledger": LEDGER.tables}
_MIGRATING = threading.Lock()
"""Alembic keeps the migration under way in its modules, so one thread at a time may migrate."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A database to migrate: what messages call it, where its version stands, and if other programs may be in it."""

    name: str
    schema: SchemaName
    version_table: str
    is_shared: bool


def migrate(connection: Connection, subject: Subject) -> None:
    """Bring a database's schema to the newest version, within the connection's transaction.

    Raises:
        SetupFault: the database is of something else, of another version of Pinion, or cannot be migrated.
    """
    try:
        _migrate(connection, subject)
    except CommandError as error:
        reason = str(error).partition("\n")[0]
        raise SetupFault(f"{subject.name} cannot be opened: {reason}; move it away, or restore a backup") from error


def _migrate(connection: Connection, subject: Subject) -> None:
    config = _config(subject.schema)
    config.attributes["connection"] = connection
    config.attributes["version_table"] = subject.version_table
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    context = MigrationContext.configure(connection, opts={"version_table": subject.version_table})
    found = context.get_current_revision()
    if found is None:
        _refuse_strangers(set(inspect(connection).get_table_names()), subject)
    elif found not in known:
        raise SetupFault(
            f"{subject.name} is no {subject.schema} of this version of Pinion but {found!r}; run the one that made it"
        )
    with _MIGRATING:
        command.upgrade(config, "head")


def _refuse_strangers(found: set[str], subject: Subject) -> None:
    """Refuse tables that another program made, where Pinion's own would be taken for them or lie among them."""
    if not subject.is_shared and found:
        raise SetupFault(f"{subject.name} is a database of something else; name another file")
    alike = sorted(found & _TABLES[subject.schema].keys())
    if alike:
        raise SetupFault(
            f"{subject.name} has a table {alike[0]} that is not this {subject.schema}'s; name another database"
        )


def newest(schema: SchemaName) -> str:
    """Give the name of a schema's last migration."""
    return ScriptDirectory.from_config(_config(schema)).get_current_head() or ""


def _config(schema: SchemaName) -> Config:
    config = Config()
    config.set_main_option("path_separator", "newline")
    config.set_main_option("script_location", _literal(_MIGRATIONS))
    config.set_main_option("version_locations", _literal(_MIGRATIONS / schema))
    return config


def _literal(path: Path) -> str:
    """A path as a setting of Alembic, which reads a percent sign as the start of a reference."""
    return str(path).replace("%", "%%")
