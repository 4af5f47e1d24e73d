"""The aiohttp session a client sends over: one of its own, or one that it was lent."""

# Both are what the loop needs to look up the API's name: it would import them then and there.
import concurrent.futures.thread  # noqa: F401
import contextlib
import encodings.idna  # noqa: F401
import logging
import urllib.request
from typing import Final

import aiohttp
from yarl import URL

from hamsa_async._urls import is_loopback
from hamsa_async.errors import ConfigurationError

log: logging.Logger = logging.getLogger("hamsa_async")

# A bare Node server closes an idle connection after 5 s. Keeping ours for less is what keeps a
# request from leaving on a connection that the server is just closing: the one setting that
# takes out most of the doubt.
KEEP_ALIVE: Final = 4.0  # seconds

# Said of every body alike, our bodies would be cut short or misread; with `expect` a request
# would have begun before it is known to be handed to a connection.
_FRAMING: Final = frozenset({"content-encoding", "content-length", "expect", "transfer-encoding"})


def open_session() -> aiohttp.ClientSession:
    """Make a session for one client on the running loop."""
    return aiohttp.ClientSession(
        # Our slots are the only queue: a connection waited for would count as response time and
        # end in a timeout that proves nothing.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def limit_of_borrowed(session: aiohttp.ClientSession, limit: int) -> int:
    """Fit our bound to a borrowed session's pool, and refuse a session that cannot serve."""
    if session.closed:
        raise ConfigurationError("the session is closed; nothing can be sent over it")
    if session.auth is not None:
        raise ConfigurationError(
            "the session has auth= set, which clashes with the API key's header; use another"
        )
    if framing := sorted(_FRAMING & {name.lower() for name in session.headers}):
        raise ConfigurationError(
            f"the session sends {', '.join(framing)} with every request, which is not true of ours;"
            " use another"
        )
    connector = session.connector
    pools = [limit]
    if connector is not None:
        pools += [size for size in (connector.limit, connector.limit_per_host) if size > 0]
    if min(pools) < limit:
        log.warning(
            "the borrowed session's pool holds %d connections: concurrency_limit lowered from %d",
            min(pools),
            limit,
            extra={"action": "concurrency_lowered"},
        )
    return min(pools)


def proxy_for(base_url: str) -> str | None:
    """Read the proxy environment once: `trust_env` would read it at every request.

    Raises:
        ConfigurationError: It names a proxy that HTTP cannot use.
    """
    url = URL(base_url)
    if is_loopback(base_url):
        return None
    with contextlib.suppress(OSError):
        if url.host and urllib.request.proxy_bypass(url.host):
            return None
    proxy = urllib.request.getproxies().get(url.scheme)
    if proxy is not None and not proxy.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"the proxy that {url.scheme}_proxy names must be a URL that begins with http://"
        )
    return proxy
