"""The pytest plugin: a `fake_hamsa` fixture, a running `FakeHamsa` of the test's own.

It does not insist on pytest-asyncio: other runners of async tests take pytest's own fixtures.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hamsa_async.testing.fake import FakeHamsa

try:
    import pytest_asyncio
except ImportError:
    _fixture: Any = pytest.fixture
else:
    _fixture = pytest_asyncio.fixture


@_fixture  # type: ignore[untyped-decorator]
async def fake_hamsa() -> AsyncIterator[FakeHamsa]:
    """A FakeHamsa that listens on a free port of 127.0.0.1 while the test runs."""
    async with FakeHamsa() as fake:
        yield fake
