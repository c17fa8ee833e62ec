"""The tables of a store, its version, and the steps from every older version to this one."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    select,
    text,
)

from softwidth._checks import DataFileError, MissingDataError

metadata = MetaData()
rows = Table(
    "rows",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("study", Text, nullable=False),
    Column("spec", Text, nullable=False),  # canonical JSON: the id is its hash
    Column("metrics", Text, nullable=False),  # JSON
    Column("curves", LargeBinary),  # store_curves
    Column("seconds", Float(53), nullable=False),
    Column("versions", Text, nullable=False),  # JSON
    Column("machine", Text, nullable=False),
    Column("commit_id", Text),
    Column("created", Text, nullable=False),
    Index("rows_of_study", "study", "id"),  # a study's rows in pages, without looking at others'
)
meta = Table(
    "meta",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

VERSION = 2
LOCK = 0x736F6674  # any number that other users of a PostgreSQL do not lock


def _index_of_studies(connection: Connection) -> None:
    next(iter(rows.indexes)).create(connection)


# From version n to n + 1, in order; a step never changes once it was released.
MIGRATIONS: dict[int, Callable[[Connection], None]] = {1: _index_of_studies}


def prepare(connection: Connection, where: str) -> None:
    """Make the tables, or bring them to this version; inside one transaction.

    Raises
    ------
    DataFileError
        Tables of something else, or of a later version.
    """
    if connection.dialect.name == "postgresql":  # SQLite's writing transaction is a lock already
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOCK})
    if _is_new(connection, where):
        metadata.create_all(connection)
        connection.execute(meta.insert().values(key="schema_version", value=str(VERSION)))
        return
    for version in range(version_of(connection, where), VERSION):
        MIGRATIONS[version](connection)
        connection.execute(
            meta.update().where(meta.c.key == "schema_version").values(value=str(version + 1))
        )


def check_readable(connection: Connection, where: str) -> None:
    """A store that is only read must be one already; an older version has the same columns.

    Raises
    ------
    MissingDataError, DataFileError
        No store; tables of something else, or of a later version.
    """
    if _is_new(connection, where):
        raise MissingDataError(f"{where} holds no rows: nothing was ever stored there.")
    version_of(connection, where)


def version_of(connection: Connection, where: str) -> int:
    """The schema's version, once it is one that this release knows."""
    stored = connection.scalar(select(meta.c.value).where(meta.c.key == "schema_version"))
    if not (isinstance(stored, str) and stored.isdecimal() and len(stored) < 10 and int(stored)):
        raise _not_ours(where, "its table `meta` has no schema version")
    if int(stored) > VERSION:
        raise DataFileError(
            f"{where} was written by a later softwidth (schema {int(stored)}, this one reads up to "
            f"{VERSION}): upgrade softwidth."
        )
    return int(stored)


def _is_new(connection: Connection, where: str) -> bool:
    """Whether there is nothing yet; the error says that what is there is not ours."""
    inspector = inspect(connection)
    tables = set(inspector.get_table_names())
    if connection.dialect.name == "sqlite":
        _refuse_other_files(connection, tables, where)
    if not tables & {"rows", "meta"}:
        return True
    for table in (rows, meta):
        has = (
            {column["name"] for column in inspector.get_columns(table.name)}
            if (table.name in tables)
            else set()
        )
        missing = {column.name for column in table.columns} - has
        if missing:
            raise _not_ours(where, f"its table `{table.name}` lacks {', '.join(sorted(missing))}")
    return False


def _refuse_other_files(connection: Connection, tables: set[str], where: str) -> None:
    """Another program's database stays as it is; a file that somebody sent runs no code of its own.

    Views and triggers are code: a view named `rows` could work for ever on the first reading.
    """
    if tables and not tables & {"rows", "meta"}:
        raise _not_ours(where, f"it has tables {', '.join(sorted(tables)[:5])}")
    code = text("select type from sqlite_master where type in ('view', 'trigger') limit 1")
    found = connection.scalar(code)
    if found is not None:
        raise _not_ours(where, f"it has a {found}, and a store has none")


def _not_ours(where: str, why: str) -> DataFileError:
    return DataFileError(f"{where} is not a store of softwidth: {why}.")
