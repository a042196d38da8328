"""What is particular to SQLite: its file, the lock beside it and its pragmas."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

import gateway
from gateway.adapters.sql_engine import Database, insert_if_new
from gateway.adapters.sql_schema import served_versions
from gateway.adapters.sqlite_database import sqlite_file
from gateway.core.errors import SetupFault, StoreFault

HOLDER = """
import sys
from gateway.adapters.sql_engine import Database
database = Database.open(sys.argv[1], "store")
print("open", flush=True)
sys.stdin.read()
"""


def opened(path, schema="store"):
    """Open a database at a path."""
    return Database.open(f"sqlite:///{path}", schema)


def refusal(path, schema="store"):
    """The one line with which a database is refused."""
    with pytest.raises(SetupFault) as caught:
        opened(path, schema)
    assert 1 == len(caught.value.message.splitlines())
    return caught.value.message


def pragma(database, name):
    """A setting of the connection."""
    with database.transaction() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar_one()


def write_version(database, name):
    """Write one row."""
    row = {"kind": "model", "name": name, "version": "1", "digest": "d", "at": 0.0}
    with database.transaction() as connection:
        connection.execute(insert_if_new(served_versions), [row])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///pinion.db", "pinion.db"),
        ("sqlite:///folder/a b%20.db", "folder/a b%20.db"),
        ("sqlite:////var/lib/pinion.db", "/var/lib/pinion.db"),
    ],
)
def test_a_url_names_a_file(url, expected):
    """Three slashes are relative to the working folder, four absolute; nothing in the name is decoded."""
    assert expected == str(sqlite_file(url))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://pinion.db"])
def test_a_url_without_a_file_is_refused(url):
    """The message says how to write one."""
    with pytest.raises(SetupFault) as caught:
        sqlite_file(url)
    assert f"{url} names no file; use sqlite:///FILE, as in sqlite:///pinion.db" == caught.value.message


@pytest.mark.parametrize(("schema", "synchronous", "busy"), [("store", 2, 2000), ("ledger", 1, 200)])
def test_the_connection_is_set_for_safety(tmp_path, schema, synchronous, busy):
    """A rollback journal, no memory mapping, foreign keys, and for the store a sync of every commit."""
    with closing(opened(tmp_path / "a.db", schema)) as database:
        assert "delete" == pragma(database, "journal_mode")
        assert synchronous == pragma(database, "synchronous")
        assert 1 == pragma(database, "foreign_keys")
        assert 0 == pragma(database, "mmap_size")
        assert busy == pragma(database, "busy_timeout")
        assert database.patience is None


def test_a_folder_with_a_percent_sign_and_spaces_is_fine(tmp_path, monkeypatch):
    """Nothing in a path is taken for a reference; a relative name is under the working folder."""
    folder = tmp_path / "100% a:b c"
    folder.mkdir()
    monkeypatch.chdir(folder)
    opened("pinion.db").close()
    assert {"pinion.db", "pinion.db.lock"} == {path.name for path in folder.iterdir()}


def test_a_second_gateway_is_refused(tmp_path):
    """A file has one gateway: another process is refused while the first lives, and served once it has ended."""
    path = tmp_path / "a.db"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, f"sqlite:///{path}"],
        cwd=Path(gateway.__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert b"open\n" == holder.stdout.readline()
        problem = f"{path} is in use by another gateway; one process per SQLite file, use PostgreSQL for more"
        assert problem == refusal(path)
        holder.kill()
    opened(path).close()


def test_a_symbolic_link_is_no_way_around_the_lock(tmp_path):
    """Two names of one file are one file."""
    (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
    with closing(opened(tmp_path / "a.db")):
        assert "in use by another gateway" in refusal(tmp_path / "link.db")


def test_a_refused_file_is_let_go_again(tmp_path):
    """A failure to open leaves no lock behind."""
    path = tmp_path / "a.db"
    path.write_bytes(b"no database" * 100)
    assert "file is not a database" in refusal(path)
    path.unlink()
    opened(path).close()


def test_a_missing_folder_is_named(tmp_path):
    """The folder must be there."""
    path = tmp_path / "nowhere" / "a.db"
    expected = f"{path}.lock: No such file or directory; the store's folder must exist and be writable"
    assert expected == refusal(path)


def test_a_folder_in_the_files_place_is_named(tmp_path):
    """A folder is no database."""
    assert f"{tmp_path} is a folder; name a file in it" == refusal(tmp_path)
    (tmp_path.parent / f"{tmp_path.name}.lock").unlink()


def test_a_folder_without_leave_is_named(tmp_path):
    """An unwritable folder is one clear line; root may write anywhere but among the kernel's own files."""
    folder = Path("/proc") if os.geteuid() == 0 else tmp_path
    tmp_path.chmod(0o500)
    assert "the store's folder must exist and be writable" in refusal(folder / "a.db")


@pytest.mark.parametrize("schema", ["store", "ledger"])
def test_a_file_that_is_no_database_is_refused(tmp_path, schema):
    """Whatever lies there is left as it is."""
    path = tmp_path / "a.db"
    path.write_bytes(b"some notes\n" * 1000)
    expected = f"{path} cannot be opened: file is not a database; move it away, or restore a backup"
    assert expected == refusal(path, schema)
    assert path.read_bytes().startswith(b"some notes")


@pytest.mark.parametrize("filling", [b"\x00", b"\xff", b"\x05"])
def test_a_damaged_store_is_refused_before_anything_is_read(tmp_path, filling):
    """Pages that were overwritten are found at the start, not when a rollback is looked for."""
    path = tmp_path / "a.db"
    with closing(opened(path)) as database:
        for number in range(500):
            write_version(database, f"model-{number}")
    data = bytearray(path.read_bytes())
    middle = len(data) // 8192 * 4096
    data[middle : middle + 4096] = filling * 4096
    path.write_bytes(data)
    assert "restore a backup" in refusal(path)


def test_a_ledger_is_no_store(tmp_path):
    """Each file has its own schema, and one is not taken for the other."""
    path = tmp_path / "a.db"
    opened(path, "ledger").close()
    assert "is no store of this version of Pinion but 'ledger_" in refusal(path)


def test_another_programs_database_is_refused(tmp_path):
    """Tables that Pinion did not make are not joined by its own."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE customers (id INTEGER)")
    assert f"{path} is a database of something else; name another file" == refusal(path)


def test_a_file_that_was_moved_away_takes_no_writes(tmp_path):
    """A write into a deleted file would be acknowledged and lost, so it is refused."""
    with closing(opened(tmp_path / "a.db")) as database:
        write_version(database, "gpt")
        (tmp_path / "a.db").unlink()
        with pytest.raises(StoreFault, match="attempt to write a readonly database"):
            write_version(database, "claude")
