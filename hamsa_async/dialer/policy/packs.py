"""The packs that are shipped, and packs of one's own."""

import functools
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Final

from hamsa_async.dialer.policy.judging import Policy
from hamsa_async.dialer.policy.pack import Pack
from hamsa_async.dialer.policy.pack_file import read_pack
from hamsa_async.errors import ConfigurationError

PACKS: Final = (
    "ae_telemarketing",
    "sa_conservative",
    "us_federal",
    "us_strict",
    "uk_marketing",
    "eu_marketing",
    "service_calls",
    "gulf_courtesy",
    "none",
)
"""The names of the packs that are shipped."""

_SUFFIX: Final = ".toml"


def find_pack(name: str) -> Pack:
    """Find a pack by its name, or by the path of its file (`own.toml`).

    Raises:
        ConfigurationError: There is none, or it has a mistake; the text says in which line.
    """
    if name in PACKS:
        return _shipped(name)
    if not name.endswith(_SUFFIX):
        raise ConfigurationError(
            f"there is no policy {name!r}; there is: {', '.join(PACKS)}, or a file of your own"
            f" (its name ends in {_SUFFIX})"
        )
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        what = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(f"pack {name} cannot be read: {what}") from None
    pack = read_pack(text, origin=name, folder=path.parent)
    if pack.name in PACKS:
        raise ConfigurationError(f"pack {name}: {pack.name!r} is a pack that is shipped")
    return pack


@functools.cache
def _shipped(name: str) -> Pack:
    text = (files(__package__) / "data" / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    return read_pack(text, origin=name)


def read_policy(names: Iterable[str]) -> Policy:
    """The policy of several packs; the strictest wins.

    Raises:
        ConfigurationError: See `find_pack`; or none is named, one is named twice, or none of
            them stands alone.
    """
    packs = tuple(map(find_pack, names))
    given = [pack.name for pack in packs]
    if not packs:
        raise ConfigurationError(f"a policy is needed; there is: {', '.join(PACKS)}")
    if len(set(given)) < len(given):
        raise ConfigurationError("a policy is named twice")
    if not any(pack.stands_alone for pack in packs):
        alone = ", ".join(given)
        raise ConfigurationError(f"{alone} only adds to another policy: name one besides")
    return Policy(packs)
