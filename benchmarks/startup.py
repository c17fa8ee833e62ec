"""What a user waits for before anything happens: import, help, first compilation."""

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


def run(quick: bool) -> dict[str, float]:
    """Seconds, of which the first use includes compiling for one type and number of classes."""
    found = {
        "startup.import_seconds": _seconds(["-c", "import softwidth"]),
        "startup.help_seconds": _seconds(["-m", "softwidth.cli", "--help"]),
    }
    if not quick:
        with tempfile.TemporaryDirectory() as empty:
            found["startup.first_use_seconds"] = _seconds(["-c", FIRST_USE], NUMBA_CACHE_DIR=empty)
            found["startup.second_use_seconds"] = _seconds(["-c", FIRST_USE], NUMBA_CACHE_DIR=empty)
    print("\n" + "\n".join(f"{name}: {value:.2f}" for name, value in found.items()))
    return found


def _seconds(arguments: list[str], **environment: str) -> float:
    began = time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=True)
    return round(time.perf_counter() - began, 2)
