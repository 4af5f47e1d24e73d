"""What of a campaign is another than the journal has it, and whether that was accepted. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hamsa_async._masking import mask_text
from hamsa_async.dialer.campaign import SETTINGS_SINCE
from hamsa_async.dialer.journal.records import ListDifference
from hamsa_async.errors import CampaignError

_RULED_BY: Final = ("policy ", "from_number ")  # settings, in the words of a change


def setting_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The settings that differ, in words."""
    before = {**SETTINGS_SINCE, **before}
    return [
        _change(name, before.get(name), value)
        for name, value in now.items()
        if before.get(name) != value
    ]


def list_changes(difference: ListDifference) -> list[str]:
    """How many rows differ, in words."""
    return [
        f"{count} row{'s' if count > 1 else ''} {what}"
        for count, what in (
            (difference.new, "new"),
            (difference.gone, "gone"),
            (difference.changed, "changed"),
        )
        if count
    ]


def other_rules(changes: Sequence[str]) -> bool:
    """Whether other rules than before judge the contacts."""
    return any(change.startswith(_RULED_BY) for change in changes)


def check_accepted(name: str, changes: Sequence[str], *, accept_changes: bool) -> None:
    """Refuse changes that nobody accepted.

    Raises:
        CampaignError: There are some.
    """
    if changes and not accept_changes:
        raise CampaignError(
            f"campaign {name!r} differs from the journal: {'; '.join(changes)};"
            " accept it with --accept-changes, or give the campaign another name"
        )


def _change(name: str, before: Any, now: Any) -> str:
    if name == "params":
        return "params differ"  # they may say things about people
    return f"{name} is {mask_text(repr(now))}, was {mask_text(repr(before))}"
