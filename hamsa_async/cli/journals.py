"""Which journal is meant, and which campaign of it."""

import shlex
import unicodedata
from pathlib import Path

import platformdirs

from hamsa_async.errors import ConfigurationError, JournalError


def read_name(text: str | None) -> str:
    """Read a campaign's name: the same name however it is typed.

    Raises:
        ConfigurationError: There is none.
    """
    if text is None:
        raise ConfigurationError(
            "--name is needed: it names the campaign in the journal, and resumes it"
        )
    name = unicodedata.normalize("NFC", text).strip()
    if not name or not name.isprintable():
        raise ConfigurationError("a campaign's name must be printable, and not empty")
    return name


def find_journal(path: Path | None, *, make_folder: bool = False) -> Path:
    """The journal's path: the one given, else the user's own.

    Raises:
        JournalError: The user's own is not there, or its folder cannot be made.
    """
    if path is not None:
        return path
    folder = platformdirs.user_data_path("hamsa")
    if not (make_folder or folder.is_dir()):
        raise JournalError(f"there is no journal at {folder / 'journal.db'} yet; see --journal")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(
            f"the folder {folder} cannot be made ({error.strerror}); choose a journal with"
            " --journal"
        ) from error
    return folder / "journal.db"


def journal_option(path: Path | None) -> str:
    """The option that names a journal again in an advice; nothing for the user's own."""
    return "" if path is None else f" --journal {shlex.quote(str(path))}"
