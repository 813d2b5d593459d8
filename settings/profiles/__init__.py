"""The profiles that are shipped: configurations to extend, as `extends: profile:NAME`."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from settings.errors import BadConfig

PROFILE: Final = "profile:"
_SUFFIX: Final = ".yaml"
_NAMES: Final = ("default", "server", "lowpower", "test")


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles."""
    return _NAMES


def read_profile(place: str) -> bytes:
    """Return the YAML of `profile:NAME`; raises BadConfig."""
    name = place.removeprefix(PROFILE)
    if name not in _NAMES:
        raise BadConfig(f"{place}: no profile, there are {', '.join(_NAMES)}")
    return files(__package__).joinpath(name + _SUFFIX).read_bytes()
