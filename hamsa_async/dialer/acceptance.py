"""Whether a list that was read may be taken: what makes it unusable as a whole. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from hamsa_async.dialer.contract import Contract
from hamsa_async.dialer.machine import ContactState
from hamsa_async.errors import CampaignError, ContactListError

_NO_NUMBER: Final = (
    "there is no caller number: give from_number (--from), or a from_number column;"
    " --from hamsa-default takes Hamsa's fallback, a foreign number"
)


class _Staged(Protocol):
    """A list that was read to its end."""

    @property
    def rows(self) -> int: ...

    @property
    def states(self) -> Mapping[tuple[str, str | None], int]: ...


def check_usable(staged: _Staged, max_invalid: float) -> None:
    """Refuse a list with no rows, or with too many that are no contacts.

    Raises:
        ContactListError: It is one.
    """
    if not staged.rows:
        raise ContactListError("the list has no contacts: there is nothing below its header")
    bad = {
        reason: count
        for (state, reason), count in staged.states.items()
        if state == ContactState.INVALID
    }
    invalid = sum(bad.values())
    if invalid / staged.rows > max_invalid:
        worst = ", ".join(
            f"{count} {reason}" for reason, count in sorted(bad.items(), key=lambda item: -item[1])
        )
        raise ContactListError(
            f"{invalid} of {staged.rows} rows are no contacts ({worst}): correct the list, or"
            " allow it with --max-invalid (numbers without + need --country)"
        )


def check_contracts(contracts: Iterable[Contract]) -> None:
    """Refuse a list that does not give every agent what it asks for.

    Raises:
        ContactListError: It is one.
    """
    breaches = [breach for contract in contracts for breach in contract.breaches]
    if breaches:
        raise ContactListError(
            f"the list does not fit the agent: {'; '.join(breaches)}; add the columns, or"
            " leave out --strict"
        )


def check_caller(from_number: object, *, without: int, loopback: bool) -> None:
    """Refuse to leave the caller number to chance.

    Args:
        from_number: The campaign's.
        without: How many contacts name none of their own.
        loopback: Whether the server is on this machine.

    Raises:
        CampaignError: Some would be called from no number that anybody chose.
    """
    if not from_number and without and not loopback:
        raise CampaignError(_NO_NUMBER)
