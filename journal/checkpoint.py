"""Signed heads of a journal, as C2SP tlog-checkpoint in signed-note text.

    <cell id>/<journal>/<fork>
    <size in decimal>
    <root, base64>

    — <cell id>/<journal>/<fork> <base64 of 4 bytes key id and 64 bytes Ed25519 signature>

What is signed is everything up to and including the newline before the empty line. Lines of other
signers (witnesses) may follow; they are kept and not judged here. Reading is strict: one text per
head, no extension lines. This module signs by a callback and holds no key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from nacl.exceptions import BadSignatureError, CryptoError
from nacl.signing import VerifyKey

from core.errors import check
from core.ids import Hash, PublicKey, Signature
from core.limits import HASH_SIZE_BYTES, INT_MAX, SIGNATURE_SIZE_BYTES
from journal.errors import HeadRefused, NotAJournalName
from journal.limits import (
    HEAD_LINE_LENGTH_MAX,
    HEAD_SIGNATURES_MAX,
    HEAD_TEXT_SIZE_BYTES_MAX,
    JOURNAL_NAME_LENGTH_MAX,
    ORIGINS_CACHED_MAX,
)

Sign: TypeAlias = Callable[[bytes], bytes]
"""The bytes to sign -> 64 bytes, Ed25519."""

KEY_ID_SIZE_BYTES: Final = 4
"""Every signature line begins with this much of a hash of its key."""

KIND_ED25519: Final = b"\x01"
"""Signature type of signed notes: Ed25519 over the text."""

_DASH: Final = "\N{EM DASH} "
_NAME: Final = re.compile(rf"[a-z][a-z0-9_-]{{0,{JOURNAL_NAME_LENGTH_MAX - 1}}}")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_ORIGIN: Final = re.compile(
    rf"([1-9A-HJ-NP-Za-km-z]{{1,64}})/({_NAME.pattern})/({_DECIMAL.pattern})"
)
_KEY_NAME: Final = re.compile(r"[^\s+\x00-\x1f\x7f]{1,256}")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the signer's name, 4 bytes of key id, and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A parsed head. Nothing about it is true before `verify_checkpoint` returned it."""

    cell_id: str
    journal: str
    fork: int
    size: int
    root: Hash
    signatures: tuple[NoteSignature, ...]

    @property
    def origin(self) -> str:
        """Return `<cell id>/<journal>/<fork>`."""
        return f"{self.cell_id}/{self.journal}/{self.fork}"


def check_journal_name(name: str) -> str:
    """Return `name`, or raise NotAJournalName."""
    if not _NAME.fullmatch(name):
        raise NotAJournalName(f"{name[:64]!r} is not a journal name")
    return name


@lru_cache(maxsize=ORIGINS_CACHED_MAX)
def key_id_of(name: str, public_key: PublicKey, kind: bytes = KIND_ED25519) -> bytes:
    """Return the 4 bytes that name a key: SHA-256(name || 0x0A || kind || public key)[:4]."""
    seed = name.encode("utf-8") + b"\n" + kind + public_key
    return hashlib.sha256(seed).digest()[:KEY_ID_SIZE_BYTES]


def sign_checkpoint(origin: str, size: int, root: Hash, public_key: PublicKey, sign: Sign) -> str:
    """Return the text of a head signed by the journal's own cell.

    The signature is the callback's; it is not checked here.
    """
    body = format_body(origin, size, root)
    signature = sign(body.encode("ascii"))
    check(len(signature) == SIGNATURE_SIZE_BYTES, "an Ed25519 signature is 64 bytes")
    return f"{body}\n{signature_line(origin, key_id_of(origin, public_key), signature)}"


def format_body(origin: str, size: int, root: Hash) -> str:
    """Return the three lines of a head, which its signatures are over."""
    check(_is_origin(origin), "the origin names a cell, a journal and a fork")
    check(0 <= size <= INT_MAX and len(root) == HASH_SIZE_BYTES, "a head has a size and a root")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode('ascii')}\n"


def signature_line(name: str, key_id: bytes, signature: bytes) -> str:
    """Return one line of signatures, its newline included."""
    return f"{_DASH}{name} {base64.b64encode(key_id + signature).decode('ascii')}\n"


