"""The keys of one cell, and which of them the cell is by the order: what a rotation goes through.

`key.json` may hold the key before and the one that is to follow beside the present one. Which is
the present one, the state says: it knows which keys were given up, and for which. So a successor is
on disk before any cell hears of it, nothing has to be switched at the moment when the rotation
takes effect, and whenever the cell is killed, it comes up as who it is by what it has applied.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Self

import structlog

from core.ids import NetworkId, PublicKey, short
from core.limits import PUBLIC_KEY_SIZE_BYTES
from identity import keystore
from identity.keys import KeyPair
from identity.keystore import OpenKeys
from identity.passphrase import Passphrase
from journal import Store
from journal.disk import OS_DISK, Disk
from journal.errors import WrongCell
from ledger.rotation import KeyRotate
from ledger.succession import Read, current_key, rotated_key, succession_message
from node.invite_tables import INVITE_SCHEMA
from node.tables import SCHEMA, state_value

_LOG = structlog.get_logger("keys")


class KeyRing:
    """The opened key file; the one owner of the file while the cell runs."""

    def __init__(self, path: Path, keys: OpenKeys) -> None:
        self._path = path
        self._keys = keys

    @classmethod
    def open(cls, path: Path, unlock: Callable[[], Passphrase] | None) -> Self:
        """Open the key file; raises what `keystore.open_keys` does."""
        return cls(path, keystore.open_keys(path, unlock))

    @property
    def pairs(self) -> tuple[KeyPair, ...]:
        """All keys, the file's first one first."""
        return (self._keys.pair, *self._keys.others)

    def successor(self, key: PublicKey, read: Read) -> KeyPair | None:
        """Return what `key` was given up for, if that is ours; `read` reads the state."""
        present = current_key(read, key)
        return None if present == key else self._pair_of(present)

    def earlier(self, key: PublicKey, read: Read) -> tuple[KeyPair, ...]:
        """Return those of our keys that were given up."""
        return tuple(
            pair
            for pair in self.pairs
            if pair.public_key != key and read(rotated_key(pair.public_key)) is not None
        )

    def settle(self, key: PublicKey, read: Read) -> None:
        """Make `key` the first one of the file, durably, and forget all older than the one before.

        Only forward: a store may be older than the file, and its state not know yet that the
        file's first key is the present one. Raises KeyFileChanged or KeyFileNotWritten.
        """
        pair, given_up = self._pair_of(key), self.earlier(key, read)
        if pair is None or self._keys.pair not in given_up:
            return
        after = [one for one in self.pairs if one is not pair and one not in given_up]
        self._put(OpenKeys(pair, (self._keys.pair, *after[:1])))
        _LOG.info("the key file has the new key first", cell=short(pair.cell_id))

    def make_next(self, key: PublicKey, read: Read) -> KeyPair:
        """Return the key that is to follow, on disk; one that was made and not used serves again.

        Raises KeyFileChanged or KeyFileNotWritten.
        """
        given_up = self.earlier(key, read)
        for pair in self.pairs:
            if pair.public_key != key and pair not in given_up:
                return pair
        made = KeyPair(secrets.token_bytes(PUBLIC_KEY_SIZE_BYTES))
        self._put(OpenKeys(self._keys.pair, (*given_up[-1:], made)))
        return made

    def _put(self, after: OpenKeys) -> None:
        self._write(self._keys, after)
        self._keys = OpenKeys(after.pair, after.others, self._keys.lock)

    def _write(self, before: OpenKeys, after: OpenKeys) -> None:
        keystore.update(self._path, before, after)

    def _pair_of(self, key: PublicKey) -> KeyPair | None:
        return next((pair for pair in self.pairs if pair.public_key == key), None)


def reader_of(store: Store) -> Read:
    """Return what reads the state in a store."""
    return lambda key: state_value(store, key)


def rotation_of(network_id: NetworkId, old: KeyPair, new: KeyPair) -> KeyRotate:
    """Return what gives one key up for another, signed by both."""
    message = succession_message(network_id, old.public_key, new.public_key)
    return KeyRotate(new.public_key, old.sign(message), new.sign(message))


async def open_as_present(path: Path, ring: KeyRing, disk: Disk = OS_DISK) -> tuple[Store, KeyPair]:
    """Open the store of a cell as who the cell is by its state, and return both.

    A store that still belongs to a key that was given up goes over to the present one. Raises
    what `Store.open` does.
    """
    store, pair = await _open_as_owner(path, ring, disk)
    while True:
        await store.create_tables(SCHEMA + INVITE_SCHEMA)
        following = ring.successor(pair.public_key, reader_of(store))
        if following is None:
            return store, pair
        await store.close()
        _LOG.info(
            "going over to the new key", old=short(pair.cell_id), new=short(following.cell_id)
        )
        store = await Store.open(
            path,
            signer=following.sign,
            cell_id=following.cell_id,
            former=pair.cell_id,
            durability="power",
            disk=disk,
        )
        pair = following


async def _open_as_owner(path: Path, ring: KeyRing, disk: Disk) -> tuple[Store, KeyPair]:
    """Open the store with that of our keys to which it belongs."""
    *others, last = ring.pairs
    for pair in others:
        try:
            return await _open(path, pair, disk), pair
        except WrongCell:
            continue
    return await _open(path, last, disk), last


async def _open(path: Path, pair: KeyPair, disk: Disk) -> Store:
    return await Store.open(
        path, signer=pair.sign, cell_id=pair.cell_id, durability="power", disk=disk
    )
