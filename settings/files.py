"""Configuration files: read safely with all that they extend.

A file must be regular, of a bounded size, and not writable by others: what it says can have
commands run. `extends` is relative to the file that says it, or names a profile that is shipped.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from settings.documents import Layer, Reading, assemble, layer_of
from settings.errors import BadConfig
from settings.limits import FILE_SIZE_BYTES_MAX, FILES_MAX
from settings.profiles import PROFILE, profile_names, read_profile

_Document = TypeVar("_Document")


def load(path: Path, environment: Mapping[str, str], document: type[_Document]) -> _Document:
    """Return the configuration in a file, with all that it extends, overridden by variables.

    Raises BadConfig.
    """
    return inspect(path, environment, document).must()


def load_file(path: Path, environment: Mapping[str, str], document: type[_Document]) -> _Document:
    """Return the configuration in a file as `load` does, but not overridden by variables.

    Those that stand in its values are put in. Raises BadConfig.
    """
    return assemble(document, read_layers(path, environment, document), {}).must()


def inspect(
    path: Path, environment: Mapping[str, str], document: type[_Document]
) -> Reading[_Document]:
    """Return the configuration with where each value comes from, or all that is wrong.

    Raises BadConfig for a file that can not be read at all.
    """
    return assemble(document, read_layers(path, environment, document), environment)


def read_layers(path: Path, environment: Mapping[str, str], document: type) -> list[Layer]:
    """Return the layers of a file, the base of all first; raises BadConfig."""
    layers: list[Layer] = []
    seen: set[str] = set()
    place: Path | str = path
    while True:
        if isinstance(place, Path):
            known, data = str(place.resolve()), read_file(place)
        else:
            known, data = place, read_profile(place)
        if known in seen:
            raise BadConfig(f"{layers[-1].place}: extends {place}, which extends this file")
        if len(seen) == FILES_MAX:
            raise BadConfig(f"{layers[-1].place}: more than {FILES_MAX} files extend one another")
        seen.add(known)
        layer = layer_of(document, data, str(place), environment)
        layers.append(layer)
        if layer.extends is None:
            return layers[::-1]
        place = _next(place, layer.extends)


def read_file(path: Path) -> bytes:
    """Return the bytes of a configuration file; raises BadConfig."""
    try:
        # Not blocking: what is no file, such as a pipe, is told instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _check_status(path, os.fstat(descriptor))
            data = _read(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}") from error
    if len(data) > FILE_SIZE_BYTES_MAX:
        raise BadConfig(f"{path} is larger than {FILE_SIZE_BYTES_MAX} bytes")
    return data


def _read(descriptor: int) -> bytes:
    """Return all bytes of a regular file, or some more than are taken."""
    data = b""
    while len(data) <= FILE_SIZE_BYTES_MAX and (more := os.read(descriptor, FILE_SIZE_BYTES_MAX)):
        data += more
    return data


def _check_status(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "no file"
        raise BadConfig(f"{path} is {kind}")
    by_group = status.st_mode & stat.S_IWGRP and status.st_gid != os.getegid()
    if status.st_mode & stat.S_IWOTH or by_group:
        raise BadConfig(f"{path} can be written by others: chmod go-w")


def _next(place: Path | str, extends: str) -> Path | str:
    """Return what a file extends: a path, or `profile:NAME`."""
    if extends.startswith(PROFILE):
        if extends.removeprefix(PROFILE) not in profile_names():
            known = ", ".join(profile_names())
            raise BadConfig(f"{place}: extends {extends}, but the profiles are {known}")
        return extends
    if not isinstance(place, Path):
        raise BadConfig(f"{place}: a profile extends no file")
    return place.parent / Path(extends).expanduser()
