"""What a database says when something is wrong, as one of our errors, and what is worth waiting for."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from softwidth._checks import DataFileError, SoftwidthError, StoreError

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

logger = logging.getLogger("softwidth.store")
T = TypeVar("T")

FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0  # seconds
LONGEST_TOLD = 300  # characters of a database's own words

# SQLite's extended codes by their beginnings; what is not here is told in SQLite's words.
SQLITE: dict[str, tuple[type[SoftwidthError], str]] = {
    "SQLITE_NOTADB": (DataFileError, "is not a database"),
    "SQLITE_CORRUPT": (DataFileError, "is damaged or cut off"),
    "SQLITE_TOOBIG": (DataFileError, "holds an entry larger than any row"),
    "SQLITE_FULL": (StoreError, "cannot be written: no space left on the disk"),
    "SQLITE_READONLY": (StoreError, "cannot be written: the file or its directory is read-only"),
    "SQLITE_PERM": (StoreError, "cannot be opened: permission denied"),
    "SQLITE_CANTOPEN": (StoreError, "cannot be opened: its directory is not there, or read-only"),
    "SQLITE_BUSY": (StoreError, "is busy: another process writes to it without an end"),
    "SQLITE_LOCKED": (StoreError, "is busy: another process writes to it without an end"),
    "SQLITE_IOERR": (StoreError, "cannot be read or written: the disk fails, or is full"),
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html
POSTGRES: dict[str, tuple[type[SoftwidthError], str]] = {
    "53100": (StoreError, "cannot be written: no space left on the server's disk"),
    "25006": (StoreError, "cannot be written: the server or the connection is read-only"),
    "42501": (StoreError, "cannot be used: this user has not the rights"),
    "3D000": (StoreError, "does not exist: create the database first"),
}
# Connections lost, server restarted, serialisation failures, deadlocks: the same again may succeed.
PASSING = re.compile(r"^(08...|57P0[1235]|40...|53300)$")


def patiently(act: Callable[[], T], where: str, patience: float) -> T:
    """The result of `act`, tried again while the database is busy, restarting or out of reach.

    Waits from 0.05 s, doubled up to 2 s, each shortened at random by up to half so that many
    writers do not come back together.

    Parameters
    ----------
    act : callable
        A whole transaction that may be done twice.
    where : str
        The store in messages.
    patience : float
        Seconds after which what fails has failed.

    Raises
    ------
    StoreError, DataFileError
        What `told` makes of the last failure.
    """
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    end, wait = time.monotonic() + patience, FIRST_WAIT
    while True:
        try:
            return act()
        except DBAPIError as error:
            failure = told(error, where)
            if not passes(error) or time.monotonic() + wait > end:
                raise failure from None
            logger.warning("%s; trying again", failure)
        except UnicodeDecodeError:  # in a message of SQLite that quotes the file
            raise DataFileError(f"{where} is damaged.") from None
        except SQLAlchemyError as error:  # a pool without a free connection, and the like
            raise StoreError(f"{where}: {_line(str(error))}.") from None
        time.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        wait = min(2 * wait, LONGEST_WAIT)


def passes(error: DBAPIError) -> bool:
    """Whether the same may succeed a little later."""
    name, state = _names(error)
    if name:
        return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    if state:
        return PASSING.match(state) is not None
    return _is_server(error) and "does not exist" not in str(error.orig)


def told(error: DBAPIError, where: str) -> SoftwidthError:
    """The database's failure as one of our errors, in one line, without the statement."""
    name, state = _names(error)
    for begins, (kind, says) in (SQLITE | POSTGRES).items():
        if name.startswith(begins) or state == begins:
            return kind(f"{where} {says}.")
    words = _line(str(error.orig))
    if not _is_server(error):
        return DataFileError(f"{where} cannot be read as a store: {words}.")
    if "does not exist" in words and "database" in words:
        return StoreError(f"{where} {POSTGRES['3D000'][1]}.")
    return StoreError(f"{where}: {words}.")


def _names(error: DBAPIError) -> tuple[str, str]:
    """SQLite's name of the error and PostgreSQL's SQLSTATE, as far as there are any."""
    orig = error.orig
    return getattr(orig, "sqlite_errorname", None) or "", getattr(orig, "sqlstate", None) or ""


def _is_server(error: DBAPIError) -> bool:
    return type(error.orig).__module__.startswith("psycopg")


def _line(words: str) -> str:
    """One line of a message; libpq's go on with advice on lines of their own."""
    line = " ".join(words.split()).rstrip(".")
    return line if len(line) <= LONGEST_TOLD else line[: LONGEST_TOLD - 3] + "..."
