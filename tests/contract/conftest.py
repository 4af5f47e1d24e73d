"""The contract, and every operation of the client for the tests that ask for it."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from asking import ALL

# What needs npm and more packages belongs to the session `contract`, which sets this.
collect_ignore = [] if "HAMSA_PRISM" in os.environ else ["test_prism.py", "test_schemathesis.py"]

CONTRACT = Path(__file__).parent / "hamsa-openapi.yaml"


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The contract."""
    return yaml.safe_load(CONTRACT.read_text("utf-8"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for `asked` every operation, and for `fully` both ways to ask."""
    if "asked" in metafunc.fixturenames:
        metafunc.parametrize("asked", ALL, ids=lambda asked: asked.id)
    if "fully" in metafunc.fixturenames:
        metafunc.parametrize("fully", [False, True], ids=["least", "most"])
