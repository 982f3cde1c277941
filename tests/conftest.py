"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests run side by side, and their networks are tiny: threads that wait for each other only cost time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real sample files; the test skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real sample files (../shared/data) are not on this machine")
    return SHARED_DATA
