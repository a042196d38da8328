"""Bringing a database's schema to its newest version. Apart from the engine, because few starts need it."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect

from gateway.core.errors import SetupFault

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATING = threading.Lock()
"""Alembic keeps the migration under way in its modules, so one thread at a time may migrate."""


def migrate(connection: Connection, schema: str, path: Path) -> None:
    """Bring a schema (`store` or `ledger`) to the newest version, within the connection's transaction.

    Raises:
        SetupFault: the database at `path` is of something else, of another version of Pinion, or cannot be migrated.
    """
    try:
        _migrate(connection, schema, path)
    except CommandError as error:
        reason = str(error).partition("\n")[0]
        raise SetupFault(f"{path} cannot be opened: {reason}; move it away, or restore a backup") from error


def _migrate(connection: Connection, schema: str, path: Path) -> None:
    config = _config(schema)
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None and inspect(connection).get_table_names():
        raise SetupFault(f"{path} is a database of something else; name another file")
    if found is not None and found not in known:
        raise SetupFault(f"{path} is no {schema} of this version of Pinion but {found!r}; run the one that made it")
    with _MIGRATING:
        command.upgrade(config, "head")


def newest(schema: str) -> str:
    """Give the name of a schema's last migration."""
    return ScriptDirectory.from_config(_config(schema)).get_current_head() or ""


def _config(schema: str) -> Config:
    config = Config()
    config.set_main_option("path_separator", "newline")
    config.set_main_option("script_location", _literal(_MIGRATIONS))
    config.set_main_option("version_locations", _literal(_MIGRATIONS / schema))
    return config


def _literal(path: Path) -> str:
    """A path as a setting of Alembic, which reads a percent sign as the start of a reference."""
    return str(path).replace("%", "%%")
