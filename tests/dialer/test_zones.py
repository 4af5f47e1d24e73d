"""In which time zones a called person may be, and who says so."""

import re
import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import phonenumbers
import pytest

from hamsa_async.dialer import zones
from hamsa_async.dialer.callers import caller_for
from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.zones import ZoneSource, is_zone, region_code, zones_of


@pytest.mark.parametrize(
    ("number", "region", "names"),
    [
        ("+971501234567", "AE", ["Asia/Dubai"]),
        ("+966501234567", "SA", ["Asia/Riyadh"]),
        ("+201001234567", "EG", ["Africa/Cairo"]),
        ("+212650123456", "MA", ["Africa/Casablanca"]),
        ("+213551234567", "DZ", ["Africa/Algiers"]),
        ("+218912345678", "LY", ["Africa/Tripoli"]),
        ("+970599123456", "PS", ["Asia/Gaza", "Asia/Hebron"]),
        ("+962790123456", "JO", ["Asia/Amman"]),
        ("+9647912345678", "IQ", ["Asia/Baghdad"]),
        ("+96550012345", "KW", ["Asia/Kuwait"]),
        ("+97433123456", "QA", ["Asia/Qatar"]),
        ("+97336001234", "BH", ["Asia/Bahrain"]),
        ("+96892123456", "OM", ["Asia/Muscat"]),
        ("+447400123456", "GB", ["Europe/London"]),
        ("+18762101234", "JM", ["America/Jamaica"]),
        ("+12125550123", "US", ["America/New_York"]),
    ],
)
def test_the_zone_of_a_number(number: str, region: str, names: list[str]) -> None:
    """Countries of the Middle East and North Africa above all, where libphonenumber is wrong."""
    assert region_code(number) == region
    assert list(zones_of(number).names) == names


def test_who_says_so() -> None:
    """The list outranks the table, the table libphonenumber; a number of no place has none."""
    assert zones_of("+971501234567", timezone="Asia/Riyadh").source is ZoneSource.COLUMN
    assert zones_of("+971501234567", timezone="Gulf").source is ZoneSource.TABLE
    assert zones_of("+12125550123").source is ZoneSource.PHONENUMBERS
    nowhere = zones_of("+80012345678")
    assert (nowhere.names, nowhere.source, str(nowhere)) == ((), ZoneSource.NONE, "unknown")


def test_a_number_of_many_places_has_all_their_zones() -> None:
    """Toll-free numbers and Australian mobiles may be anywhere in their country."""
    assert len(zones_of("+18005551234").names) > 20
    assert str(zones_of("+18005551234")).endswith("possible zones")
    assert len(zones_of("+61412345678").names) > 3


@pytest.mark.parametrize("name", ["Asia/Dubai", "UTC", "America/Argentina/Buenos_Aires"])
def test_names_of_zones(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize(
    "name",
    ["", "Gulf", "GST", "localtime", "/etc/passwd", "../x", "Asia", "Asia/", "a\0b", "Etc/Unknown"],
)
def test_what_is_no_name_of_a_zone(name: str) -> None:
    """Abbreviations, folders and paths are none."""
    assert not is_zone(name)


def test_the_table_is_of_zones_that_exist_in_their_country() -> None:
    """Every entry is a zone that tzdata knows for that very country."""
    text = (files("tzdata") / "zoneinfo" / "zone.tab").read_text()
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    known = {(line[0], line[2]) for line in lines}
    for region, names in zones._TABLE.items():
        assert region in phonenumbers.SUPPORTED_REGIONS | {"KP"}
        for name in names:
            assert (region, name) in known
            assert clock_of(name)


def test_countries_with_one_zone_have_it() -> None:
    """For every country with one zone, what is said goes by the same clock, 2024 to 2030.

    Where libphonenumber's data were wrong there, the table must say otherwise.
    """
    text = (files("tzdata") / "zoneinfo" / "zone.tab").read_text()
    theirs: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            region, _, name, *_ = line.split("\t")
            theirs.setdefault(region, []).append(name)
    wrong = []
    for region, names in theirs.items():
        example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if len(names) > 1 or example is None or not phonenumbers.is_valid_number(example):
            continue
        number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        said = zones_of(number).names
        # Some islands share their numbers with a larger country: then it is one of several.
        if all(_differ(names[0], each) for each in said):
            wrong.append((region, names[0], said))
    assert wrong == []


def _differ(one: str, other: str) -> bool:
    """Whether two zones show another time at any noon from 2024 to 2030."""
    day = datetime(2024, 1, 1, 12, tzinfo=UTC)
    while day.year < 2031:
        if day.astimezone(clock_of(one)).utcoffset() != day.astimezone(clock_of(other)).utcoffset():
            return True
        day += timedelta(days=7)
    return False


def test_one_caller_for_one_person() -> None:
    """Shares are even, nobody's number changes, and a new number moves only its share."""
    callers = ["+97142000001", "+97142000002", "+97142000003"]
    people = [f"+97150{number:07}" for number in range(3000)]
    seen = {person: caller_for(person, callers) for person in people}
    for caller in callers:
        assert 900 < sum(each == caller for each in seen.values()) < 1100
    assert {person: caller_for(person, callers[::-1]) for person in people} == seen
    more = {person: caller_for(person, [*callers, "+97142000004"]) for person in people}
    moved = {more[person] for person in people if more[person] != seen[person]}
    assert moved == {"+97142000004"}
    assert caller_for(people[0], []) is None
    assert re.fullmatch(r"\+97142000001", str(caller_for(people[0], callers[:1])))


def test_the_newest_data_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's data go before the system's, which may be old; without it the system's do."""
    clock_of.cache_clear()
    monkeypatch.setattr("hamsa_async.dialer.clocks._of_system", pytest.fail)
    assert clock_of("Africa/Cairo").key == "Africa/Cairo"
    monkeypatch.undo()
    clock_of.cache_clear()
    monkeypatch.setitem(sys.modules, "tzdata", None)
    assert clock_of("Africa/Cairo").key == "Africa/Cairo"
    with pytest.raises(LookupError):
        clock_of("Africa")
    clock_of.cache_clear()
