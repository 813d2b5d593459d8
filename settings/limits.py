"""Bounds of configuration files, each with its reason."""

from __future__ import annotations

from typing import Final

from core.limits import INT_MAX

FILE_SIZE_BYTES_MAX: Final = 256 * 1024
"""Bytes of one file that are read: all keys with their comments take 10 KiB."""

FILES_MAX: Final = 8
"""Files that extend one another: a profile, a site's, a machine's and a cell's leave room."""

SUBSTITUTED_LENGTH_MAX: Final = 16 * 1024
"""Characters of one value after its variables were put in."""

VARIABLES_MAX: Final = 64
"""Variables in one value."""

PROBLEMS_MAX: Final = 100
"""Mistakes that are listed at once; a file has 1,024 values at most."""

KEY_LENGTH_MAX: Final = 64
"""Characters of a key that a similar one is looked for."""

SHOWN_LENGTH_MAX: Final = 80
"""Characters of a value that a message quotes."""

DIGITS_MAX: Final = 18
"""Digits of a number: what 64 bits hold."""

ITEMS_MAX: Final = 1000
"""Items of a list; most keys have a bound of their own below it."""

COMMANDS_MAX: Final = 64
"""Commands that members may have run."""

LIGHT_GATEWAYS_MAX: Final = 16
"""Gateways of one hypha: one honest one is enough, and each is asked all the time."""

GATEWAY_URL_LENGTH_MAX: Final = 512
"""Characters of a gateway's URL."""

STALE_AFTER_S: Final = 3600
"""Age of the newest head that is warned of unless told: a quiet network has no rounds."""

SECONDS_MAX: Final = 2**32 - 1
"""Of an age that is warned of: 136 years."""

SEEDS_MAX: Final = 16
"""Seeds of one cell; each is read whenever members are missing."""

HISTORY_ROUNDS_MAX: Final = INT_MAX
"""Of the state's history: all of it."""

LOG_FILE_MIB_MAX: Final = 1024
"""Size of one log file: what an editor still opens."""

LOG_FILES_MAX: Final = 100
"""Log files that are kept."""

LOG_DAYS_MAX: Final = 3650
"""Days for which they are kept."""

CONTENT_MIB_MAX: Final = 1 << 30
"""Posted content that is kept: a PiB."""

AUDIT_ROWS_MIN: Final = 1_000
"""Rows of the audit journal: fewer would say nothing."""
