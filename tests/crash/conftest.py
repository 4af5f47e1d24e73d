"""The same processes as in `tests/cli`: those fixtures, here."""

import importlib.util
from pathlib import Path

_SPEC = importlib.util.spec_from_file_location(
    "hamsa_cli_processes", Path(__file__).parents[1] / "cli" / "conftest.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
_processes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_processes)

_ctrl_c_is_heard = _processes._ctrl_c_is_heard
command = _processes.command
contacts = _processes.contacts
dial_at = _processes.dial_at
serve = _processes.serve
serve_again = _processes.serve_again
tools = _processes.tools
