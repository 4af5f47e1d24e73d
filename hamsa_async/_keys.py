"""Where the API key comes from, and what to do when it is refused."""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from hamsa_async.errors import Certainty, ConfigurationError, HamsaError, NotSentError

KeyCallable = Callable[[], Awaitable[str]]

_HOW = (
    "set HAMSA_API_KEY, or HAMSA_API_KEY_FILE to a file that holds it, or pass api_key="
    " (a text or an async callable)"
)


class KeySource:
    """An API key: a text, a file or an async callable. Its `repr` shows which, never the key."""

    def __init__(
        self,
        *,
        origin: str,
        text: str | None = None,
        file: Path | None = None,
        ask: KeyCallable | None = None,
    ) -> None:
        self.origin = origin
        """Where the key comes from, for people."""
        self._text = text
        self._file = file
        self._ask = ask
        self._renewing = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<KeySource {self.origin}>"

    @classmethod
    def find(cls, api_key: str | KeyCallable | None) -> "KeySource":
        """Take the key given, else look into the environment.

        Raises:
            ConfigurationError: There is no key, or its file cannot be read.
        """
        if callable(api_key):
            return cls(origin="a callable", ask=api_key)
        if api_key is not None:
            return cls(origin="a text", text=_checked(api_key))
        if text := os.environ.get("HAMSA_API_KEY"):
            return cls(origin="HAMSA_API_KEY", text=_checked(text))
        if name := os.environ.get("HAMSA_API_KEY_FILE"):
            file = Path(name)
            return cls(origin=f"HAMSA_API_KEY_FILE ({file})", text=_read(file), file=file)
        raise ConfigurationError(f"there is no API key: {_HOW}")

    @property
    def fixed(self) -> str | None:
        """The key, where it is known without asking anybody."""
        return self._text

    async def get(self) -> str:
        """Give the key to use now.

        Raises:
            ConfigurationError: The callable gave something that is no key.
            NotSentError: The callable failed; its own exception is the cause.
        """
        if self._ask is None:
            assert self._text is not None
            return self._text
        try:
            asked = self._ask()
            if inspect.isawaitable(asked):
                return _checked(await asked)
        except HamsaError:
            raise
        except Exception as error:
            raise NotSentError(
                f"the api_key callable failed ({type(error).__name__}); nothing was sent",
                certainty=Certainty.NOT_SENT,
            ) from error
        raise ConfigurationError("the api_key callable must be async (`async def`)")

    async def renew(self, refused: str) -> bool:
        """After a 401: look once more. Whether there is another key now.

        A source that cannot be read at this moment has no other key: the 401 is what counts.
        """
        try:
            # Many calls are refused together when a key is rotated; one looks for them all.
            async with self._renewing:
                if self._file is not None and self._text == refused:
                    self._text = await asyncio.to_thread(_read, self._file)
            return await self.get() != refused
        except HamsaError:
            return False


def _read(file: Path) -> str:
    try:
        return _checked(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        raise ConfigurationError(
            f"the file that HAMSA_API_KEY_FILE names cannot be read ({reason}): {file}"
        ) from None


def _checked(key: object) -> str:
    """Refuse what cannot stand in a header; never repeat it."""
    text = key.strip() if isinstance(key, str) else ""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigurationError(f"the API key is empty or has characters that no key has: {_HOW}")
    return text
