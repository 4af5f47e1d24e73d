"""What rules ask of a called person, from what a list says of them."""

from datetime import datetime

from hamsa_async.dialer.policy import Person
from hamsa_async.dialer.zones import Zones, region_code, zones_of


def person_of(
    phone_number: str,
    *,
    timezone: str | None = None,
    from_number: str | None = None,
    consent: bool | None = None,
    consent_at: datetime | None = None,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
) -> tuple[Person, Zones]:
    """The person at a number, and who says in which zones they may be.

    Args:
        phone_number: E.164.
        timezone: What the list says of their zone.
        from_number: The caller number that they would see.
        consent: What the list says of their consent.
        consent_at: When they gave it.
        not_before: No call before this moment.
        expires_at: No call from this moment on.
    """
    zones = zones_of(phone_number, timezone=timezone)
    person = Person(
        phone_number=phone_number,
        region=region_code(phone_number),
        zones=zones.names,
        from_number=from_number,
        consent=consent,
        consent_at=consent_at,
        not_before=not_before,
        expires_at=expires_at,
    )
    return person, zones
