"""What is a phone number, what is none, and which reason is given."""

import importlib
import pickle
import re
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hamsa_async.dialer.numbers import NumberFault, NumberProblem, normalise, region_of
from hamsa_async.errors import ConfigurationError


@pytest.mark.parametrize(
    "written",
    [
        "+971501234567",
        " +971 50 123 4567\r\n",
        "+971-50-123-4567",
        "(+971) 50 123 4567",
        "+\u0669\u0667\u0661\u0665\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
        "+\u06f9\u06f7\u06f1\u06f5\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7",
        "\u200e+971501234567\u200f",
        "\u202a+97150\u202c\u2066123\u20694567",
        "\ufeff+971\u00a050\u00a0123\u00a04567",
        "'+971501234567",
        '="+971501234567"',
        "“+971501234567”",
        "\uff0b971501234567",
    ],
)
def test_ways_to_write_one_number(written: str) -> None:
    """Digits, marks and leftovers of spreadsheets do not change which number it is."""
    assert normalise(written, country=None) == "+971501234567"


@pytest.mark.parametrize("written", ["0501234567", "501234567", "00971501234567", "971501234567"])
@pytest.mark.parametrize("country", ["AE", "ae", " Ae "])
def test_a_country_makes_a_national_number_whole(written: str, country: str) -> None:
    """With a country given, numbers without a plus are read as that country writes them."""
    assert normalise(written, country=country) == "+971501234567"


def test_double_zero_counts_as_plus_whatever_the_country_dials() -> None:
    """A leading 00 means + even in countries whose own prefix for abroad is another."""
    assert normalise("00971501234567", country="US") == "+971501234567"


def test_a_number_with_plus_ignores_the_country() -> None:
    """The country is for numbers that do not say their own."""
    assert normalise("+442079460117", country="AE") == "+442079460117"


@pytest.mark.parametrize(
    ("written", "country", "fault"),
    [
        ("", None, NumberFault.EMPTY),
        (" \u200f'\u00a0", None, NumberFault.EMPTY),
        ("9.71501E+11", "AE", NumberFault.DAMAGED_BY_SPREADSHEET),
        ("+9,71501e11", None, NumberFault.DAMAGED_BY_SPREADSHEET),
        ("٩.٧١٥٠١E+١١", "AE", NumberFault.DAMAGED_BY_SPREADSHEET),
        ("971501234567.0", "AE", NumberFault.DAMAGED_BY_SPREADSHEET),
        ("+971501234567 ext 5", None, NumberFault.EXTENSION),
        ("+971501234567x5", None, NumberFault.EXTENSION),
        ("+971501234567;ext=5", None, NumberFault.EXTENSION),
        ("+97150123456A", None, NumberFault.LETTERS),
        ("1-800-FLOWERS", "US", NumberFault.LETTERS),
        ("+971501234567 منزل", None, NumberFault.LETTERS),
        ("0501234567", None, NumberFault.NEEDS_COUNTRY),
        ("00971501234567", None, NumberFault.NEEDS_COUNTRY),
        ("971501234567", None, NumberFault.NEEDS_COUNTRY),
        ("n/a", "AE", NumberFault.NOT_A_NUMBER),
        ("-", None, NumberFault.NOT_A_NUMBER),
        ("+971501234567/+971501234568", None, NumberFault.NOT_A_NUMBER),
        ("+9715000", None, NumberFault.IMPOSSIBLE),
        ("+9715012345678901", None, NumberFault.IMPOSSIBLE),
        ("1" * 300, "AE", NumberFault.IMPOSSIBLE),
        ("+12125550", None, NumberFault.IMPOSSIBLE),
        ("+447700900123", None, NumberFault.INVALID),
        ("+00971501234567", None, NumberFault.INVALID),
    ],
)
def test_each_fault_has_its_code(written: str, country: str | None, fault: NumberFault) -> None:
    """Every way of not being a number is told by its own code, with the text as given."""
    with pytest.raises(NumberProblem) as caught:
        normalise(written, country=country)
    assert (caught.value.code, caught.value.text) == (fault, written)


def test_every_fault_has_a_sentence() -> None:
    """No code without a sentence for people, and none that shows a number."""
    for fault in NumberFault:
        assert re.fullmatch(r"[A-Z].+\.", fault.sentence)


def test_a_problem_masks_its_number_and_pickles() -> None:
    """The error keeps the text for the program and shows it to nobody."""
    problem = NumberProblem(NumberFault.INVALID, "+447700900123")
    assert "7700900" not in str(problem) + repr(problem)
    again = pickle.loads(pickle.dumps(problem))
    assert (again.code, again.text, str(again)) == (problem.code, problem.text, str(problem))


@pytest.mark.parametrize("country", ["UK", "XX", "", "United Arab Emirates", "٩"])
def test_an_unknown_country_is_a_wrong_argument(country: str) -> None:
    """A country that no number belongs to is the caller's error, not the number's."""
    with pytest.raises(ConfigurationError, match="unknown country"):
        normalise("0501234567", country=country)
    with pytest.raises(ConfigurationError):
        region_of(country)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing without phonenumbers names the command that installs it."""
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    monkeypatch.delitem(sys.modules, "hamsa_async.dialer.needs")
    with pytest.raises(ConfigurationError, match=r"pip install 'hamsa-async\[dialer\]'"):
        importlib.import_module("hamsa_async.dialer.needs")


_NUMBERISH = st.text(alphabet="0123456789٠٩۰۹²①+-. ()/,;#*xXeE='\"\u200e\u200f\u00a0\ud800أ")


@given(st.text() | _NUMBERISH, st.sampled_from([None, "AE", "US", "DE", "IT"]))
@example("+²", None)
@example("\ud800", "AE")
def test_any_text_is_a_number_or_a_problem(text: str, country: str | None) -> None:
    """Whatever the text, the answer is plain E.164 or a NumberProblem."""
    try:
        number = normalise(text, country=country)
    except NumberProblem as problem:
        assert problem.text == text
        assert str(problem)
    else:
        assert re.fullmatch(r"\+[0-9]{5,17}", number)
        assert normalise(number, country=None) == number
