"""What the headers of a contact list are taken for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async.dialer.columns import Columns, is_phone_header, read_header, trim
from hamsa_async.errors import ContactListError


@pytest.mark.parametrize(
    "header",
    [
        "phone_number",
        "Phone Number",
        "PHONE-NUMBER",
        "phoneNumber",
        "\ufeffphone_number",
        "\u200fphone\u00a0number\u200e",
        "phone",
        "number",
        "contact_number",
        "to_number",
        "toNumber",
        "to_phone_number",
        "contactPhone",
        "customer_phone",
        "mobile",
        "msisdn",
        "رقم الهاتف",
        "الهاتف",
        "الجوال",
        "رقم الجوال",
        "رقم_الموبايل",
        "\u202bرقم الجـوال\u202c",
    ],
)
def test_phone_aliases(header: str) -> None:
    """The phone column is found under each of its names, however it is spelt."""
    assert is_phone_header(header)
    assert read_header(["city", header]).phone == 1


def test_the_rest_are_params_and_reserved_columns_are_not() -> None:
    """Reserved columns are fields; what is left is told to the agent."""
    columns = read_header(
        ["contact_id", "Mobile", "city", "DNC", "Not Before", "priority", "max-attempts", "offer"]
    )
    assert columns.phone == 1
    assert columns.fields == {
        "contact_id": 0,
        "dnc": 3,
        "not_before": 4,
        "priority": 5,
        "max_attempts": 6,
    }
    assert columns.params == (("city", 2), ("offer", 7))
    assert columns.choices["phone_number"] == "Mobile"
    assert columns.choices["not_before"] == "Not Before"


def test_region_is_another_word_for_country() -> None:
    """The alias region fills the field country."""
    assert read_header(["phone", "region"]).fields == {"country": 1}


def test_the_name_is_a_param_under_its_own_name() -> None:
    """A header that is `name` is passed once."""
    assert read_header(["phone", "name"]).params == (("name", 1),)


@pytest.mark.parametrize("header", ["الاسم", "الإسم", "Name"])
def test_the_name_is_a_param_under_both_names(header: str) -> None:
    """A name by alias reaches the agent as `name` and as what the list calls it."""
    assert dict(read_header(["phone", header]).params) == {"name": 1, header: 1}


def test_param_names_keep_their_joiners_and_lose_their_wrapping() -> None:
    """A zero-width joiner inside a word stays; marks and spaces around it go."""
    assert read_header(["phone", "\u202b نام\u200cخانوادگی \u202c"]).params == (
        ("نام\u200cخانوادگی", 1),
    )


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        (["phone", "mobile"], ["'phone'", "'mobile'", "phone_number"]),
        (["phone", "Phone"], ["'phone'", "'Phone'"]),
        (["phone", "name", "الاسم"], ["'name'", "'الاسم'"]),
        (["phone", "country", "region"], ["'country'", "'region'"]),
        (["phone", "city", "city "], ["'city'", "more than once"]),
        (["phone", "_hamsa_reference"], ["_hamsa_reference", "reserved"]),
        (["city", "offer"], ["'city'", "'offer'", "'phone_number'"]),
        ([], ["none", "'phone_number'"]),
        (["", ""], ["none"]),
    ],
)
def test_refused_headers_are_named(headers: list[str], named: list[str]) -> None:
    """What cannot be decided is an error that names the headers and the way out."""
    with pytest.raises(ContactListError) as caught:
        read_header(headers)
    assert all(word in str(caught.value) for word in named)
    assert "\n" not in str(caught.value)


def test_headers_seen_are_few_short_and_masked() -> None:
    """A list without a header line shows neither pages of it nor anybody's number."""
    with pytest.raises(ContactListError) as caught:
        read_header(["+971501234567", "x" * 5000, *map(str, range(100))])
    assert len(str(caught.value)) < 500
    assert "+971501234567" not in str(caught.value)
    assert "92 more" in str(caught.value)


def test_nameless_columns_are_remembered() -> None:
    """Columns without header are no params; whether that matters the rows decide."""
    columns = read_header(["phone", "", "city", "\u200f "])
    assert columns.nameless == (1, 3)
    assert columns.params == (("city", 2),)


def test_columns_are_checked_when_built() -> None:
    """There is no value of this class whose phone column does not exist."""
    with pytest.raises(ValueError, match="no column 1"):
        Columns(headers=("a",), phone=1, fields={}, params=(), nameless=(), choices={})


@given(st.text())
def test_trimming_leaves_what_is_inside(text: str) -> None:
    """Trimming takes from the ends only, and twice is once."""
    assert trim(text) in text
    assert trim(trim(text)) == trim(text)


@given(st.lists(st.text(max_size=12) | st.sampled_from(["phone", "mobile", "name", "dnc"])))
def test_any_header_is_columns_or_an_error(headers: list[str]) -> None:
    """Each column is one thing: the number, a field, a param or nameless."""
    try:
        columns = read_header(headers)
    except ContactListError:
        return
    positions = {columns.phone, *columns.fields.values(), *columns.nameless}
    positions |= {at for _name, at in columns.params}
    assert len(positions) == len(headers)
