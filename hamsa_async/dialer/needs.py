"""What the dialer needs besides the core, looked for before any of it is imported."""

from importlib.util import find_spec
from typing import Final

from hamsa_async.errors import ConfigurationError

_NEEDS: Final = ("filelock", "phonenumbers")
_MISSING: Final = [name for name in _NEEDS if find_spec(name) is None]

if _MISSING:
    raise ConfigurationError(
        f"the dialer needs {' and '.join(_MISSING)}, which {'is' if len(_MISSING) == 1 else 'are'}"
        " not installed: pip install 'hamsa-async[dialer]'"
    )
