"""The store of results: append rows, read rows, skip what is done.

One row per finished student or trial, under the hash of its spec. A file (SQLite) unless a URL of a
PostgreSQL database is given; safe from many processes, and nothing is ever written by halves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from softwidth._checks import ArgumentError, StoreError, check_flag, check_names, listed
from softwidth.store_address import address
from softwidth.store_errors import patiently
from softwidth.store_rows import Row, check_study, spec_id

if TYPE_CHECKING:
    import pandas
    from sqlalchemy import Connection, Engine, Select
    from sqlalchemy import Row as Record

__all__ = ["Row", "Store", "open_store", "spec_id"]

DEFAULT = "softwidth.sqlite"
PATIENCE = 120.0  # seconds for a busy file, or a server that is being restarted
OPENING = 5.0  # seconds at the first time: a URL with a mistake must not take long
IDS = 2_000  # asked for in one statement
PAGE = 1_000  # rows read at once, at most 0.2 GB of them
PAGE_WITH_CURVES = 50  # at most 0.2 GB
T = TypeVar("T")

_LEFT_TO_PARENT: list[Engine] = []  # inherited through a fork: kept, so that they stay open


def open_store(store: str | os.PathLike[str] = DEFAULT, *, read_only: bool = False) -> Store:
    """Open a store of results, made first where there is none.

    Parameters
    ----------
    store : str or Path
        A file, ``sqlite:///FILE``, or ``postgresql://USER:PASSWORD@HOST/DATABASE`` (libpq's
        ``~/.pgpass`` and ``PGPASSWORD`` work too).
    read_only : bool
        Never write: for a store that somebody sent, also in a directory that cannot be written.

    Returns
    -------
    Store
        A context manager. It can be sent to other processes, which open it for themselves.

    Raises
    ------
    ArgumentError
        Neither a path nor such a URL.
    MissingDataError
        Nothing there that could be read.
    DataFileError
        Something else than a store, a damaged one, or one of a later softwidth.
    StoreError
        It cannot be reached, opened or written now. No message holds a password.
    """
    found = Store(store, read_only)
    try:
        found.check()
    except BaseException:
        found.close()
        raise
    return found


class Store:
    """An open store; made by `open_store`."""

    def __init__(self, store: str | os.PathLike[str], read_only: bool = False) -> None:
        self._place = address(store)
        self.read_only = check_flag("read_only", read_only)
        self._opened: tuple[int, Engine] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self._place.url, self.read_only)

    def __repr__(self) -> str:
        return f"Store({self.where!r})"

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def where(self) -> str:
        """The place, without user and password."""
        return self._place.where

    @property
    def is_new(self) -> bool:
        """Whether its file is not there yet; of a server nobody knows, so it is not."""
        return self._place.path is not None and not self._place.path.exists()

    def close(self) -> None:
        """Close all connections; the next use opens them again."""
        if self._opened is not None and self._opened[0] == os.getpid():
            self._opened[1].dispose()
        self._opened = None

    def check(self) -> None:
        """Make the tables or bring them to this version; only look at them where `read_only`.

        Raises
        ------
        MissingDataError, DataFileError, StoreError
        """
        from softwidth.store_engine import OUTSIDE, WRITING, write_ahead
        from softwidth.store_schema import check_readable, prepare

        if self.read_only:
            self._do(lambda connection: check_readable(connection, self.where), patience=OPENING)
        else:
            self._do(lambda connection: prepare(connection, self.where), WRITING, OPENING)
            self._do(write_ahead, OUTSIDE)

    def put(self, rows: Iterable[Row]) -> int:
        """Store rows, all or none; those whose id is there already stay as they are.

        Safe from many processes and threads. A busy store or a restarted server is waited for. If
        what came under a stored id has other numbers, a warning of the logger ``softwidth.store``
        says how many such rows there are, and how the first differs.

        Returns
        -------
        int
            How many are new. (After a connection lost in the middle of a commit, 0 may mean that
            they were stored just before.)

        Raises
        ------
        ArgumentError
            A row that is no plain JSON, has no study, or is too large.
        StoreError
            The store cannot be written: no space, no rights, no answer; nothing was stored.
        """
        from softwidth.store_codec import encoded, insert_new
        from softwidth.store_conflicts import Conflict, conflicts, warn
        from softwidth.store_engine import WRITING

        if self.read_only:
            raise StoreError(f"{self.where} was opened to be read only.")
        # In one order everywhere, so that two writers of the same rows cannot block each other.
        records = sorted(map(encoded, _rows(rows)), key=lambda record: record["id"])
        if not records:
            return 0

        def write(connection: Connection) -> tuple[set[str], list[Conflict]]:
            new = insert_new(connection, records)
            return new, conflicts(connection, records, new)

        new, found = self._do(write, WRITING)
        warn(found, self.where)
        return len(new)

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids that are stored."""
        from sqlalchemy import select

        from softwidth.store_schema import rows

        queries = (select(rows.c.id).where(rows.c.id.in_(some)) for some in _chunks(ids, IDS))
        return {record.id for query in queries for record in self._ask(query)}

    def get(self, ids: Iterable[str], curves: bool = False) -> dict[str, Row]:
        """The stored ones of these rows, by id; with their `curves` if asked for.

        Raises
        ------
        DataFileError
            A row is damaged.
        """
        from sqlalchemy import select

        from softwidth.store_codec import columns, decoded
        from softwidth.store_schema import rows

        check_flag("curves", curves)
        found: dict[str, Row] = {}
        for some in _chunks(ids, PAGE_WITH_CURVES if curves else PAGE):
            records = self._ask(select(*columns(curves)).where(rows.c.id.in_(some)))
            found |= {record.id: decoded(record, self.where) for record in records}
        return found

    def rows(self, study: str | None = None, *, curves: bool = False) -> Iterator[Row]:
        """All rows, or one study's, in the order of their ids: few at a time are in memory.

        No transaction is held between them; rows stored meanwhile may or may not be among them.

        Raises
        ------
        ArgumentError
            A name that no study can have.
        DataFileError
            A row is damaged.
        """
        from sqlalchemy import select

        from softwidth.store_codec import columns, decoded
        from softwidth.store_schema import rows

        check_flag("curves", curves)
        page = PAGE_WITH_CURVES if curves else PAGE
        query = select(*columns(curves)).order_by(rows.c.id).limit(page)
        if study is not None:
            query = query.where(rows.c.study == check_study("study", study))
        last = ""
        while True:
            records = self._ask(query.where(rows.c.id > last))
            yield from (decoded(record, self.where) for record in records)
            if len(records) < page:
                return
            last = records[-1].id

    def studies(self) -> list[dict[str, Any]]:
        """Every study with its number of rows, their seconds, and when the first and last came."""
        from sqlalchemy import func, select

        from softwidth.store_schema import rows

        query = (
            select(
                rows.c.study,
                func.count().label("rows"),
                func.sum(rows.c.seconds).label("seconds"),
                func.min(rows.c.created).label("first"),
                func.max(rows.c.created).label("last"),
            )
            .group_by(rows.c.study)
            .order_by(rows.c.study)
        )
        return [dict(record._mapping) for record in self._ask(query)]

    def frame(self, study: str | None = None) -> pandas.DataFrame:
        """Rows as a table: a column for every field of specs and metrics, without curves.

        Columns are ``id, study, seconds, created, machine, commit``, then ``version.NAME``,
        ``spec.NAME`` and ``metrics.NAME``; fields of fields are joined by dots, lists are JSON.
        """
        from softwidth.store_tables import frame_of

        return frame_of(self.rows(study), self.where)

    def export(self, path: str | os.PathLike[str], study: str | None = None) -> Path:
        """Write `frame` to a ``.csv`` or ``.parquet`` file, whole or not at all.

        Raises
        ------
        ArgumentError
            Another suffix, or a path that cannot be written.
        """
        from softwidth.store_tables import check_suffix, write_table

        path = check_suffix(path)
        return write_table(self.frame(study), path)

    def _ask(self, query: Select[Any]) -> Sequence[Record[Any]]:
        """All records of a query, in a transaction of its own."""
        return self._do(lambda connection: connection.execute(query).all())

    def _do(
        self,
        act: Callable[[Connection], T],
        options: Mapping[str, str] | None = None,
        patience: float | None = None,
    ) -> T:
        """`act` in one transaction, tried again for `PATIENCE` where that may help."""

        def once() -> T:
            with self._engine().execution_options(**(options or {})).begin() as connection:
                return act(connection)

        return patiently(once, self.where, PATIENCE if patience is None else patience)

    def _engine(self) -> Engine:
        """An engine of this process: a connection must not be used, nor closed, after a fork."""
        from softwidth.store_engine import engine_of

        if self._opened is not None and self._opened[0] != os.getpid():
            _LEFT_TO_PARENT.append(self._opened[1])
            self._opened = None
        if self._opened is None:
            self._opened = os.getpid(), engine_of(self._place, read_only=self.read_only)
        return self._opened[1]


def is_store(place: str) -> bool:
    """Whether this names a store: a URL, or a file that begins as SQLite's do."""
    if "://" in place:
        return True
    try:
        with open(place, "rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def _rows(rows: Any) -> Iterable[Row]:
    """`rows`, once they are rows."""
    found = listed(rows)
    if found is None or not all(isinstance(row, Row) for row in found):
        raise ArgumentError("rows", rows, "must be a list of rows, see `Row.of`.")
    return found


def _chunks(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """Sorted, without repeats: neighbours lie on the same pages of the index."""
    unique = sorted(id_ for id_ in set(check_names("ids", ids)) if id_.isascii())
    for start in range(0, len(unique), size):
        yield unique[start : start + size]
