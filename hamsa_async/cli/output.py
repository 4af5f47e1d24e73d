"""Where the command speaks: results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from hamsa_async._masking import mask_text


def people() -> Console:
    """The console for people: progress, questions, notices. On stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def results() -> Console:
    """The console for a result that a person asked for. On stdout."""
    return Console(highlight=False)


def complain(text: str) -> None:
    """Say in one line what is wrong, numbers masked."""
    line = " ".join(mask_text(text).split())
    print(f"hamsa: {line}", file=sys.stderr)


def print_json(document: Mapping[str, Any]) -> None:
    """Print the one JSON document of a command."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
