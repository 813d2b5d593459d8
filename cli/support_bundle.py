"""`myceld support-bundle FILE`: what somebody needs who helps, without anything that is secret.

What goes in is a list of known parts, never a directory. Each part is scrubbed before it is
written: of the secrets that this cell has (they are read for that), and of what looks like one.
"""

from __future__ import annotations

import io
import json
import os
import platform
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click

from cli import show
from cli.doctor import examined
from cli.errors import BundleNotWritten
from cli.limits import BUNDLE_LOG_SIZE_BYTES_MAX, BUNDLE_LOGS_MAX
from cli.options import Common, common_options, expand
from cli.scrubbing import CONFIGURATIONS, Scrubber, masked_config
from cli.space import space_of
from core.errors import MyceldError
from identity.passphrase import PassphraseSource
from myceld.client import Client
from myceld.question import JsonObject
from myceld.version import VERSION

_TOLD: Final = {
    "doctor.json": "what is wrong, by `myceld doctor`",
    "status.json": "what the cell does",
    "services.json": "its services, and how each is",
    "peers.json": "the cells that it is connected to, and their addresses",
    "why-stall.json": "why nothing is ordered, if so",
    "metrics.txt": "what it measures",
    "journals.json": "names, lengths and signed heads of its journals",
    "space.json": "what takes room",
    "versions.json": "versions of the program, Python and the system",
    **dict.fromkeys(CONFIGURATIONS, "its configuration, with values that may be secret masked"),
    "genesis.json": "the network's public description",
}


@click.command("support-bundle")
@click.argument("file", metavar="FILE")
@common_options
def support_bundle(common: Common, file: str) -> None:
    """Write what somebody needs who helps you to FILE (tar.gz, mode 0600), without secrets.

    Holds the findings of the doctor, status, configuration, versions, sizes, metrics, the heads of
    the journals, and the end of the logs; manifest.json says what is what. No key, passphrase,
    token, ticket or text of a message is in it; names and addresses of cells are. Look through it
    before you send it on.

    \b
    Example:
      myceld support-bundle /tmp/cell.tar.gz
    """
    target = expand(file)
    if target.exists():
        raise BundleNotWritten(f"{target} is there already")
    parts = dict(_parts(common))
    if common.as_curl:
        return
    scrub = Scrubber.of(common.home)
    clean = {name: scrub.clean(text) for name, text in parts.items()}
    manifest = {
        "made_ns": time.time_ns(),
        "version": VERSION,
        "removed": scrub.removed,
        "parts": {
            name: {"is": _TOLD.get(name, "the end of a log"), "size_bytes": len(text.encode())}
            for name, text in clean.items()
        },
    }
    _write(target, {"manifest.json": json.dumps(manifest, indent=2) + "\n", **clean})
    if common.as_json:
        show.as_json({"path": str(target), **manifest})
        return
    show.line(f"wrote {target}, {show.size(target.stat().st_size)}, {len(clean)} parts")
    for name, part in manifest["parts"].items():  # type: ignore[attr-defined]  # made above
        show.line(f"  {name:<16} {part['is']}")
    show.line(f"{scrub.removed} secrets were removed. Look through it before you send it on.")


def _parts(common: Common) -> Iterator[tuple[str, str]]:
    """Yield names and texts of what goes in; what can not be had says why."""
    yield "versions.json", _as_text(_versions)
    yield "doctor.json", _as_text(lambda: examined(common, PassphraseSource()))
    yield "space.json", _as_text(lambda: space_of(common.home))
    asks: Mapping[str, Callable[[Client], Mapping[str, Any]]] = {
        "status.json": lambda cell: cell.status(),
        "services.json": lambda cell: cell.services(),
        "peers.json": lambda cell: cell.peers(),
        "journals.json": lambda cell: cell.journals(),
        "why-stall.json": lambda cell: cell.why_stall(),
    }
    for name, ask in asks.items():
        yield name, _as_text(lambda ask=ask: _asked(common, ask))  # type: ignore[misc]  # bound now
    yield "metrics.txt", _metrics(common)
    for name in CONFIGURATIONS:
        if (common.home / name).exists():
            yield name, masked_config(_read(common.home / name))
    yield "genesis.json", _read(common.home / "genesis.json")
    for path in _logs(common.home):
        yield f"log-{path.name}", _read(path)


def _asked(common: Common, ask: Callable[[Client], JsonObject]) -> JsonObject:
    with common.client() as cell:
        return ask(cell)


def _metrics(common: Common) -> str:
    try:
        with common.client() as cell:
            return cell.metrics()
    except MyceldError as error:
        return f"# {error}\n"


def _as_text(make: Callable[[], Any]) -> str:
    try:
        content = make()
    except MyceldError as error:
        content = {"error": str(error), "remedy": error.remedy}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _versions() -> dict[str, str]:
    return {
        "myceld": VERSION,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": str(os.cpu_count()),
    }


def _logs(home: Path) -> list[Path]:
    """Return the newest logs of the cell."""
    found = [
        path
        for folder in (home, home / "logs")
        if folder.is_dir()
        for path in folder.iterdir()
        if path.is_file() and ".log" in path.suffixes and path.suffix != ".gz"
    ]
    newest = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    return newest[:BUNDLE_LOGS_MAX]


def _read(path: Path) -> str:
    """Return the end of a text file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - BUNDLE_LOG_SIZE_BYTES_MAX))
            return file.read(BUNDLE_LOG_SIZE_BYTES_MAX).decode("utf-8", "replace")
    except OSError as error:
        return f"# {path}: {error.strerror}\n"


def _write(target: Path, parts: Mapping[str, str]) -> None:
    """Write the archive with mode 0600; it must not exist."""
    now_s = int(time.time())
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with (
            os.fdopen(descriptor, "wb") as raw,
            tarfile.open(fileobj=raw, mode="w:gz") as archive,
        ):
            for name, text in parts.items():
                data = text.encode()
                entry = tarfile.TarInfo(f"myceld-support/{name}")
                entry.size, entry.mode, entry.mtime = len(data), 0o600, now_s
                archive.addfile(entry, io.BytesIO(data))
    except OSError as error:
        raise BundleNotWritten(f"{target}: {error.strerror}") from error
