"""What all tests share: stores of every kind, and how hard Hypothesis looks."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from solver.published.watched import Watched
from tests.builders import Backend, ServerBackend

_CHECKS_OFF = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "default", deadline=None, print_blob=True, suppress_health_check=_CHECKS_OFF
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerBackend]:
    """The Valkey that comes as a wheel."""
    yield from _serving("embedded", tmp_path_factory.mktemp("embedded"))


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerBackend]:
    """The Redis or Valkey of the system."""
    yield from _serving("system", tmp_path_factory.mktemp("system"))


def _serving(kind: str, data: Path) -> Iterator[ServerBackend]:
    backend = ServerBackend(kind, data)
    yield backend
    backend.stop()


@pytest.fixture(params=["memory", "embedded", "system"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every kind of store in turn."""
    if request.param == "memory":
        return Backend()
    found: Backend = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["embedded", "system"])
def server(request: pytest.FixtureRequest) -> ServerBackend:
    """Every kind of real server in turn."""
    found: ServerBackend = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def solver() -> Iterator[Watched]:
    """A process that solves programs; it stays for all tests."""
    with Watched() as one:
        yield one
