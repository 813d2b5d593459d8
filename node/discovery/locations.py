"""Where a seed may be: on this disk, or on a server whose certificate is checked."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from node.errors import SeedRefused

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def check_location(location: str) -> None:
    """Raise SeedRefused unless this is a path, an https URL, or http on loopback."""
    if "://" not in location:
        if not location:
            raise SeedRefused("an empty text is no seed")
        return
    try:
        parts = urlsplit(location)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise SeedRefused(f"{location!r} is not a URL") from error
    plain = parts.scheme == "http" and host in _LOOPBACK
    if not host or not (parts.scheme == "https" or plain) or parts.username or parts.password:
        raise SeedRefused(f"{location!r}: a seed is a path or an https URL without a password")
