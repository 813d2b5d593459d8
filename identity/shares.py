"""A key in shares: any `threshold` of them bring the seed back, fewer tell nothing about it.

The shares are SLIP-39 mnemonics of 33 words, made by its reference implementation, with one group
and no passphrase. A share has a checksum, and the shares a digest of the seed: a mistyped word, or
shares of two splits, are noticed. That library is not hardened against somebody who measures this
machine while it works; a split or recovery is done seldom, by the owner, and beside no cell.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from core.limits import PUBLIC_KEY_SIZE_BYTES
from identity.errors import BadShares, BadSplit
from identity.limits import SHARE_LENGTH_MAX, SHARES_MAX

_SEED_SIZE_BYTES: Final = PUBLIC_KEY_SIZE_BYTES
_THRESHOLD_MIN: Final = 2
"""With a threshold of one, each share would be the key."""


def make_shares(seed: bytes, *, threshold: int, count: int) -> tuple[str, ...]:
    """Return `count` shares of a 32-byte seed, any `threshold` of which recover it.

    Raises BadSplit unless 2 ≤ threshold ≤ count ≤ 16.
    """
    if not _THRESHOLD_MIN <= threshold <= count <= SHARES_MAX:
        raise BadSplit(f"{threshold} of {count} shares")
    import shamir_mnemonic  # noqa: PLC0415 - a start of a cell does not need its tables

    (group,) = shamir_mnemonic.generate_mnemonics(1, [(threshold, count)], seed)
    secrets.SystemRandom().shuffle(group)  # what the first share is says nothing of who has it
    return tuple(group)


def recover(shares: Sequence[str]) -> bytes:
    """Return the seed from shares, exactly as many as the threshold or more; raises BadShares."""
    import shamir_mnemonic  # noqa: PLC0415 - as above

    if not 1 <= len(shares) <= SHARES_MAX:
        raise BadShares(f"{len(shares)} shares; a key has up to {SHARES_MAX}")
    try:
        plain = [_plain(share) for share in dict.fromkeys(shares)]
        if any(shamir_mnemonic.Share.from_mnemonic(one).iteration_exponent > 1 for one in plain):
            raise BadShares("they ask for more work than shares of a cell's key")
        groups = shamir_mnemonic.decode_mnemonics(plain)
        enough = {index: group.get_minimal_group() for index, group in groups.items()}
        seed: bytes = shamir_mnemonic.recover_ems(enough).decrypt(b"")
    except shamir_mnemonic.MnemonicError as error:
        raise BadShares(_told(error)) from None
    if len(seed) != _SEED_SIZE_BYTES:
        raise BadShares("they are of something else than a cell's key")
    return seed


def shares_in(text: str) -> tuple[str, ...]:
    """Return the shares of a file: one a line; empty ones, and those after a #, are not."""
    lines = [line.strip() for line in text.splitlines()]
    return tuple(line for line in lines if line and not line.startswith("#"))


def _plain(share: str) -> str:
    if len(share) > SHARE_LENGTH_MAX or not share.isascii():
        raise BadShares("a share is 33 English words")
    return " ".join(share.split())


def _told(error: Exception) -> str:
    """What the library says of it names at most one word that is in no share, and no secret."""
    return str(error).splitlines()[0][:200] if str(error) else "they do not fit together"
