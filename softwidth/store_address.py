"""Where a store is: a file, or a database by URL; never shown with its password."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softwidth._checks import ArgumentError, check_choice, check_path

if TYPE_CHECKING:
    from sqlalchemy import URL

DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
PORT = 5432


@dataclass(frozen=True)
class Address:
    """A store's place.

    Attributes
    ----------
    url : str
        As SQLAlchemy reads it, password included: not for showing.
    path : Path or None
        The absolute path of an SQLite file.
    where : str
        The place in messages.
    """

    url: str
    path: Path | None
    where: str

    def __repr__(self) -> str:
        return f"Address({self.where!r})"


def address(store: str | os.PathLike[str]) -> Address:
    """The place that a path or URL names.

    >>> address("sqlite:///rows.sqlite").where
    'rows.sqlite'
    >>> address("postgresql://me:secret@db.example/studies").where
    'postgresql://db.example:5432/studies'

    Raises
    ------
    ArgumentError
        Neither a path nor such a URL. No part of a URL but its scheme is repeated.
    """
    text = os.fspath(store) if isinstance(store, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise ArgumentError("store", store, "must be the path of a file, or a URL.")
    if "://" not in text:
        return _file(text)
    check_choice("store", text.partition("://")[0], DRIVERS)
    url = _parsed(text)
    return _file(url.database or "") if url.drivername == "sqlite" else _server(url)


def _file(text: str) -> Address:
    if not text or text == ":memory:":
        raise ArgumentError("store", text, "must name a file: rows in memory would be lost.")
    path = check_path("store", text).absolute()  # a process that works elsewhere finds it as well
    return Address(f"sqlite:///{path}", path, text)


def _parsed(text: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError as UnreadableError

    scheme, _, rest = text.partition("://")
    try:
        return make_url(f"{DRIVERS[scheme]}://{rest}")
    except (UnreadableError, ValueError):
        raise _unreadable(scheme) from None


def _server(url: URL) -> Address:
    if "@" in (url.host or ""):  # of a password; it must not be looked up, nor shown
        raise _unreadable("postgresql")
    if not url.database:
        raise ArgumentError(
            "store", "postgresql://…", "must end in a database's name: postgresql://HOST/DATABASE."
        )
    host = url.host or _first(url.query.get("host")) or "localhost"
    port = url.port or _first(url.query.get("port")) or PORT
    where = f"postgresql://{host}:{port}/{url.database}"
    return Address(url.render_as_string(hide_password=False), None, where)


def _first(value: Any) -> str | None:
    return value[0] if isinstance(value, tuple) else value


def _unreadable(scheme: str) -> ArgumentError:
    return ArgumentError(
        "store",
        f"{scheme}://…",
        "must be a URL such as postgresql://USER:PASSWORD@HOST/DATABASE; characters such as "
        "@ : / # in a password are written as %40 %3A %2F %23.",
    )
