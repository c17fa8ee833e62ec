"""What a user waits for before anything happens.

Seconds of whole processes: import, help, and a small bank as the first thing after installation
(which compiles for one type and one number of classes) and as the second (which finds it cached).
The faster of two runs; of the first use, which takes long, a single one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

FIRST_USE = """
import numpy as np, softwidth
X, y = np.eye(4, dtype=np.float32), np.arange(4) % 2
students = [softwidth.Student(4, labels="soft")]
softwidth.train_bank(X, y, {"soft": np.eye(2)[y]}, students, epochs=2, batch_size=2)
"""

BARS = {
    "startup.import_seconds": ("<=", 1.0),
    "startup.help_seconds": ("<=", 1.0),
    "startup.first_use_seconds": ("<=", 15.0),
}


def run(quick: bool) -> dict[str, float]:
    """Seconds, of which the first use includes compiling for one type and number of classes."""
    found = {
        "startup.import_seconds": _faster_of_two(["-c", "import softwidth"]),
        "startup.help_seconds": _faster_of_two(["-m", "softwidth.cli", "--help"]),
    }
    if not quick:
        with tempfile.TemporaryDirectory() as empty:
            found["startup.first_use_seconds"] = _seconds(["-c", FIRST_USE], NUMBA_CACHE_DIR=empty)
            found["startup.second_use_seconds"] = _faster_of_two(
                ["-c", FIRST_USE], NUMBA_CACHE_DIR=empty
            )
    print("\n" + "\n".join(f"{name}: {value:.2f}" for name, value in found.items()))
    return found


def _faster_of_two(arguments: list[str], **environment: str) -> float:
    return min(_seconds(arguments, **environment) for _ in range(2))


def _seconds(arguments: list[str], **environment: str) -> float:
    began = time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=True)
    return round(time.perf_counter() - began, 2)
