"""What can be set is checked when it is set: URL, region, times, limits."""

import math
from typing import Any

import pytest

from hamsa_async import ClientConfig, ConfigurationError, HamsaClient, RetryPolicy, Timeouts
from hamsa_async._sessions import proxy_for
from hamsa_async.config import REGIONS, resolve_base_url


def test_without_a_word_it_is_hamsas_eu_region() -> None:
    """The documented host is the default."""
    assert HamsaClient("k").config.base_url == "https://api.tryhamsa.com"


@pytest.mark.parametrize(("name", "url"), [*REGIONS.items(), (" UAE ", REGIONS["uae"])])
def test_a_region_is_a_host(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By argument and by `HAMSA_REGION`."""
    assert HamsaClient("k", region=name).config.base_url == url
    monkeypatch.setenv("HAMSA_REGION", name)
    assert HamsaClient("k").config.base_url == url


def test_the_base_url_of_the_environment_goes_before_the_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And arguments go before both."""
    monkeypatch.setenv("HAMSA_REGION", "uae")
    monkeypatch.setenv("HAMSA_BASE_URL", "https://env.example/")
    assert resolve_base_url(None, None) == "https://env.example/"
    assert HamsaClient("k").config.base_url == "https://env.example"
    assert resolve_base_url("https://arg.example", None) == "https://arg.example"
    assert resolve_base_url(None, "eu") == REGIONS["eu"]


def test_an_unknown_region_and_two_servers_at_once_are_refused() -> None:
    """The text names the regions there are."""
    with pytest.raises(ConfigurationError, match="eu, uae"):
        HamsaClient("k", region="mars")
    with pytest.raises(ConfigurationError, match="not both"):
        HamsaClient("k", region="eu", base_url="https://a.example")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://localhost",
        "http://fake.localhost:1",
        "http://[::1]:8000",
        "https://api.example",
        "https://api.example:8443/prefix",
    ],
)
def test_https_or_this_machine(url: str) -> None:
    """Plain HTTP is for loopback hosts; a last slash is forgiven."""
    assert ClientConfig(base_url=url).base_url == url
    assert ClientConfig(base_url=f"{url}/").base_url == url
    assert ClientConfig(base_url=url).is_loopback == url.startswith("http:")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.tryhamsa.com",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://10.0.0.1",
        "ftp://api.example",
        "api.tryhamsa.com",
        "https://",
        "https://host:port",
        "https://ho st",
        " https://host",
        "https://host\n",
        "https://user:hunter2@host",
        "https://host?key=hunter2",
        "https://host#hunter2",
        "",
        None,
        7,
    ],
)
def test_a_url_that_cannot_serve_is_refused_and_not_repeated(url: Any) -> None:
    """A key never leaves in the clear, and a secret in a URL is not shown."""
    with pytest.raises(ConfigurationError) as caught:
        ClientConfig(base_url=url)
    assert "hunter2" not in repr(caught.value)


NUMBERS = [
    (Timeouts, "response", 0),
    (Timeouts, "connect", 0),
    (Timeouts, "deadline", 0),
    (RetryPolicy, "wait_initial", -1),
    (RetryPolicy, "wait_max", -1),
    (RetryPolicy, "budget", 1.1),
    (RetryPolicy, "cooldown", 0),
    (RetryPolicy, "attempts", 0),
    (RetryPolicy, "attempts", 1.5),
    (ClientConfig, "concurrency_limit", 0),
    (ClientConfig, "concurrency_limit", 2.5),
    (ClientConfig, "rate", 0),
    (ClientConfig, "grace_period", -1),
]


@pytest.mark.parametrize(("kind", "name", "bad"), NUMBERS)
@pytest.mark.parametrize("also", [None, True, "1", math.nan, math.inf])
def test_a_number_that_cannot_work_is_refused_by_name(
    kind: type[Any], name: str, bad: Any, also: Any
) -> None:
    """Out of range, not finite, or no number at all."""
    for value in (bad, also):
        if (name, value) == ("rate", None):
            continue  # unpaced
        with pytest.raises(ConfigurationError, match=name):
            kind(**{name: value})


@pytest.mark.parametrize("name", ["timeouts", "retry"])
def test_a_part_of_the_wrong_kind_is_refused(name: str) -> None:
    """A number is no `Timeouts`."""
    with pytest.raises(ConfigurationError, match=name):
        ClientConfig(**{name: 5})


@pytest.mark.parametrize("scheme", ["", "To ken", "Tökén", "a\n", None])
def test_a_scheme_is_one_ascii_word(scheme: Any) -> None:
    """It stands in a header."""
    with pytest.raises(ConfigurationError, match="auth_scheme"):
        ClientConfig(auth_scheme=scheme)


def test_values_are_frozen_and_keyword_only() -> None:
    """What was checked cannot be changed afterwards."""
    with pytest.raises(AttributeError):
        Timeouts().response = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        Timeouts(1.0)  # type: ignore[misc]


def test_the_proxy_environment_is_read_once_and_not_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`no_proxy` counts, loopback is never proxied, and what is no proxy is refused by name."""
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    assert proxy_for("https://api.invalid") == "http://proxy.invalid:3128"
    assert proxy_for("http://127.0.0.1:1") is None
    monkeypatch.setenv("no_proxy", "api.invalid")
    assert proxy_for("https://api.invalid") is None
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("https_proxy", "socks5://user:hunter2@proxy.invalid")
    with pytest.raises(ConfigurationError, match="https_proxy") as caught:
        HamsaClient("k", base_url="https://api.invalid")
    assert "hunter2" not in str(caught.value)
