"""Which URLs may carry a secret: HTTPS ones, and any that stays on this machine."""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from hamsa_async.errors import ConfigurationError


def check_url(url: object, *, what: str) -> SplitResult:
    """Refuse a URL that would carry a secret in the clear past this machine.

    Raises:
        ConfigurationError: Not an http(s) URL with a host, or plain http to another machine.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"{what} must be a whole URL such as https://host; check it for typing mistakes"
        )
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        raise ConfigurationError(
            f"{what} must be https: plain http is for servers on this machine only"
        )
    return parts


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine."""
    return _is_this_machine(urlsplit(url).hostname or "")


def _split(url: object) -> SplitResult | None:
    """Take a URL apart; `None` where it is none, or has blanks that parsers disagree about."""
    if not isinstance(url, str) or any(char.isspace() or not char.isprintable() for char in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
