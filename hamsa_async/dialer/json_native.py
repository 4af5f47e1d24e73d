"""What JSON can hold, so that it comes out of a journal and a request as it went in."""

import math
from typing import Final

_DEEPEST: Final = 32


def is_json(*values: object, depth: int = 0) -> bool:
    """Whether each value is JSON-native, nested `_DEEPEST` levels at most, its numbers in range."""
    return depth <= _DEEPEST and all(_is_json_value(value, depth) for value in values)


def _is_json_value(value: object, depth: int) -> bool:
    if isinstance(value, str):
        return value.isascii() or _is_unicode(value)
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return is_json(*value, depth=depth + 1)
    if isinstance(value, dict):
        keys_are_text = all(isinstance(key, str) for key in value)
        return keys_are_text and is_json(*value, *value.values(), depth=depth + 1)
    return False


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
