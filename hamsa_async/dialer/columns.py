"""What the columns of a contact list mean, judged by their headers alone.

Pure: no file, no row. Headers are recognised whatever their case, spaces, `_`, `-` and
invisible marks. Where two could be meant, that is an error and never a guess.
"""

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from hamsa_async._masking import mask_text
from hamsa_async.errors import ConfigurationError, ContactListError

PHONE: Final = "phone_number"
NAME: Final = "name"

REFERENCE: Final = "_hamsa_reference"
"""The key under which the dialer itself ties a call to its attempt: nobody's column."""

FIELDS: Final = (
    "contact_id",
    "country",
    "timezone",
    "from_number",
    "agent_id",
    "not_before",
    "not_after",
    "consent",
    "consent_at",
    "consent_source",
    "dnc",
    "priority",
    "max_attempts",
)
"""Reserved columns, besides the phone number and the name."""

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
    NAME: ("name", "الاسم", "اسم"),
    "contact_id": ("contact_id", "معرف العميل", "معرف جهة الاتصال"),
    "country": ("country", "region", "الدولة", "البلد"),
    "timezone": ("timezone", "time_zone", "المنطقة الزمنية"),
    "from_number": ("from_number", "caller_number", "caller_id", "رقم المتصل"),
    "agent_id": ("agent_id", "voice_agent_id", "معرف الوكيل"),
    "not_before": ("not_before", "ليس قبل"),
    "not_after": ("not_after", "ليس بعد"),
    "consent": ("consent", "الموافقة", "موافقة"),
    "consent_at": ("consent_at", "consent_date", "تاريخ الموافقة"),
    "consent_source": ("consent_source", "مصدر الموافقة"),
    "dnc": ("dnc", "do_not_call", "عدم الاتصال", "لا تتصل"),
    "priority": ("priority", "الأولوية"),
    "max_attempts": ("max_attempts", "عدد المحاولات"),
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


RESERVED: Final = frozenset(_ALIASES)
"""The names that mean something to the dialer."""


def _texts(given: Iterable[str]) -> frozenset[str]:
    return frozenset(given)


@attrs.frozen(kw_only=True)
class Naming:
    """What is said about the columns besides their headers.

    Attributes:
        named: What a header is taken for: a reserved name (`phone_number`, `timezone`, ...) or
            the name of a param. It outranks every alias. Headers in any of their spellings.
        ignored: Headers of columns that are not read at all.
        variables: What the agent's texts ask for (`{{variable}}`). A reserved column that is
            named there is passed to the agent as well.
    """

    named: Mapping[str, str] = attrs.field(factory=dict)
    ignored: frozenset[str] = attrs.field(default=frozenset(), converter=_texts)
    variables: frozenset[str] = attrs.field(default=frozenset(), converter=_texts)

    def __attrs_post_init__(self) -> None:
        both = {_key(name) for name in self.named} & {_key(name) for name in self.ignored}
        if both:
            raise ConfigurationError("a column cannot be both mapped and ignored")
        if any(not trim(name) for name in self.named.values()):
            raise ConfigurationError("a column cannot be mapped to nothing: ignore it instead")
        if REFERENCE in map(trim, self.named.values()):
            raise ConfigurationError(f"the param {REFERENCE!r} is reserved for the dialer itself")

    def names_phone(self, header: str) -> bool:
        """Whether the phone number stands below this header."""
        return self.meaning_of(header) == PHONE

    def meaning_of(self, header: str) -> str | None:
        """The reserved name that a header stands for, if any."""
        key = _key(header)
        if key in self._ignored_keys:
            return None
        named = self._named_keys.get(key)
        if named is not None:
            return named if named in RESERVED else None
        meaning = _MEANINGS.get(key)
        return None if meaning in self._spoken_for else meaning

    def param_of(self, header: str) -> str | None:
        """The name under which a column is passed to the agent; `None` where it is ignored."""
        key = _key(header)
        return None if key in self._ignored_keys else self._named_keys.get(key, header)

    def unheard(self, headers: Iterable[str]) -> list[str]:
        """The headers that are spoken of here and do not exist."""
        there = set(map(_key, headers))
        return [name for name in (*self.named, *self.ignored) if _key(name) not in there]

    @functools.cached_property
    def _ignored_keys(self) -> frozenset[str]:
        return frozenset(map(_key, self.ignored))

    @functools.cached_property
    def _named_keys(self) -> Mapping[str, str]:
        return {_key(header): trim(name) for header, name in self.named.items()}

    @functools.cached_property
    def _spoken_for(self) -> frozenset[str]:
        """The meanings that were given by name: an alias does not compete with them."""
        return frozenset(self._named_keys.values()) & RESERVED


AS_WRITTEN: Final = Naming()
"""Nothing is said: the headers alone decide."""


