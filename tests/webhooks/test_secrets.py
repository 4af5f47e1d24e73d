"""Who is believed, and how little the time that it takes gives away."""

import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from hamsa_async import ConfigurationError, WebhookAuth, WebhookVerificationError
from hamsa_async.webhooks import Secrets, verify
from hamsa_async.webhooks import secrets as room

MASTER, OTHER = "m" * 32, "o" * 32
SHARED = Secrets(shared="s3cret")


def shown(auth: WebhookAuth) -> dict[str, str]:
    return {"Authorization": f"{auth.auth_key} {auth.auth_secret}"}


@pytest.mark.parametrize(
    "value",
    [
        "s3cret",
        "Token s3cret",
        "token s3cret",
        "Bearer s3cret",
        "bearer Bearer s3cret",
        "X-Whatever s3cret",
        "  Token   s3cret ",
    ],
)
def test_the_secret_in_each_of_its_forms(value: str) -> None:
    assert verify({"Authorization": value}, SHARED) is None


@pytest.mark.parametrize(
    "value",
    ["", "Token", "Token s3cre", "Token s3crett", "Token S3CRET", "s3cret x", "a b c s3cret"],
)
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        verify({"Authorization": value}, SHARED)
    assert "s3cre" not in str(caught.value)


def test_headers_of_every_kind() -> None:
    given_ = "Token s3cret"
    for headers in (
        {"authorization": given_},
        {"AUTHORIZATION": given_},
        CIMultiDict(Authorization=given_),
        [(b"host", b"x"), (b"authorization", given_.encode())],
    ):
        assert verify(headers, SHARED) is None


def test_no_header_and_two_are_refused() -> None:
    with pytest.raises(WebhookVerificationError, match="no Authorization"):
        verify({}, SHARED)
    twice = [(b"authorization", b"Token s3cret"), (b"Authorization", b"Token s3cret")]
    with pytest.raises(WebhookVerificationError, match="more than one"):
        verify(twice, SHARED)


def test_a_secret_with_blanks_in_it() -> None:
    secrets = Secrets(shared="two words")
    assert verify({"Authorization": "Token two words"}, secrets) is None
    assert verify({"Authorization": "bearer Bearer two words"}, secrets) is None


def test_several_secrets_while_one_takes_the_others_place() -> None:
    secrets = Secrets(shared=["new", "old"])
    for secret in ("new", "old"):
        assert verify({"Authorization": f"Token {secret}"}, secrets) is None


# -- a secret for each call


@pytest.mark.parametrize("reference", ["a1", "order-17", "a.b.c", "حجز ١", "x y", "%2E", "\ud800"])
def test_a_calls_secret_names_its_call(reference: str) -> None:
    secrets = Secrets(master=MASTER)
    auth = secrets.auth_for(reference)
    assert verify(shown(auth), secrets) == reference
    assert auth.auth_secret.isascii()
    assert auth.auth_secret.isprintable()
    assert " " not in auth.auth_secret


def test_a_calls_secret_is_the_same_each_time_and_another_for_each_call() -> None:
    secrets = Secrets(master=MASTER)
    assert secrets.auth_for("a1") == secrets.auth_for("a1")
    assert secrets.auth_for("a1") != secrets.auth_for("a2")
    assert Secrets(master=OTHER).auth_for("a1") != secrets.auth_for("a1")


def test_a_leaked_secret_opens_nothing_else() -> None:
    """With one call's secret nobody can speak of another, nor make one."""
    secrets = Secrets(master=MASTER)
    leaked = secrets.auth_for("a1").auth_secret
    mac = leaked.rpartition(".")[2]
    for forged in (
        f"a2.{mac}",
        f"a1.x.{mac}",
        f".{mac}",
        mac,
        f"a1.{mac[:-1]}",
        f"A1.{mac}",
        "a1.",
    ):
        with pytest.raises(WebhookVerificationError):
            verify({"Authorization": f"Token {forged}"}, secrets)


