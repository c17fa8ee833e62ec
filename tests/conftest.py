"""What tests may lack on a machine: real data, a browser, a database. Skipped with a reason, never in CI.

And one setting for all property tests: compiled code may take its time on first use.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from postgres import Cluster, programs

# In CI the same examples every time: what is new is found by developers, not by a release.
settings.register_profile(
    "softwidth",
    deadline=None,
    max_examples=25,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("softwidth")


def lacking(reason: str) -> None:
    """Skip for this reason, or fail where ``SOFTWIDTH_SKIP=none`` says that nothing may be."""
    if os.environ.get("SOFTWIDTH_SKIP") == "none":
        pytest.fail(f"must run here: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The directory of the real data sets."""
    directory = os.environ.get("SOFTWIDTH_DATA")
    if not directory or not Path(directory, "mnist.npz").is_file():
        lacking("SOFTWIDTH_DATA names no directory with the real data")
    return Path(str(directory))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a headless Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        lacking("chromium is not installed")
    return str(found)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server of this test run's own."""
    found = programs()
    if found is None:
        lacking("PostgreSQL is not installed (Debian's package: postgresql)")
    cluster = Cluster(found)
    yield cluster
    cluster.remove()
