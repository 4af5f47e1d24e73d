"""A yes or a no, in English and Arabic, as people and programs write it."""

from collections.abc import Mapping
from typing import Final

from hamsa_async.dialer.columns import trim

_FLAGS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("yes", "y", "true", "1", "١", "نعم"), True),
    **dict.fromkeys(("no", "n", "false", "0", "٠", "لا"), False),
}


def read_flag(given: object) -> bool | None:
    """Read a yes or a no, as people and programs write them; `None`: it is neither."""
    return _FLAGS.get(trim(str(given)).casefold())