def test_a_master_secret_is_no_secret_of_a_webhook() -> None:
    for value in (MASTER, f"Token {MASTER}", f"Token a1.{MASTER}"):
        with pytest.raises(WebhookVerificationError):
            verify({"Authorization": value}, Secrets(master=MASTER, shared="x"))


def test_master_secrets_change_places() -> None:
    before, between, after = (
        Secrets(master=OTHER),
        Secrets(master=[MASTER, OTHER]),
        Secrets(master=MASTER),
    )
    assert between.auth_for("a1") == after.auth_for("a1")
    assert verify(shown(before.auth_for("a1")), between) == "a1"
    with pytest.raises(WebhookVerificationError):
        verify(shown(before.auth_for("a1")), after)


def test_a_call_is_named_where_both_kinds_are_known() -> None:
    secrets = Secrets(master=MASTER, shared="s3cret")
    assert verify({"Authorization": "Token s3cret"}, secrets) is None
    assert verify(shown(secrets.auth_for("a1")), secrets) == "a1"


@given(st.text(min_size=1, max_size=40))
def test_every_reference_survives(reference: str) -> None:
    secrets = Secrets(master=MASTER)
    assert verify(shown(secrets.auth_for(reference)), secrets) == reference


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_any_header_is_judged(value: str) -> None:
    """No header is an error other than our own."""
    with pytest.raises(WebhookVerificationError):
        verify({"Authorization": value}, Secrets(master=MASTER, shared="s" * 40))


@given(st.lists(st.tuples(st.binary(), st.binary())))
def test_any_raw_headers_are_judged(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(WebhookVerificationError):
        verify(headers, Secrets(master=MASTER, shared="s" * 40))


# -- what the time tells


class Compared:
    """Counts what is compared, and how long it is."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []
        self._compare = hmac.compare_digest

    def __call__(self, left: Any, right: Any) -> bool:
        self.pairs.append((left, right))
        return self._compare(left, right)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Compared:
    counter = Compared()
    monkeypatch.setattr(room.hmac, "compare_digest", counter)
    return counter


def test_whichever_secret_fits_everything_is_compared(compared: Compared) -> None:
    """First, last or none: as many comparisons, each of digests of one length."""
    secrets = Secrets(shared=["one", "two", "three"], master=[MASTER, OTHER])
    last = Secrets(master=OTHER).auth_for("a1").auth_secret
    first = Secrets(master=MASTER).auth_for("a1").auth_secret
    counts = set()
    for secret in ("one", "three", "none", "o", first, last, f"a1.{'x' * 32}"):
        compared.pairs.clear()
        try:
            verify({"Authorization": f"Token {secret}"}, secrets)
        except WebhookVerificationError:
            assert secret in {"none", "o", f"a1.{'x' * 32}"}
        counts.add(len(compared.pairs))
        assert {len(part) for pair in compared.pairs for part in pair} == {32}
    # Three places in the header, by three shared and two master secrets.
    assert counts == {3 * (3 + 2)}


# -- secrets that cannot work


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "shared or a master secret"),
        ({"shared": []}, "shared or a master secret"),
        ({"shared": ""}, "empty"),
        ({"shared": ["good", " "]}, "blank"),
        ({"shared": "trailing "}, "blank"),
        ({"shared": "سر"}, "printable ASCII"),
        ({"shared": "two\nlines"}, "printable ASCII"),
        ({"shared": [5]}, "printable ASCII"),
        ({"shared": None}, "printable ASCII"),
        ({"master": "short"}, "32 characters"),
    ],
)
def test_a_secret_that_cannot_work_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        Secrets(**arguments)
    assert "short" not in str(caught.value).replace("give a short", "")


def test_only_a_master_secret_makes_secrets() -> None:
    with pytest.raises(ConfigurationError, match="master"):
        SHARED.auth_for("a1")
    for reference in ("", None, "x" * 600):
        with pytest.raises(ConfigurationError, match="reference"):
            Secrets(master=MASTER).auth_for(reference)  # type: ignore[arg-type]


def test_no_repr_shows_a_secret() -> None:
    assert "s3cret" not in repr(SHARED)
    assert MASTER not in repr(Secrets(master=MASTER))
