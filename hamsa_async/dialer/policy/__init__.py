"""The rules that say who may be called when. So far there is one pack, and it has no rule."""

from collections.abc import Mapping
from typing import Final

PACKS: Final[Mapping[str, str]] = {
    "none": "No rule but the safety ones: one open attempt per number, and the minimum gap.",
}
"""Each pack's name and what it does, in a line."""
