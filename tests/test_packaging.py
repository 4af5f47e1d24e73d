"""What is shipped: the names, the types, the version, and that this is what was tested."""

import ast
import importlib
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hamsa_async
import hamsa_async.testing
import hamsa_async.webhooks

CHECKOUT = Path(__file__).resolve().parents[1]
INSTALLED = Path(hamsa_async.__file__).resolve().parent
CORE = {"aiohttp", "attrs", "cattrs", "tenacity"}
EXTRAS = {
    "cyclopts",
    "filelock",
    "opentelemetry",
    "phonenumbers",
    "platformdirs",
    "rich",
    "uvloop",
}


def is_editable() -> bool:
    """Whether the checkout itself is what is installed."""
    text = importlib.metadata.distribution("hamsa-async").read_text("direct_url.json") or "{}"
    return bool(json.loads(text).get("dir_info", {}).get("editable"))


def files_under(folder: Path) -> dict[str, bytes]:
    """Every file of a package but what Python itself writes there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.skipif(is_editable(), reason="the checkout itself is installed, on purpose")
def test_the_installed_package_is_tested() -> None:
    """What is imported is what was installed, not the folder beside the tests."""
    assert INSTALLED != CHECKOUT / "hamsa_async"


@pytest.mark.skipif(is_editable(), reason="the checkout itself is installed, on purpose")
def test_nothing_is_left_out_of_the_wheel() -> None:
    """Every file of the checkout's package is installed, as it is now (else: install again)."""
    ours, theirs = files_under(CHECKOUT / "hamsa_async"), files_under(INSTALLED)
    assert sorted(ours) == sorted(theirs)
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_the_types_are_shipped() -> None:
    """A type checker may rely on the annotations."""
    assert (INSTALLED / "py.typed").is_file()


def test_the_version_is_the_same_everywhere() -> None:
    """One version, in the package and in its metadata."""
    assert hamsa_async.__version__ == importlib.metadata.version("hamsa-async")


@pytest.mark.parametrize(
    "name", ["", ".dialer", ".dialer.policy", ".models", ".testing", ".webhooks"]
)
def test_all_is_exact(name: str) -> None:
    """Every name that is imported to be public is in `__all__`, and nothing else.

    Those that are loaded when they are asked for are what a type checker takes them for.
    """
    module = importlib.import_module(f"hamsa_async{name}")
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name: (str(node.module), alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        if node.module not in {"typing", "hamsa_async.dialer.lazily"}
        for alias in node.names
    }
    assert sorted(imported) == sorted(module.__all__)
    assert {*module.__all__} <= {*dir(module)}
    assert len(module.__all__) == len(set(module.__all__))
    for public, (home, own) in imported.items():
        assert getattr(module, public) is getattr(importlib.import_module(home), own)


def test_the_dialer_has_no_other_names() -> None:
    """A name that it does not offer is an error like any module's; a module of it is found."""
    with pytest.raises(AttributeError, match=r"'hamsa_async\.dialer' has no attribute 'Dailer'"):
        hamsa_async.dialer.Dailer  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(ImportError, match="Dailer"):
        exec("from hamsa_async.dialer import Dailer")  # noqa: S102


def test_every_public_name_is_used_in_the_typing_test() -> None:
    """`tests/typing` uses each name once, so that a type checker sees it used."""
    trees = [
        ast.parse(file.read_text(encoding="utf-8"))
        for file in (CHECKOUT / "tests/typing").glob("*.py")
    ]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    used |= {node.id for node in nodes if isinstance(node, ast.Name)}
    public = set(hamsa_async.__all__) | set(hamsa_async.testing.__all__)
    public |= set(hamsa_async.webhooks.__all__)
    assert sorted(public - used) == []


def test_the_core_needs_four_packages() -> None:
    """Whoever installs no extra gets the four, and what these need."""
    required = importlib.metadata.requires("hamsa-async") or []
    core = {re.match(r"[\w-]+", line)[0] for line in required if "extra ==" not in line}  # type: ignore[index]
    assert core == CORE


@pytest.mark.parametrize("module", ["hamsa_async", "hamsa_async.testing", "hamsa_async.webhooks"])
def test_the_core_imports_no_extra(module: str) -> None:
    """Neither the client nor the fake costs or needs what the dialer is made of."""
    code = f"import {module}, sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-Ic", code], capture_output=True, text=True, check=True
    )
    assert EXTRAS.isdisjoint(result.stdout.split())


def test_the_dialer_says_what_it_needs() -> None:
    """Without its extra, importing it is an error that names the command that installs it."""
    code = (
        "import sys, hamsa_async; sys.modules['filelock'] = None\n"
        "try: import hamsa_async.dialer\n"
        "except hamsa_async.ConfigurationError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-Ic", code], capture_output=True, text=True, check=True
    )
    assert "pip install 'hamsa-async[dialer]'" in result.stdout


def test_the_core_imports_without_a_loop() -> None:
    """Importing starts nothing and asks for nothing."""
    code = "import hamsa_async, asyncio, threading; print(threading.active_count())"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-Ic", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["1"]


def test_the_pytest_plugin_is_registered(request: pytest.FixtureRequest) -> None:
    """Whoever installs the package has the fixture `fake_hamsa`."""
    (entry,) = importlib.metadata.entry_points(group="pytest11", name="hamsa_async")
    assert request.config.pluginmanager.has_plugin("hamsa_async")
    assert importlib.import_module(entry.value) is entry.load()


def test_the_classifiers_begin_where_the_code_does() -> None:
    """The oldest Python of the classifiers is the oldest that pip lets in."""
    metadata = importlib.metadata.metadata("hamsa-async")
    found = re.findall(r"Python :: (3\.\d+)", "\n".join(metadata.get_all("Classifier") or []))
    oldest = min(found, key=lambda version: int(version.split(".")[1]))
    assert metadata["Requires-Python"] == f">={oldest}"
