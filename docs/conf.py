"""How the documentation is built: `nox -s docs`."""

import re
from importlib.metadata import version as version_of
from typing import Any

from sphinx.application import Sphinx

project = "hamsa_async"
author = "The hamsa_async developers"
copyright = author
release = version = version_of("hamsa-async")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "examples"]

html_theme = "furo"
html_title = f"hamsa_async {release}"

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_custom_sections = ["Cancellation", "Durability"]
napoleon_use_ivar = True
# In our docstrings, as in Markdown, single backticks mean code.
default_role = "code"

nitpick_ignore_regex = [
    # The pages are built without a network, so other projects' names lead nowhere.
    (r"py:.*", r"(?!hamsa_async\b).*"),
    # What is private has no page.
    (r"py:.*", r"hamsa_async\.(.*\.)?_.*"),
]

_SECTION = re.compile(r"[A-Z][a-z ]+:$")


def indented_is_code(
    app: Sphinx, what: str, name: str, thing: object, options: Any, lines: list[str]
) -> None:
    """Read an indented block after an empty line as code, as Markdown does."""
    result: list[str] = []
    last = ""  # line that is not empty
    for line in lines:
        begins = line.startswith("    ") and last and not last.startswith(" ")
        if begins and not result[-1].strip() and not _SECTION.match(last):
            result += ["::", ""]
        result.append(line)
        last = line if line.strip() else last
    lines[:] = result


_as_written: dict[str, list[str]] = {}


def keep(app: Sphinx, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    """Remember an attribute's text: Napoleon takes what stands before a colon for its type."""
    if what in {"attribute", "data"}:
        _as_written[name] = lines[:]


def put_back(
    app: Sphinx, what: str, name: str, thing: object, options: Any, lines: list[str]
) -> None:
    """Give an attribute the text that its author wrote."""
    if name in _as_written:
        lines[:] = _as_written.pop(name)


def setup(app: Sphinx) -> None:
    """Work on docstrings before Napoleon reads their sections, and after it."""
    app.connect("autodoc-process-docstring", indented_is_code, priority=100)
    app.connect("autodoc-process-docstring", keep, priority=200)
    app.connect("autodoc-process-docstring", put_back, priority=900)
