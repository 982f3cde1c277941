"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.isolation import isolate, problem_of_profile

FINISHED_RUN = "--finished-run"
"""Option of `.ci/run`: the checkout whose `make repro` the tests of the smallest world look at."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(FINISHED_RUN, type=Path, help="checkout in which make repro ran with `profile: smoke`")


def pytest_configure(config: pytest.Config) -> None:
    """Isolate the tests before one of their modules reads the environment; what they start inherits it.

    A hook, because commands of the tests import this module, too: what they were given must stay.
    """
    isolate(os.environ)
    problem = problem_of_profile(ROOT / "params.yaml")
    if problem is not None and config.getoption(FINISHED_RUN) is None:
        raise pytest.UsageError(problem)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without the garbage collector: what they import stays, and is never looked at again.

    It took a quarter of the collection's processor time, and goes on later with each full pass.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_unconfigure() -> None:
    """Let the collector see all objects again: libraries tell at the exit what they think was leaked."""
    gc.unfreeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start whole trainings first: at the end, all but one worker would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


# A busy machine takes its time: no example is wrong for being slow.
settings.register_profile("stormsight", deadline=None)
settings.load_profile("stormsight")

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
