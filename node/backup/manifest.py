"""What a backup says of itself, and which files it holds."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Final

from core.json_text import NotJson, parse_json
from node.backup.archive import FORMAT
from node.errors import BackupUnreadable

FILES: Final = ("config.yaml", "genesis.json", "cell.db", "key.json")
"""Of a cell, in the order in which they are put in place: the key last, it makes it a cell."""
MANIFEST_SIZE_BYTES_MAX: Final = 1 << 20
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a backup."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. Its heads and rounds are checked against what is in it."""

    version: str
    """Of the program that made it."""
    cell_id: str
    network_id: str
    network_name: str
    made_ns: int
    home: str
    """The directory that it was made of."""
    host: str
    round_applied: int
    round_certified: int
    header_hash: str
    """Of the last applied round."""
    state_root: str
    heads: dict[str, str]
    """The signed head of each journal."""
    files: tuple[StoredFile, ...]

    def encode(self) -> bytes:
        """Return the JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False).encode()


def decode_manifest(data: bytes) -> Manifest:
    """Return the manifest in JSON; raises BackupUnreadable."""
    try:
        content = parse_json(data)
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise BackupUnreadable("its manifest is not one of this version")
        files = tuple(StoredFile(**item) for item in content.pop("files"))
        manifest = Manifest(**content, files=files)
    except (NotJson, KeyError, TypeError) as error:
        raise BackupUnreadable("its manifest can not be read") from error
    if not isinstance(manifest.heads, dict) or not _is_sound(manifest):
        raise BackupUnreadable("its manifest says something impossible")
    return manifest


def _is_sound(manifest: Manifest) -> bool:
    texts = (
        manifest.version,
        manifest.cell_id,
        manifest.network_name,
        manifest.home,
        manifest.host,
        *manifest.heads,
        *manifest.heads.values(),
    )
    numbers = [manifest.made_ns, manifest.round_applied, manifest.round_certified]
    numbers += [file.size_bytes for file in manifest.files]
    hashes = [manifest.network_id, manifest.header_hash, manifest.state_root]
    hashes += [file.sha256 for file in manifest.files]
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(number) is int and number >= 0 for number in numbers)
        and all(isinstance(one, str) and _HEX.fullmatch(one) for one in hashes)
        and tuple(file.name for file in manifest.files) == FILES
    )
