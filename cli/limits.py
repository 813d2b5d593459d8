"""Named bounds of the command line."""

from __future__ import annotations

from typing import Final

TIMEOUT_S_DEFAULT: Final = 30.0
"""`--timeout` when it is not given."""

INPUT_SIZE_BYTES_MAX: Final = 8 << 20
"""Most bytes read from a file or standard input; the gateway takes no larger body."""

TRANSACTIONS_PER_SUBMIT_MAX: Final = 1000
"""Transactions of one `tx send` request, as the gateway limits them."""

SIGNED_VALUE_SIZE_BYTES_MAX: Final = 60_000
"""Value of `tx sign`: in hex it must fit one argument (128 KiB on Linux); ours hold 32 KiB."""

JOURNAL_POLL_S: Final = 0.2
"""How often `journal follow` and `journal read --live` ask for news."""

JOURNAL_PAGE: Final = 200
"""Blocks that `journal read` asks for at once: 200 of 4 KiB in hex are 1.6 MB."""

FOLLOW_STEP_S: Final = 30.0
"""`receipt --follow` asks again after this time without news."""

DEVNET_CELLS_MAX: Final = 32
"""Largest devnet: 32 processes of about 150 MB."""

DEVNET_READY_TIMEOUT_S: Final = 180.0
"""A started cell must be ready in this time."""

DEVNET_STOP_TIMEOUT_S: Final = 15.0
"""A cell may take this long to stop after SIGTERM, then it is killed."""

DEVNET_SIGNAL_TIMEOUT_S: Final = 10.0
"""A cell is paused or goes on in this time: a starved process takes its signals late."""

DEVNET_SETUP_TIMEOUT_S: Final = 180.0
"""One `init` or `genesis create` may take this long; key derivation is slow by design."""

DEVNET_FIRST_TIMEOUT_S: Final = 180.0
"""The first transaction must be certified in this time."""

DEVNET_ASK_TIMEOUT_S: Final = 3.0
"""`devnet status` waits this long for one cell."""

DEVNET_LOCK_TIMEOUT_S: Final = 120.0
"""Another devnet command in the same directory may take this long."""

LOG_SIZE_BYTES_MAX: Final = 16 << 20
"""A daemon.log larger than this is set aside (one older log is kept) when its cell starts."""

POLL_S: Final = 0.05
"""How often processes and files are looked at while waiting for them."""

LOG_TAIL_LINES: Final = 8
"""Last lines of a daemon's log that are shown when it does not start."""

LOG_TAIL_SIZE_BYTES: Final = 16 << 10
"""How much of the end of a log is read for that."""

INVITE_POLL_S: Final = 0.5
"""How often `invite --wait` and `join --wait` look for news."""

TICKET_SIZE_BYTES_MAX: Final = 4096
"""Most bytes of a ticket in a file or on standard input: twice the longest one."""

SIM_CELLS_MAX: Final = 100
"""Members of a simulated network: more make a minute of virtual time take hours."""

SIM_MINUTES_MAX: Final = 1440
"""A day of virtual time."""

SIM_SEEDS_MAX: Final = 1_000_000
"""Runs of one command: weeks."""

SIM_SHRINK_RUNS_MAX: Final = 400
"""Runs that a search for a smaller scenario may take: about ten minutes."""

DEVNET_FILE_SIZE_BYTES_MAX: Final = 32 << 10
"""Largest devnet.json that is read: a cell takes 200 bytes."""

TRUST_CELLS_DRAWN: Final = 60
"""Cells of a picture of trust unless told otherwise: of more nobody can read the names."""

SHARE_FILE_SIZE_BYTES_MAX: Final = 32 << 10
"""Most bytes of a file with shares: sixteen shares and much room for remarks."""

MULTISIG_ROUNDS_DEFAULT: Final = 2**22
"""Rounds for which a spend can be approved: the most that there are."""

BATCH_FILE_SIZE_BYTES_MAX: Final = 512 * 1024
"""Of a file with a batch: far more than a transaction of 64 KiB is in JSON."""

DEVNET_PRANA: Final = 1_000_000
"""What each cell of a local network begins with."""

REPAIR_STEP_S: Final = 0.5
"""Between two looks whether a repair is done: it takes a second or more."""

COMPLETION_TIMEOUT_S: Final = 1.0
"""A shell waits so long for the cell that it completes names of."""

BUNDLE_LOG_SIZE_BYTES_MAX: Final = 1 << 20
"""Of the end of each log that goes into a support bundle: some 5,000 lines."""

BUNDLE_LOGS_MAX: Final = 5
"""Logs that go into a support bundle, the newest."""

SPACE_TOLD_BYTES_MIN: Final = 32 << 10
"""What takes less is not listed one by one: an empty table has a page or two."""

SPACE_WORTH_BYTES_MIN: Final = 1 << 20
"""What takes less is not said to be able to go: nobody would miss it."""

TOP_INTERVAL_S_DEFAULT: Final = 1.0
"""Between two looks of `top`: each costs the cell some 3 ms."""

TOP_REDRAW_S: Final = 1.0
"""`top` takes over another size of the terminal within this time."""

LOG_LINE_SIZE_BYTES_MAX: Final = 1 << 16
"""Bytes of one line of a log file that are read at once; the cell cuts its lines below it."""

LOG_POLL_S: Final = 0.5
"""How often `logs --follow` looks for new lines."""
