"""What a cell's owner lets others do here: tokens, and keys that may sign requests.

A token is 256 random bits behind a prefix that scanners for secrets find, the mark of the cell
that made it, and a checksum. Only its SHA-256 is kept. All is in one file of the cell's directory,
mode 0600, written whole and durably before anybody is told. It is a file of its own and not a table
of cell.db: that is backed up, and an old backup put back must not bring a revoked token to life.

When a token was used last is kept in memory, and written with the next change and at the end.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import zlib
from base64 import b32encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from core.json_text import NotJson, parse_json
from core.limits import PUBLIC_KEY_SIZE_BYTES
from gateway.errors import (
    GrantsUnusable,
    KeyNotAllowed,
    NoSuchGrant,
    TokenEnded,
    TokenOfAnotherCell,
    TooManyGrants,
    Unauthorized,
)
from gateway.limits import GRANTS_FILE_SIZE_BYTES_MAX, GRANTS_KEPT_MAX, GRANTS_MAX
from gateway.policy import GRANTABLE, Scope
from identity.private_file import sweep_private, write_private

_VERSION: Final = 1
_SECRET_SIZE_BYTES: Final = 32
_MARK_SIZE_BYTES: Final = 5
_ID_DIGITS: Final = 16
_TOKEN: Final = re.compile(rb"myc_([a-z2-7]{8})_([a-z2-7]{52})([a-z2-7]{7})")


@dataclass(frozen=True, slots=True)
class Grant:
    """A token, or a key that may sign."""

    id: str
    """Of a token the beginning of its hash, of a key its own beginning."""
    name: str
    scopes: tuple[Scope, ...]
    created_ms: int
    expires_ms: int
    """0: never."""
    rate_per_minute: int
    """0: as the configuration says."""
    token_hash: bytes = b""
    """Empty for a key."""
    public_key: bytes = b""
    """Empty for a token."""
    revoked_ms: int = 0
    """0: it is not."""
    used_ms: int = 0
    """When it was used last, about; 0: never, as far as is known."""

    def is_good(self, now_ms: int) -> bool:
        """Return whether it still lets in."""
        return not self.revoked_ms and not 0 < self.expires_ms <= now_ms


@dataclass(frozen=True, slots=True)
class Terms:
    """What a new grant is to be good for."""

    name: str
    scopes: tuple[Scope, ...]
    expires_ms: int = 0
    rate_per_minute: int = 0


class Grants:
    """All grants of one cell. `now_ms` is the wall clock, `random` the system's."""

    def __init__(
        self,
        path: Path,
        mark: str,
        grants: Sequence[Grant],
        *,
        now_ms: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._path = path
        self._mark = mark
        self._now_ms = now_ms
        self._random = random
        self._by_id = {grant.id: grant for grant in grants}
        self._used: dict[str, int] = {}
        self._writing = asyncio.Lock()
        self.on_end: Callable[[str], None] = lambda _id: None
        """Told the id of a grant that was revoked just now."""

    @classmethod
    def open(cls, path: Path, *, now_ms: Callable[[], int], random: Callable[[int], bytes]) -> Self:
        """Return what the file says; nothing is granted if there is none. Raises GrantsUnusable.

        The file is made with the first grant.
        """
        try:
            sweep_private(path)
            with path.open("rb") as file:
                data = file.read(GRANTS_FILE_SIZE_BYTES_MAX + 1)
        except FileNotFoundError:
            mark = _base32(random(_MARK_SIZE_BYTES))
            return cls(path, mark, (), now_ms=now_ms, random=random)
        except OSError as error:
            raise GrantsUnusable(f"{path}: {error.strerror}") from error
        mark, grants = _parsed(data, path)
        return cls(path, mark, grants, now_ms=now_ms, random=random)

    def all(self) -> list[Grant]:
        """Return all that are kept, the newest first, ended ones too."""
        grants = [
            replace(grant, used_ms=max(grant.used_ms, self._used.get(grant.id, 0)))
            for grant in self._by_id.values()
        ]
        return sorted(grants, key=lambda grant: (-grant.created_ms, grant.id))

    def of_token(self, text: bytes) -> Grant:
        """Return the grant of a token; raises Unauthorized, TokenOfAnotherCell, TokenEnded."""
        digest = hashlib.sha256(text).digest()
        found = self._by_id.get(digest.hex()[:_ID_DIGITS])
        if found is None or not hmac.compare_digest(found.token_hash, digest):
            if (mark := mark_of(text)) is not None and mark != self._mark:
                raise TokenOfAnotherCell("the token was made by another cell")
            raise Unauthorized("the token is wrong")
        return self._good(found)

    def of_key(self, public_key: bytes) -> Grant:
        """Return the grant of a key; raises KeyNotAllowed, TokenEnded."""
        found = self._by_id.get(public_key.hex()[:_ID_DIGITS])
        if found is None or not hmac.compare_digest(found.public_key, public_key):
            raise KeyNotAllowed("this key is allowed nothing here")
        return self._good(found)

    async def make_token(self, terms: Terms) -> tuple[Grant, str]:
        """Make a token durable; return it and its text, told only now. Raises TooManyGrants."""
        text = token_text(self._mark, self._random(_SECRET_SIZE_BYTES))
        digest = hashlib.sha256(text.encode()).digest()
        grant = self._granted(terms, token_hash=digest)
        await self._add(grant)
        return grant, text

    async def allow_key(self, public_key: bytes, terms: Terms) -> Grant:
        """Let a key sign requests, on these terms from now on; raises TooManyGrants."""
        grant = self._granted(terms, public_key=public_key)
        await self._add(grant)
        return grant

    async def revoke(self, grant_id: str) -> Grant:
        """End a grant, now and for good; raises NoSuchGrant. Safe to repeat."""
        found = self._by_id.get(grant_id)
        if found is None:
            raise NoSuchGrant(f"there is no grant {grant_id[:_ID_DIGITS]}")
        if not found.revoked_ms:
            # It ends before it is written: if that fails it is asked for again.
            self._by_id[grant_id] = replace(found, revoked_ms=self._now_ms())
            self.on_end(grant_id)
        await self._save()
        return self._by_id[grant_id]

    async def close(self) -> None:
        """Write when grants were used last, if that is known better than from the file."""
        if self._used:
            await self._save()

    def _good(self, grant: Grant) -> Grant:
        now_ms = self._now_ms()
        if not grant.is_good(now_ms):
            raise TokenEnded("it was revoked" if grant.revoked_ms else "its time is over")
        self._used[grant.id] = now_ms
        return grant

    def _granted(self, terms: Terms, *, token_hash: bytes = b"", public_key: bytes = b"") -> Grant:
        return Grant(
            (token_hash or public_key).hex()[:_ID_DIGITS],
            terms.name,
            tuple(scope for scope in GRANTABLE if scope in terms.scopes),
            self._now_ms(),
            terms.expires_ms,
            terms.rate_per_minute,
            token_hash,
            public_key,
        )

    async def _add(self, grant: Grant) -> None:
        now_ms = self._now_ms()
        good = [one.id for one in self._by_id.values() if one.is_good(now_ms)]
        if grant.id not in good and len(good) >= GRANTS_MAX:
            raise TooManyGrants(f"there are {len(good)} tokens and keys already")
        before = dict(self._by_id)
        self._by_id[grant.id] = grant
        for ended in [one for one in reversed(self.all()) if not one.is_good(now_ms)]:
            if len(self._by_id) > GRANTS_KEPT_MAX:
                del self._by_id[ended.id]
        try:
            await self._save()
        except GrantsUnusable:
            self._by_id = before
            raise
        self.on_end(grant.id)  # what a key does on its former terms

    async def _save(self) -> None:
        async with self._writing:
            text = _shown(self._mark, self.all())
            try:
                await asyncio.to_thread(write_private, self._path, text, replace=True)
            except OSError as error:
                raise GrantsUnusable(f"{self._path}: {error.strerror}") from error


def token_text(mark: str, secret: bytes) -> str:
    """Return the text of a token: `myc_`, the cell's mark, 256 bits and a checksum in base32."""
    text = f"myc_{mark}_{_base32(secret)}"
    return text + _base32(zlib.crc32(text.encode()).to_bytes(4, "big"))


def mark_of(text: bytes) -> str | None:
    """Return the mark of the cell that made a token; None for what is no token."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    checksum = _base32(zlib.crc32(text[:-7]).to_bytes(4, "big"))
    return match[1].decode() if checksum.encode() == match[3] else None


def _base32(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()


def _shown(mark: str, grants: Sequence[Grant]) -> str:
    rows = [
        {
            "id": grant.id,
            "name": grant.name,
            "scopes": [scope.value for scope in grant.scopes],
            "created_ms": grant.created_ms,
            "expires_ms": grant.expires_ms,
            "rate_per_minute": grant.rate_per_minute,
            "token_hash": grant.token_hash.hex(),
            "public_key": grant.public_key.hex(),
            "revoked_ms": grant.revoked_ms,
            "used_ms": grant.used_ms,
        }
        for grant in grants
    ]
    return json.dumps({"version": _VERSION, "mark": mark, "grants": rows}, indent=1) + "\n"


def _parsed(data: bytes, path: Path) -> tuple[str, list[Grant]]:
    strange = GrantsUnusable(f"{path} is not what a cell writes")
    if len(data) > GRANTS_FILE_SIZE_BYTES_MAX:
        raise strange
    try:
        raw: Any = parse_json(data)
        if raw["version"] != _VERSION or re.fullmatch("[a-z2-7]{8}", raw["mark"]) is None:
            raise strange
        return raw["mark"], [_grant(row) for row in raw["grants"]]
    except (GrantsUnusable, NotJson, KeyError, TypeError, ValueError) as error:
        raise strange from error


def _grant(row: Any) -> Grant:  # noqa: ANN401 - parsed JSON, of which nothing is known yet
    """Return one row of the file; raises GrantsUnusable, KeyError, TypeError, ValueError."""
    numbers = {
        name: row[name]
        for name in ("created_ms", "expires_ms", "rate_per_minute", "revoked_ms", "used_ms")
    }
    token_hash, key = bytes.fromhex(row["token_hash"]), bytes.fromhex(row["public_key"])
    secret = token_hash or key
    is_one = (len(token_hash), len(key)) in ((_SECRET_SIZE_BYTES, 0), (0, PUBLIC_KEY_SIZE_BYTES))
    if any(type(number) is not int for number in numbers.values()) or not is_one:
        raise GrantsUnusable("not a grant")
    if row["id"] != secret.hex()[:_ID_DIGITS] or not isinstance(row["name"], str):
        raise GrantsUnusable("not a grant")
    scopes = tuple(Scope(scope) for scope in row["scopes"])
    if not set(scopes) <= set(GRANTABLE):
        raise GrantsUnusable("not a scope that is granted")
    return Grant(row["id"], row["name"], scopes, token_hash=token_hash, public_key=key, **numbers)
