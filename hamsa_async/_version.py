"""The version, written once: the wheel's metadata and the User-Agent read it here."""

__version__ = "0.1.0"
