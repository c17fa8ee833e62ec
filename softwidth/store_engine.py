"""Connections to a store: SQLite in WAL mode with a busy timeout, or PostgreSQL through psycopg 3."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from softwidth._checks import ArgumentError, MissingDataError, StoreError
from softwidth.store_address import Address
from softwidth.store_curves import LARGEST_PACKED

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY = 30.0  # seconds that SQLite itself waits for another writer
CONNECT = 10  # seconds until a server that does not answer is given up
# Options of an SQLite connection: what begins a transaction; one that will write waits at its start.
READING, WRITING, OUTSIDE = {"begin": "BEGIN"}, {"begin": "BEGIN IMMEDIATE"}, {"begin": ""}


def engine_of(place: Address, *, read_only: bool) -> Engine:
    """An engine for this place; nothing is opened yet, but for a file that is only read.

    Raises
    ------
    StoreError, MissingDataError
        No driver; no such file, or none that can be opened.
    """
    if place.path is None:
        return _server(place, read_only)
    return _reader(place.path, place.where) if read_only else _writer(place.path, place.where)


def _server(place: Address, read_only: bool) -> Engine:
    from sqlalchemy import create_engine

    options = {"postgresql_readonly": True} if read_only else {}
    try:
        return create_engine(
            place.url,
            connect_args={"connect_timeout": CONNECT, "application_name": "softwidth"},
            execution_options=options,
        )
    except ImportError:
        raise StoreError(
            "PostgreSQL needs the driver psycopg: pip install softwidth[postgres]"
        ) from None


def _writer(path: Path, where: str) -> Engine:
    if os.path.isdir(path):  # of a name too long it says no
        raise ArgumentError("store", where, "must be a file, and is a directory.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise StoreError(f"{where} cannot be made: {why}.") from None
    return _sqlite(f"file:{quote(os.fsencode(path))}?mode=rwc")


def _reader(path: Path, where: str) -> Engine:
    """A file is opened in the first of three ways that works.

    As it is, beside those who write to it now. Where not even SQLite's index of the log can be
    made beside it (a read-only directory): as a file that nobody changes, or, if its writer was
    killed and left rows in the log, as a copy.
    """
    if not os.path.isfile(path):
        raise MissingDataError(f"there is no store {where}.")
    uri = f"file:{quote(os.fsencode(path))}"
    if _opens(f"{uri}?mode=ro") or os.access(path.parent, os.W_OK):
        return _sqlite(f"{uri}?mode=ro")
    log = path.with_name(f"{path.name}-wal")
    if not log.is_file() or log.stat().st_size == 0:
        return _sqlite(f"{uri}?mode=ro&immutable=1")
    return _copied(path, log)


def _opens(uri: str) -> bool:
    try:
        connection = sqlite3.connect(uri, uri=True)
    except sqlite3.Error:
        return False
    try:
        connection.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.Error as error:
        return error.sqlite_errorname not in {"SQLITE_CANTOPEN", "SQLITE_READONLY_DIRECTORY"}
    except UnicodeDecodeError:  # in a message of SQLite that quotes a damaged file
        return True
    finally:
        connection.close()
    return True


def _copied(path: Path, log: Path) -> Engine:
    from sqlalchemy import event

    directory = tempfile.TemporaryDirectory(prefix="softwidth-")
    for file in (path, log):
        shutil.copy(file, directory.name)
    engine = _sqlite(f"file:{quote(os.fsencode(Path(directory.name, path.name)))}?mode=rw")
    event.listen(engine, "engine_disposed", lambda _: directory.cleanup())
    return engine


def write_ahead(connection: Connection) -> None:
    """Let an SQLite file be read while it is written; the file keeps this. For use `OUTSIDE`."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")


def _sqlite(uri: str) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import QueuePool

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY, check_same_thread=False, isolation_level=None
        )
        try:
            _settle(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    # sqlite3 begins transactions late, at the first insert: two that have read and then write
    # would meet in a deadlock. Here every transaction begins when it is told to.
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        statement = (READING | connection.get_execution_options())["begin"]
        if statement:
            connection.exec_driver_sql(statement)

    return engine


def _settle(connection: sqlite3.Connection) -> None:
    """Settings of a connection; those for files from others are SQLite's own advice.

    https://www.sqlite.org/security.html. Synchronous stays FULL: a bank takes seconds, a commit
    milliseconds, and rows outlive a power failure.
    """
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2 * LARGEST_PACKED)
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON"):
        connection.execute(f"PRAGMA {pragma}")
