"""Arguments as accidents and attackers make them: a valid one, bent a little, or nothing like it.

Every choice comes from one generator, so that an input is a name and a seed.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import fractions
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse

Arrays = np.ndarray[Any, Any]

TEXTS = (
    "", " ", "soft", "hard", "sfot", "X", "y", "a,b,c", "2:8", "2:1", "4,6,8", "0", "-1", "1e9999", "NaN",
    "\0", "\x1b[31mred", "\u202eright to left", "<script>alert(1)</script>", "'; DROP TABLE rows; --",
    "../../etc/passwd", "/dev/null", "{{7*7}}", "%s%n", "${jndi:x}", "line\nbreak", "\ud800", "ﬁ", "☃" * 40,
    "9" * 5000, "mixed(", "mixed(0.5, 2)", "smoothed(nan)", "tempered(1e-320)", "flipped(0.5)", "sampled()",
    "__class__", "a" * 10_000, "(((((((((((((((", "digits", "mnist ", "float128", "cosine",
)  # fmt: skip
# Those that may be taken for a file to write: none leads out of the folder where it is tried.
INSIDE = tuple(text for text in TEXTS if not text.startswith(("/", "..")))
NUMBERS = (
    0, 1, 2, 3, 4, 7, -1, -7, 0.0, -0.0, 0.5, 0.1, 1.0, 2.0, -0.5, 1e-320, 1e-12, 1e300, -1e300, 1e12,
    float("nan"), float("inf"), float("-inf"), 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**400, 10**15,
    True, False, np.bool_(True), np.int8(2), np.uint8(255), np.uint64(2**64 - 1), np.float16(0.5),
    np.float32("nan"), np.longdouble("1e400"), np.datetime64("NaT"), np.timedelta64(3, "D"),
    decimal.Decimal("0.5"), decimal.Decimal("sNaN"), fractions.Fraction(1, 3), 1j, np.complex64(1),
)  # fmt: skip
ODD_ENTRIES = (
    np.nan,
    np.inf,
    -np.inf,
    -1.0,
    -0.0,
    1e-320,
    1e-45,
    3.5e38,
    1.7e308,
    0.5,
    2.0**63,
    0.0,
    1.0,
)
DTYPES = (
    "f2", "f4", "f8", "longdouble", ">f4", ">f8", "i1", "u1", "i4", ">i4", "i8", "u8", ">u8", "?", "c8", "c16",
    "O", "U3", "S3", "datetime64[s]", "timedelta64[s]", "V8", [("a", "f4"), ("b", "i4")],
)  # fmt: skip


class Hostile:
    """A source of arguments.

    Parameters
    ----------
    seed : int or sequence of int
    share : float
        Of the arguments that are bent or replaced.
    """

    def __init__(self, seed: int | Sequence[int], share: float = 0.25) -> None:
        self.rng = np.random.default_rng(seed)
        self.share = share
        self.made: Callable[[], None] = lambda: None  # called when an input is ready

    def of(self, options: Any) -> Any:
        """One of the options."""
        options = list(options)
        return options[int(self.rng.integers(len(options)))]

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return bool(self.rng.random() < p)

    def whole(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        return int(self.rng.integers(low, high + 1))

    def scalar(self, valid: Any) -> Any:
        """A scalar argument: as wanted, or anything."""
        return self.anything() if self.chance(self.share) else valid

    def small(self, valid: Any) -> Any:
        """The same for a number that work is proportional to: small, impossible, or beyond any memory.

        What lies between is honest work that would only take long.
        """
        if not self.chance(self.share):
            return valid
        value = self.anything()
        try:
            return 10**15 if 1000 < value < 10**13 else value
        except (TypeError, ValueError, decimal.InvalidOperation):
            return value

    def anything(self) -> Any:
        """Any value at all."""
        make: Callable[[], Any] = self.of(
            [
                lambda: self.of(NUMBERS), lambda: self.of(NUMBERS), lambda: self.of(TEXTS),
                lambda: self.of([None, (), [], {}, set(), object(), int, b"bytes", range(3), ...]),
                lambda: [self.of(NUMBERS) for _ in range(self.whole(0, 3))],
                lambda: [[self.of(NUMBERS)] * self.whole(0, 3) for _ in range(self.whole(0, 3))],
                lambda: {self.of(TEXTS): self.of(NUMBERS)},
                lambda: np.asarray(self.of([1.5, [1.0, 2.0], [[0.5, 0.5]], [], "text"])),
                lambda: datetime.date(2026, 1, 1),
            ]
        )  # fmt: skip
        return make()

    def anything_hashable(self) -> Any:
        """Any key of a mapping."""
        return self.of([0, 1.5, float("nan"), self.of(TEXTS), None, (1, 2), b"k"])

    def array(self, valid: Any) -> Any:
        """An array argument: as wanted, bent once or twice, or anything."""
        if not self.chance(self.share):
            return valid
        if self.chance(0.1):
            return self.anything()
        bent = np.asarray(valid)
        for _ in range(self.whole(1, 2)):
            bend = self.of([entries, dtype, layout, shape, constant])
            with (
                contextlib.suppress(Exception),
                np.errstate(all="ignore"),
            ):  # not all can be bent so
                bent = bend(self, bent) if bent.size < 10**6 else bent
        return container(self, bent) if bent.size < 10**5 and self.chance(0.25) else bent

    def arrays(self, valid: dict[str, Any]) -> dict[str, Any]:
        """A mapping of arrays, of which some are bent, gone, or named otherwise."""
        found = {key: self.array(value) for key, value in valid.items()}
        if self.chance(self.share / 2):
            found.pop(self.of(found))
        if self.chance(self.share / 2):
            found[self.of([*TEXTS, "X_test", "soft_val", "Y", "x_train", 3])] = self.of(
                list(found.values()) or [0]
            )
        return found


def entries(h: Hostile, a: Arrays) -> Arrays:
    """Some entries that are no numbers, too large, negative, or fractions."""
    if a.size == 0 or a.dtype.kind not in "fiub":
        return a
    bent = a.astype(np.float64)
    places = h.rng.integers(0, a.size, h.whole(1, 3))
    bent.flat[places] = h.of(ODD_ENTRIES)
    return bent


def dtype(h: Hostile, a: Arrays) -> Arrays:
    """The same numbers in another type, as far as numpy can."""
    kind = h.of(DTYPES)
    with np.errstate(all="ignore"):
        try:
            return a.astype(kind)
        except (TypeError, ValueError):
            return np.zeros(a.shape, kind)


def layout(h: Hostile, a: Arrays) -> Arrays:  # noqa: PLR0911 - one way, one line
    """The same numbers laid out otherwise in memory."""
    way = h.of(
        ["F", "backwards", "strided", "read-only", "unaligned", "one for all", "far too many"]
    )
    if way == "F":
        return np.asfortranarray(a)
    if way == "backwards":
        return a[::-1] if a.ndim else a
    if way == "strided":
        return np.repeat(a, 2, axis=0)[::2] if a.ndim else a
    if way == "unaligned" and a.dtype.itemsize > 1 and not a.dtype.hasobject:
        room = np.zeros(a.nbytes + 1, np.uint8)[1:]
        out = room.view(a.dtype).reshape(a.shape)
        out[...] = a
        return out
    if way == "one for all" and a.size:
        return np.broadcast_to(a.flat[0], a.shape)
    if way == "far too many" and a.ndim and a.size:  # declared and not there, as a sparse file's
        return np.broadcast_to(a[:1], (10**12, *a.shape[1:]))
    out = a.copy()
    out.flags.writeable = False
    return out


def shape(h: Hostile, a: Arrays) -> Arrays:
    """Fewer rows, none, one, other axes."""
    ways: list[Callable[[], Any]] = [
        lambda: a[: len(a) // 2], lambda: a[:0], lambda: a[:1], lambda: a[..., None], lambda: a[None],
        lambda: a.T, a.ravel, lambda: a[..., :0], lambda: a[..., :1], lambda: a.reshape(-1)[0],
        lambda: np.concatenate([a, a]), lambda: np.concatenate([a, a[:1]]), lambda: a.reshape((1,) * 40 + a.shape),
        lambda: a[[0] * len(a)],
    ]  # fmt: skip
    try:
        return np.asarray(h.of(ways)())
    except (TypeError, ValueError, IndexError):  # no such axis here
        return a


def constant(h: Hostile, a: Arrays) -> Arrays:
    """One number all over."""
    return np.full(a.shape, h.of(ODD_ENTRIES))


def container(h: Hostile, a: Arrays) -> Any:
    """The same in something else than an array."""
    ways: list[Callable[[], Any]] = [
        a.tolist, lambda: pd.DataFrame(a), lambda: pd.Series(list(a)), lambda: np.ma.masked_equal(a, a.flat[0]),
        lambda: scipy.sparse.csr_matrix(a), lambda: [*a.tolist(), [1]], lambda: [*a.tolist(), None], lambda: iter(a),
        lambda: memoryview(a), lambda: np.asmatrix(a), a.tobytes, lambda: dict(enumerate(a)),
        lambda: pd.Series(list(a), dtype="category"), lambda: pd.DataFrame(a).convert_dtypes(),
    ]  # fmt: skip
    try:
        return h.of(ways)()
    except Exception:
        return a
