"""What arrays and records are known by: a hash of their content, whatever file they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

BLOCK = 2**24  # bytes copied at a time of an array that does not lie in order


def digest(*values: Any) -> str:
    """BLAKE2b of arrays, plain values and dataclasses of these, 32 hexadecimal digits.

    Arrays count by type, shape and numbers; how they lie in memory does not matter.

    >>> import numpy as np
    >>> X = np.arange(6.0).reshape(2, 3)
    >>> digest(X) == digest(np.asfortranarray(X)), digest(X) == digest(X.T)
    (True, False)
    """
    found = hashlib.blake2b(digest_size=16)
    for value in values:
        _add(found, value)
    return found.hexdigest()


def _add(found: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        found.update(f"{value.dtype.str}{value.shape}".encode())
        rows = max(1, BLOCK // max(1, value[:1].nbytes)) if value.ndim else 1
        for start in range(0, len(value) if value.ndim else 1, rows):
            part = value[start : start + rows] if value.ndim else value
            found.update(np.ascontiguousarray(part).data)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            found.update(f"{field.name}:".encode())
            _add(found, getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            found.update(f"{key}:".encode())
            _add(found, entry)
    elif isinstance(value, (list, tuple)):
        found.update(f"[{len(value)}".encode())
        for entry in value:
            _add(found, entry)
    else:
        found.update(f"{type(value).__name__} {value!r};".encode())
