"""Named bounds of keys, key files, passphrases and shares."""

from __future__ import annotations

from typing import Final

KEY_FILE_SIZE_BYTES_MAX: Final = 4096
"""A key file has some 600 bytes; nothing longer is read."""

OTHER_KEYS_MAX: Final = 2
"""Keys beside the first one in a file: the one before it, and the one that is to follow."""

KDF_OPS_DEFAULT: Final = 3
KDF_MEMORY_KIB_DEFAULT: Final = 256 << 10
"""libsodium's "moderate": three passes over 256 MiB, about a second at each start of a cell. The
memory is given back before the cell starts."""

KDF_OPS_MIN: Final = 2
KDF_MEMORY_KIB_MIN: Final = 64 << 10
"""Least that is written: libsodium's "interactive", what OWASP asks for and more. A guess costs
less below that than a rented graphics card takes."""

KDF_OPS_MAX: Final = 16
KDF_MEMORY_KIB_MAX: Final = 1 << 20
"""Most that is read and written: libsodium's "sensitive" asks for 1 GiB. A file must not be able to
take the machine's memory, or an hour."""

PASSPHRASE_LENGTH_MIN: Final = 8
"""Characters of a new passphrase. Argon2id makes a guess cost a second, not a dictionary."""

PASSPHRASE_SIZE_BYTES_MAX: Final = 1024
"""Most bytes of a passphrase, in UTF-8; more is most likely the wrong file."""

SHARES_MAX: Final = 16
"""Shares of one key: the most that SLIP-39 has."""

SHARE_LENGTH_MAX: Final = 1024
"""Characters of one share: 33 words of at most 8 letters, and room for how people lay them out."""
