"""What people write as a phone number -> E.164, or one named reason why not.

The judge is libphonenumber (`phonenumbers`, the extra `[dialer]`), and its `is_valid_number`
always decides. Around it stand the cases that it lets through silently and that would ring
somebody else or nobody: a number that a spreadsheet has damaged, an extension, letters.
"""

import enum
import re
from collections.abc import Mapping
from typing import Final

import phonenumbers

from hamsa_async._masking import mask_number
from hamsa_async.errors import ConfigurationError


class NumberFault(enum.StrEnum):
    """Why a text is no phone number that may be called. The values are stable codes."""

    EMPTY = "empty"
    DAMAGED_BY_SPREADSHEET = "damaged_by_spreadsheet"
    EXTENSION = "extension"
    LETTERS = "letters"
    NEEDS_COUNTRY = "needs_country"
    NOT_A_NUMBER = "not_a_number"
    IMPOSSIBLE = "impossible"
    INVALID = "invalid"

    @property
    def sentence(self) -> str:
        """What is wrong and the way out, as one English sentence without the number."""
        return _SENTENCES[self]


_SENTENCES: Final[Mapping[NumberFault, str]] = {
    NumberFault.EMPTY: "There is no phone number.",
    NumberFault.DAMAGED_BY_SPREADSHEET: (
        "A spreadsheet has turned the phone number into a decimal number such as 9.71501E+11:"
        " give the column the format Number without decimals, or Text, and export the list again,"
        " or pass the workbook itself."
    ),
    NumberFault.EXTENSION: (
        "The phone number has an extension or a second number behind it:"
        " only one number that can be dialed directly is called."
    ),
    NumberFault.LETTERS: "The phone number has letters in it.",
    NumberFault.NEEDS_COUNTRY: (
        "The phone number does not start with + and its country code, and no country is given."
    ),
    NumberFault.NOT_A_NUMBER: "This is not a phone number.",
    NumberFault.IMPOSSIBLE: "The phone number is too short or too long for its country.",
    NumberFault.INVALID: "No phone number of its country looks like this one.",
}


class NumberProblem(ValueError):  # noqa: N818  it is a value's problem, not a failure of ours
    """A text is no phone number that may be called.

    Attributes:
        code: Which of the reasons it is.
        text: The text as given, whole; `str` and `repr` of this error show it masked.
    """

    def __init__(self, code: NumberFault, text: str) -> None:
        super().__init__(f"{code.sentence} ({mask_number(text[:_SHOWN])!r})")
        self.code = code
        self.text = text

    def __reduce__(self) -> tuple[type["NumberProblem"], tuple[NumberFault, str]]:
        """Pickle by what it was made from: the message alone does not make it again."""
        return NumberProblem, (self.code, self.text)


def region_of(country: str) -> str:
    """The upper-case ISO alpha-2 code of a country that phone numbers are known for.

    Raises:
        ConfigurationError: There is no such code (`UK`, for one: it is `GB`).
    """
    region = country.strip().upper()
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ConfigurationError(
            f"unknown country {country[:_SHOWN]!r}: give a two-letter ISO code such as AE, SA or GB"
        )
    return region


def normalise(text: str, *, country: str | None) -> str:
    """The E.164 form (`+971501234567`) of a phone number as people and spreadsheets write it.

    Tolerated: Arabic-Indic and Persian digits, marks of writing direction, no-break spaces, a
    leading `'` or `=` and quotes. A number without `+` is read as one of `country`, never
    guessed; a leading `00` counts as `+` only where a country is given.

    Args:
        text: The number as written.
        country: ISO alpha-2 code in any case for numbers without `+`, or `None`.

    Raises:
        NumberProblem: The text is no valid phone number; `.code` says why.
        ConfigurationError: There is no such country.
    """
    region = None if country is None else region_of(country)
    written = _clean(text)
    fault = _fault_of_writing(written)
    if fault is not None:
        raise NumberProblem(fault, text)
    if region is not None and written.startswith("00"):
        written = "+" + written[2:]
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException as error:
        raise NumberProblem(_fault_of_parsing(error.error_type, written), text) from None
    fault = _fault_of_number(number, written)
    if fault is not None:
        raise NumberProblem(fault, text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def digits_as_written(number: str) -> frozenset[str]:
    """The digits of a number in all the ways in which people write it.

    Args:
        number: E.164.
    """
    parsed = phonenumbers.parse(number)
    code = str(parsed.country_code)
    national = phonenumbers.national_significant_number(parsed)
    whole = code + national
    return frozenset({whole, f"00{whole}", f"{code}0{national}", f"0{national}", national})


# How much of a text that is no number an error shows (masked).
_SHOWN: Final = 40

# Marks that are invisible: direction, zero width, byte order.
_INVISIBLE: Final = (
    "\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_CLEAN: Final = str.maketrans(
    {
        **dict.fromkeys(_INVISIBLE),
        "\u00a0": " ",
        "\u202f": " ",
        **{chr(0x0660 + digit): str(digit) for digit in range(10)},  # Arabic-Indic
        **{chr(0x06F0 + digit): str(digit) for digit in range(10)},  # Persian
    }
)
_WRAPPING: Final = " \t\r\n'\"=`\u2018\u2019\u201c\u201d"

# 9.71501E+11, and 971501234567.0: libphonenumber drops the point and so would append a digit.
_DAMAGED: Final = re.compile(r"\+?\d+(?:[.,]\d+)?[eE][+-]?\d+|\+?\d+[.,]0+")

_ErrorType: Final = phonenumbers.NumberParseException
_PARSING_FAULTS: Final[Mapping[int, NumberFault]] = {
    _ErrorType.NOT_A_NUMBER: NumberFault.NOT_A_NUMBER,
    _ErrorType.TOO_SHORT_AFTER_IDD: NumberFault.IMPOSSIBLE,
    _ErrorType.TOO_SHORT_NSN: NumberFault.IMPOSSIBLE,
    _ErrorType.TOO_LONG: NumberFault.IMPOSSIBLE,
}


def _clean(text: str) -> str:
    return text.translate(_CLEAN).strip(_WRAPPING)


def _fault_of_writing(written: str) -> NumberFault | None:
    """What can be seen before parsing, and is lost after it."""
    if not written:
        return NumberFault.EMPTY
    if _DAMAGED.fullmatch(written):
        return NumberFault.DAMAGED_BY_SPREADSHEET
    return None


def _fault_of_parsing(error_type: int, written: str) -> NumberFault:
    if _has_letters(written) and any(map(str.isdigit, written)):
        return NumberFault.LETTERS
    if error_type == _ErrorType.INVALID_COUNTRY_CODE:
        return NumberFault.INVALID if written.startswith("+") else NumberFault.NEEDS_COUNTRY
    return _PARSING_FAULTS.get(error_type, NumberFault.NOT_A_NUMBER)


def _fault_of_number(number: phonenumbers.PhoneNumber, written: str) -> NumberFault | None:
    if number.extension:
        return NumberFault.EXTENSION
    if _has_letters(written):
        return NumberFault.LETTERS
    if phonenumbers.is_valid_number(number):
        return None
    # Not is_possible_number: it also takes what can be dialed only within one town.
    length = phonenumbers.is_possible_number_with_reason(number)
    right = length == phonenumbers.ValidationResult.IS_POSSIBLE
    return NumberFault.INVALID if right else NumberFault.IMPOSSIBLE


def _has_letters(written: str) -> bool:
    return any(map(str.isalpha, written))
