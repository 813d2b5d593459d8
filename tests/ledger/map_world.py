"""The definition of the state map, word by word, and keys that are hard on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from random import Random

from ledger.tree import Snapshot, StateTree


def sha(data: bytes) -> bytes:
    """Return the hash."""
    return hashlib.sha256(data).digest()


def bits_of(key: bytes) -> str:
    """Return a key as the map reads it: a 1 before each byte, a 0 behind the last one."""
    return "".join(f"1{byte:08b}" for byte in key) + "0"


def slow_root(state: Mapping[bytes, bytes]) -> bytes:
    """Return the root of a state, from all of its entries at once."""
    leaves = {
        key: sha(b"\x00" + len(key).to_bytes(2, "big") + key + sha(value))
        for key, value in state.items()
    }
    return slow_root_of(leaves) if leaves else bytes(32)


def slow_root_of(leaves: Mapping[bytes, bytes]) -> bytes:
    """Return the digest over entries, from keys and the entries' own digests."""

    def of(items: list[tuple[str, bytes]]) -> bytes:
        if len(items) == 1:
            return items[0][1]
        first, last = items[0][0], items[-1][0]
        at = next(
            at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other
        )
        left = [item for item in items if item[0][at] == "0"]
        right = [item for item in items if item[0][at] == "1"]
        return sha(b"\x01" + at.to_bytes(2, "big") + of(left) + of(right))

    return of(sorted((bits_of(key), digest) for key, digest in leaves.items()))


def fetcher(state: Mapping[bytes, bytes]) -> Callable[[Sequence[bytes]], dict[bytes, bytes]]:
    """Return what gives the values of keys."""
    return lambda keys: {key: state[key] for key in keys if key in state}


def map_of(state: Mapping[bytes, bytes]) -> Snapshot:
    """Return the map of a state."""
    tree = StateTree()
    tree.update(state.items())
    return tree.present()


def some_keys(random: Random, count: int) -> list[bytes]:
    """Return different keys: short and long ones, beginnings of each other, and such as ours."""

    def key() -> bytes:
        kind = random.randrange(4)
        if kind == 0:
            return b"a" * random.randrange(200)
        if kind == 1:
            return bytes(random.choice(b"\x00\x01\xff") for _ in range(random.randrange(12)))
        if kind == 2:
            return b"value/%d" % random.randrange(10**6)
        return b"account/" + random.randbytes(32)

    found: set[bytes] = set()
    while len(found) < count:
        found.add(key())
    return sorted(found)
