"""The rules that say who may be called when: packs as data, and what they say of a person."""

from typing import TYPE_CHECKING

from hamsa_async.dialer.lazily import loading

if TYPE_CHECKING:
    from hamsa_async.dialer.policy.hours import HORIZON, LAST_START
    from hamsa_async.dialer.policy.judging import (
        NOTHING_KNOWN,
        TIMING_RULES,
        Finding,
        History,
        Judgement,
        Person,
        Policy,
        Refusal,
    )
    from hamsa_async.dialer.policy.pack import Pack
    from hamsa_async.dialer.policy.pack_file import read_pack
    from hamsa_async.dialer.policy.packs import PACKS, find_pack, read_policy
else:
    __getattr__, __dir__ = loading(
        __name__,
        {
            "hours": ("HORIZON", "LAST_START"),
            "judging": (
                *("NOTHING_KNOWN", "TIMING_RULES", "Finding", "History", "Judgement", "Person"),
                *("Policy", "Refusal"),
            ),
            "pack": ("Pack",),
            "pack_file": ("read_pack",),
            "packs": ("PACKS", "find_pack", "read_policy"),
        },
    )

__all__ = [
    "HORIZON",
    "LAST_START",
    "NOTHING_KNOWN",
    "PACKS",
    "TIMING_RULES",
    "Finding",
    "History",
    "Judgement",
    "Pack",
    "Person",
    "Policy",
    "Refusal",
    "find_pack",
    "read_pack",
    "read_policy",
]
