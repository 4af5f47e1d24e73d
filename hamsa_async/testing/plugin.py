"""The pytest plugin: a `fake_hamsa` fixture, a running `FakeHamsa` of the test's own.

Pytest loads this in every test run of everybody who has the package, so it imports the fake
only when a test asks for it, and does not insist on pytest-asyncio.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

try:
    from pytest_asyncio import fixture
except ImportError:  # other runners of async tests take pytest's own fixtures
    from pytest import fixture  # type: ignore[no-redef,unused-ignore]

if TYPE_CHECKING:
    from hamsa_async.testing.fake import FakeHamsa


@fixture
async def fake_hamsa() -> "AsyncIterator[FakeHamsa]":
    """A FakeHamsa that listens on a free port of 127.0.0.1 while the test runs."""
    from hamsa_async.testing.fake import FakeHamsa

    async with FakeHamsa() as fake:
        yield fake
