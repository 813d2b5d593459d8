"""Claims about the state in a proof file: checked against a state root alone.

    proof of a value    [[sibling, …], other or nil]

As `ledger.state_proof` has it: the siblings lead from the key's place to the root, and `other`
[path, hash of its value] is the key that is at the place of one that has no value.
"""

from __future__ import annotations

from core.codec import Value, as_array, as_bytes, decode, encode
from core.ids import Hash
from core.limits import HASH_SIZE_BYTES
from ledger.errors import BadStateProof
from ledger.state_proof import root_of_path
from ledger.tree import PATH_BITS, Path


def encode_path(path: Path) -> bytes:
    """Return the bytes of what proves one value, or that there is none."""
    other: Value = None if path.other is None else list(path.other)
    return encode([list(path.siblings), other])


def check_value(root: Hash, key: bytes, value: bytes | None, proof: bytes) -> None:
    """Return when the state with this root has this value at the key; None for no value.

    Raises BadStateProof, NotCanonical or WrongShape.
    """
    siblings, other = as_array(decode(proof), length=2)
    pair = None
    if other is not None:
        place, value_hash = as_array(other, length=2)
        pair = (
            as_bytes(place, size=HASH_SIZE_BYTES),
            as_bytes(value_hash, size=HASH_SIZE_BYTES),
        )
    hashes = as_array(siblings, length_max=PATH_BITS)
    path = Path(tuple(as_bytes(item, size=HASH_SIZE_BYTES) for item in hashes), pair)
    if root_of_path(key, value, path) != root:
        raise BadStateProof("the proof does not lead to the state root")
