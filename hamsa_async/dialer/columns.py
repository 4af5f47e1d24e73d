"""What the columns of a contact list mean, judged by their headers alone.

Pure: no file, no row. Headers are recognised whatever their case, spaces, `_`, `-` and
invisible marks. Where two could be meant, that is an error and never a guess.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from hamsa_async._masking import mask_text
from hamsa_async.errors import ContactListError

PHONE: Final = "phone_number"
NAME: Final = "name"

REFERENCE: Final = "_hamsa_reference"
"""The key under which the dialer itself ties a call to its attempt: nobody's column."""

UNUSED: Final = ("timezone", "priority", "max_attempts", "consent_at", "consent_source")
"""Reserved columns that this version recognises and does not act on."""

_ALIASES: Final[Mapping[str, Sequence[str]]] = {
    PHONE: (
        "phone_number",
        "phone",
        "phone no",
        "number",
        "contact_number",
        "contact_phone",
        "customer_phone",
        "customer_number",
        "to_number",
        "to_phone_number",
        "mobile",
        "mobile_number",
        "mobile_phone",
        "mobile no",
        "cell_phone",
        "telephone",
        "msisdn",
        "الهاتف",
        "هاتف",
        "رقم الهاتف",
        "الجوال",
        "جوال",
        "رقم الجوال",
        "الموبايل",
        "موبايل",
        "رقم الموبايل",
        "المحمول",
        "رقم المحمول",
        "الهاتف المحمول",
        "رقم الهاتف المحمول",
        "التليفون",
        "رقم التليفون",
        "التلفون",
        "رقم التلفون",
    ),
    NAME: ("name", "الاسم"),
    "country": ("country", "region"),
    **{
        name: (name,)
        for name in (
            "contact_id",
            "from_number",
            "agent_id",
            "not_before",
            "not_after",
            "consent",
            "dnc",
            *UNUSED,
        )
    },
}

_SEEN_HEADERS: Final = 10
_SEEN_CHARACTERS: Final = 40

# Ways to write the same Arabic word: stretched, and with or without the hamza on the alef.
_SAME_WORD: Final = str.maketrans({"ـ": None, "أ": "ا", "إ": "ا", "آ": "ا", "_": None, "-": None})


def _key(name: str) -> str:
    """What two spellings of one header have in common."""
    folded = unicodedata.normalize("NFKC", name).casefold().translate(_SAME_WORD)
    return "".join(filter(_is_visible, folded))


def _is_visible(character: str) -> bool:
    """Not a space, and not a mark of format: direction, zero width, byte order (`Cf`)."""
    return not character.isspace() and unicodedata.category(character) != "Cf"


def trim(text: str) -> str:
    """The text without what cannot be seen at its ends: spaces and marks of format.

    Inside they stay: there a zero-width joiner changes the word.
    """
    if text.isascii():
        return text.strip()
    visible = [at for at, character in enumerate(text) if _is_visible(character)]
    return text[visible[0] : visible[-1] + 1] if visible else ""


_MEANINGS: Final[Mapping[str, str]] = {
    _key(alias): meaning for meaning, aliases in _ALIASES.items() for alias in aliases
}


@attrs.frozen(kw_only=True)
class Columns:
    """Which column of a list is what. Positions count from 0.

    Attributes:
        headers: The headers as written, without invisible marks and surrounding spaces.
        phone: The position of the phone number.
        fields: The position of each reserved column that is acted on, by its own name
            (`contact_id`, `country`, `dnc`, ...).
        params: Which column is passed to the agent under which name. The name column is there
            as `name` and, where its header is another, under that one too.
        nameless: Positions with no header: no value may stand below them.
        choices: Which header was taken for what, for a notice: `{"phone_number": "الجوال"}`.
        unused: The headers of reserved columns that this version does not act on, for a notice.
    """

    headers: tuple[str, ...]
    phone: int = attrs.field()
    fields: Mapping[str, int]
    params: tuple[tuple[str, int], ...]
    nameless: tuple[int, ...]
    choices: Mapping[str, str]
    unused: tuple[str, ...]

    @phone.validator
    def _phone_is_a_column(self, _attribute: object, position: int) -> None:
        if not 0 <= position < len(self.headers):
            raise ValueError(f"there is no column {position} among {len(self.headers)}")


def is_phone_header(name: str) -> bool:
    """Whether a header is one of those that the phone number is recognised by."""
    return _MEANINGS.get(_key(name)) == PHONE


def read_header(names: Iterable[str]) -> Columns:
    """Say what each column of a list is.

    Raises:
        ContactListError: No column or more than one could be the phone number; a header stands
            there twice, or two mean the same reserved column; a header is one that the dialer
            keeps for itself. The text says which, and the way out.
    """
    headers = tuple(map(trim, names))
    _refuse_repeated(headers)
    _refuse_kept(headers)
    taken = _taken(headers)
    if PHONE not in taken:
        raise ContactListError(_no_phone(headers))
    return Columns(
        headers=headers,
        phone=taken[PHONE],
        fields={name: at for name, at in taken.items() if name not in _NOT_FIELDS},
        params=_params(headers, taken),
        nameless=tuple(at for at, header in enumerate(headers) if not header),
        choices={name: headers[at] for name, at in taken.items()},
        unused=tuple(headers[taken[name]] for name in UNUSED if name in taken),
    )


_NOT_FIELDS: Final = frozenset({PHONE, NAME, *UNUSED})


def _refuse_repeated(headers: tuple[str, ...]) -> None:
    twice = [header for header, count in Counter(headers).items() if header and count > 1]
    if twice:
        raise ContactListError(
            f"the header {_shown(twice)} stands there more than once: rename one of the columns"
        )


def _refuse_kept(headers: tuple[str, ...]) -> None:
    if REFERENCE in headers:
        raise ContactListError(
            f"the header {REFERENCE!r} is reserved for the dialer itself: rename the column"
        )


def _taken(headers: tuple[str, ...]) -> dict[str, int]:
    """The position of each column that means something to the dialer."""
    taken: dict[str, int] = {}
    for at, header in enumerate(headers):
        meaning = _MEANINGS.get(_key(header))
        if meaning is None:
            continue
        if meaning in taken:
            both = _shown([headers[taken[meaning]], header])
            raise ContactListError(
                f"two columns could be {meaning}: {both}; rename the one that is not"
            )
        taken[meaning] = at
    return taken


def _params(headers: tuple[str, ...], taken: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    reserved = {at for name, at in taken.items() if name != NAME}
    named = [(h, at) for at, h in enumerate(headers) if h and at not in reserved]
    if NAME in taken and headers[taken[NAME]] != NAME:
        named.append((NAME, taken[NAME]))
    return tuple(named)


def _no_phone(headers: tuple[str, ...]) -> str:
    seen = _shown([header for header in headers if header]) or "none"
    return (
        f"no column has the phone numbers; headers seen: {seen}."
        f" Name one of them {PHONE!r} (the first line must hold the headers)"
    )


def _shown(headers: Sequence[str]) -> str:
    """Headers for an error: a list without a header line would show people's data here."""
    shown = [repr(mask_text(header[:_SEEN_CHARACTERS])) for header in headers[:_SEEN_HEADERS]]
    more = len(headers) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
