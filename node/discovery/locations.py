"""Where a seed may be: on this disk, or on a server whose certificate is checked."""

from __future__ import annotations

from node.errors import SeedRefused
from settings.checks import wrong_seed


def check_location(location: str) -> None:
    """Raise SeedRefused unless this is a path, an https URL, or http on loopback."""
    wrong = wrong_seed(location)
    if wrong is not None:
        raise SeedRefused(wrong)
