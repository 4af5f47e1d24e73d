"""Which URLs may carry a secret: HTTPS ones, and any that stays on this machine."""

import ipaddress
from urllib.parse import urlsplit

from hamsa_async.errors import ConfigurationError


def check_url(url: str, *, what: str) -> None:
    """Refuse a URL that would carry a secret in the clear past this machine.

    Raises:
        ConfigurationError: Not an http(s) URL with a host, or plain http to another machine.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except (ValueError, AttributeError, TypeError):
        host = None
        parts = None
    if parts is None or parts.scheme not in {"http", "https"} or not host:
        msg = f"{what} must be a whole URL such as https://host; check it for typing mistakes"
        raise ConfigurationError(msg)
    if parts.scheme == "http" and not is_loopback(url):
        msg = f"{what} must be https: plain http is for servers on this machine only"
        raise ConfigurationError(msg)


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