@attrs.frozen(kw_only=True)
class Columns:
    """Which column of a list is what. Positions count from 0.

    Attributes:
        headers: The headers as written, without invisible marks and surrounding spaces.
        phone: The position of the phone number.
        fields: The position of each reserved column, by its own name (`contact_id`, `country`,
            `dnc`, ...).
        params: Which column is passed to the agent under which name. The name column is there
            as `name` and, where its header is another, under that one too; so is every other
            reserved column that the agent asks for.
        nameless: Positions with no header: no value may stand below them.
        choices: Which header was taken for what, for a notice: `{"phone_number": "الجوال"}`.
        ignored: The headers of columns that are left out because somebody said so.
        notices: What else whoever gave the list should know of how it was read, as sentences.
    """

    headers: tuple[str, ...]
    phone: int = attrs.field()
    fields: Mapping[str, int]
    params: tuple[tuple[str, int], ...]
    nameless: tuple[int, ...]
    choices: Mapping[str, str]
    ignored: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @phone.validator
    def _phone_is_a_column(self, _attribute: object, position: int) -> None:
        if not 0 <= position < len(self.headers):
            raise ValueError(f"there is no column {position} among {len(self.headers)}")


def is_phone_header(name: str) -> bool:
    """Whether a header is one of those that the phone number is recognised by."""
    return _MEANINGS.get(_key(name)) == PHONE


def read_header(
    names: Iterable[str], naming: Naming = AS_WRITTEN, *, whole: bool = True
) -> Columns:
    """Say what each column of a list is.

    Args:
        names: The headers.
        naming: What else is said about them.
        whole: Whether these are all headers of the list, so that one that `naming` speaks of
            must be there. (The next mapping may have other keys.)

    Raises:
        ContactListError: No column or more than one could be the phone number; a header stands
            there twice, or two mean the same reserved column; a header is one that the dialer
            keeps for itself; `naming` speaks of a header that is not there. The text says
            which, and the way out.
    """
    headers = tuple(map(trim, names))
    _refuse_repeated(headers)
    _refuse_kept(headers)
    if whole:
        _refuse_unheard(headers, naming)
    taken = _taken(headers, naming)
    if PHONE not in taken:
        raise ContactListError(_no_phone(headers))
    ignored = tuple(h for h in headers if h and naming.param_of(h) is None)
    return Columns(
        headers=headers,
        phone=taken[PHONE],
        fields={name: at for name, at in taken.items() if name in _FIELDS},
        params=_params(headers, taken, naming),
        nameless=tuple(at for at, header in enumerate(headers) if not header),
        choices={name: headers[at] for name, at in taken.items()},
        ignored=ignored,
    )


_FIELDS: Final = frozenset(FIELDS)


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


def _refuse_unheard(headers: tuple[str, ...], naming: Naming) -> None:
    unheard = naming.unheard(headers)
    if unheard:
        raise ContactListError(
            f"there is no column {_shown(unheard)} to map or to ignore; headers seen:"
            f" {_seen(headers)}"
        )


def _taken(headers: tuple[str, ...], naming: Naming) -> dict[str, int]:
    """The position of each column that means something to the dialer."""
    taken: dict[str, int] = {}
    for at, header in enumerate(headers):
        meaning = naming.meaning_of(header)
        if meaning is None:
            continue
        if meaning in taken:
            first, second = headers[taken[meaning]], header
            raise ContactListError(
                f"two columns could be {meaning}: {_shown([first, second])}; rename or ignore the"
                f" one that is not (--ignore), or name the one that is"
                f" (--map {_shown([first])}={meaning})"
            )
        taken[meaning] = at
    return taken


def _params(
    headers: tuple[str, ...], taken: Mapping[str, int], naming: Naming
) -> tuple[tuple[str, int], ...]:
    reserved = {at: name for name, at in taken.items()}
    named: list[tuple[str, int]] = []
    for at, header in enumerate(headers):
        meaning = reserved.get(at)
        param = naming.param_of(header) if header else None
        if param is None:
            continue
        if meaning is None:
            named.append((param, at))
        elif meaning == NAME or {header, meaning} & naming.variables:
            named += [(name, at) for name in dict.fromkeys((header, meaning))]
    twice = [name for name, count in Counter(name for name, _ in named).items() if count > 1]
    if twice:
        raise ContactListError(
            f"two columns would be passed to the agent as {_shown(twice)}: rename, --map or"
            " --ignore one of them"
        )
    return tuple(named)


def _no_phone(headers: tuple[str, ...]) -> str:
    return (
        f"no column has the phone numbers; headers seen: {_seen(headers)}."
        f" Name one of them {PHONE!r}, or say which it is (--map HEADER={PHONE});"
        " the first line must hold the headers (else --header-row)"
    )


def _seen(headers: tuple[str, ...]) -> str:
    return _shown([header for header in headers if header]) or "none"


def _shown(headers: Sequence[str]) -> str:
    """Headers for an error: a list without a header line would show people's data here."""
    shown = [repr(mask_text(header[:_SEEN_CHARACTERS])) for header in headers[:_SEEN_HEADERS]]
    more = len(headers) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
