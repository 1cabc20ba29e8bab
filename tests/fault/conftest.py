"""One engine for all faults: each test leaves it whole, which is part of what is tested."""

from collections.abc import Iterator

import pytest

from tests.real import Real, running


@pytest.fixture(scope="session")
def engine() -> Iterator[Real]:
    """Ray, store, hosts."""
    yield from running()


@pytest.fixture
def real(engine: Real) -> Iterator[Real]:
    """Whole before and after; the books balance whatever has happened."""
    engine.run(engine.whole())
    yield engine
    engine.run(engine.whole())
    engine.run(engine.audit_is_clean())