def body_of(text: str) -> str:
    """Return what the signatures of a head are over: its three lines."""
    return text.partition("\n\n")[0] + "\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the head in `text`, unverified; raises HeadRefused for any other text."""
    if len(text) > HEAD_TEXT_SIZE_BYTES_MAX:
        raise HeadRefused("a head is at most 16 KiB")
    body, separator, notes = text.partition("\n\n")
    lines = body.split("\n", 3)  # no more than it takes to see that there are too many
    if not separator or len(lines) != 3:
        raise HeadRefused("a head has three lines, an empty one, and signatures")
    origin = _ORIGIN.fullmatch(lines[0])
    if origin is None:
        raise HeadRefused("the first line is not CELL/JOURNAL/FORK")
    fork, size = _integer(origin[3]), _integer(lines[1])
    root = _base64(lines[2])
    if len(root) != HASH_SIZE_BYTES:
        raise HeadRefused("the root is not 32 bytes")
    signatures = _parse_signatures(notes)
    return Checkpoint(origin[1], origin[2], fork, size, Hash(root), signatures)


def verify_checkpoint(text: str, origin: str, public_key: PublicKey) -> Checkpoint:
    """Return the head in `text` if it is of `origin` and `public_key` signed it.

    Raises HeadRefused: not a head, another origin, no line or more than one line by that key, or
    a signature that fails. Lines by other keys are ignored, as signed notes ask for.
    """
    head = parse_checkpoint(text)
    if head.origin != origin:
        raise HeadRefused(f"the head is of {head.origin}, not of {origin}")
    verify_parsed(text, head, public_key)
    return head


def verify_parsed(text: str, head: Checkpoint, public_key: PublicKey) -> None:
    """Check that `public_key` signed `head`, which `text` was parsed to; raises HeadRefused."""
    origin = head.origin
    key_id = key_id_of(origin, public_key)
    ours = [line for line in head.signatures if (line.name, line.key_id) == (origin, key_id)]
    if len(ours) != 1:
        raise HeadRefused(f"{len(ours)} signatures by the key of the cell, not one")
    verify_signature(public_key, body_of(text).encode("utf-8"), Signature(ours[0].signature))


def verify_signature(public_key: PublicKey, message: bytes, signature: Signature) -> None:
    """Check one Ed25519 signature; raises HeadRefused."""
    if len(signature) != SIGNATURE_SIZE_BYTES:
        raise HeadRefused("an Ed25519 signature is 64 bytes")
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, CryptoError, ValueError) as error:
        raise HeadRefused("the signature is not by the key of the cell") from error


@lru_cache(maxsize=ORIGINS_CACHED_MAX)
def _is_origin(text: str) -> bool:
    return _ORIGIN.fullmatch(text) is not None


def _parse_signatures(notes: str) -> tuple[NoteSignature, ...]:
    if not notes.endswith("\n"):
        raise HeadRefused("the last line does not end")
    *lines, rest = notes.split("\n", HEAD_SIGNATURES_MAX)
    if rest:
        raise HeadRefused(f"more than {HEAD_SIGNATURES_MAX} signatures")
    return tuple(_parse_signature(line) for line in lines)


def _parse_signature(line: str) -> NoteSignature:
    if len(line) > HEAD_LINE_LENGTH_MAX:
        raise HeadRefused(f"a signature line of {len(line)} characters")
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not _KEY_NAME.fullmatch(name):
        raise HeadRefused("a signature line is a dash, a name and base64")
    raw = _base64(encoded)
    if len(raw) <= KEY_ID_SIZE_BYTES:
        raise HeadRefused("a signature line is too short")
    return NoteSignature(name, raw[:KEY_ID_SIZE_BYTES], raw[KEY_ID_SIZE_BYTES:])


def _integer(text: str) -> int:
    if not _DECIMAL.fullmatch(text) or int(text) > INT_MAX:
        raise HeadRefused("not a decimal number of at most 63 bits")
    return int(text)


def _base64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise HeadRefused("not base64") from error
    if base64.b64encode(raw).decode("ascii") != text:
        raise HeadRefused("not canonical base64")
    return raw
