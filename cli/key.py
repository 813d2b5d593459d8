"""`myceld key`: the key file of a cell. It works on the file alone; no cell has to run.

What is secret is printed only where an option names it, with a warning on standard error.
Passphrases come from a descriptor, a file or the terminal. An existing key is never overwritten.
"""

from __future__ import annotations

import resource
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from cli import show
from cli.errors import BadInput, WaitedInVain
from cli.limits import POLL_S, SHARE_FILE_SIZE_BYTES_MAX
from cli.options import (
    Common,
    common_options,
    expand,
    home_option,
    json_option,
    new_passphrase_options,
    new_protecting_options,
    passphrase_options,
    protecting_options,
)
from cli.receipt import finish, show_receipt
from core.ids import CellId, cell_id_of
from core.limits import PUBLIC_KEY_SIZE_BYTES
from identity import keystore
from identity.errors import (
    BadShares,
    KeyFileExists,
    KeyFileNotWritten,
    NotAKey,
    UnreadableKeyFile,
)
from identity.keys import KeyPair
from identity.keystore import Lock, LockedKey, PlainKey
from identity.limits import (
    KDF_MEMORY_KIB_DEFAULT,
    KDF_OPS_DEFAULT,
    SHARES_MAX,
)
from identity.passphrase import PassphraseSource
from identity.private_file import write_private
from identity.sealed_seed import Cost
from identity.shares import make_shares, shares_in
from identity.shares import recover as recover_seed
from myceld.errors import CellAnswerUnreadable, CellRefused, CellUnreachable
from myceld.home import RunFile

_KEY_FILE: Final = "key.json"
_SEED_LINE_LENGTH_MAX: Final = 2 * PUBLIC_KEY_SIZE_BYTES + 2


_Command: TypeAlias = Callable[..., None]
_Decorator: TypeAlias = Callable[[_Command], _Command]


def _cost_options(command: _Command) -> _Command:
    """Add --ops and --memory-mib: the cost of the derivation from a new passphrase."""
    memory = click.option(
        "--memory-mib",
        type=click.IntRange(0, 2**32),
        metavar="N",
        default=KDF_MEMORY_KIB_DEFAULT >> 10,
        show_default=True,
        help="Memory that one guess of a new passphrase takes.",
    )(command)
    return click.option(
        "--ops",
        type=click.IntRange(0, 2**32),
        metavar="N",
        default=KDF_OPS_DEFAULT,
        show_default=True,
        help="Passes over that memory.",
    )(memory)


def _rewriting_options(new: _Decorator) -> _Decorator:
    """Add what opens a key file and what, by `new`, protects the one that is written."""

    def add(command: _Command) -> _Command:
        return passphrase_options(new(_cost_options(home_option(json_option(command)))))

    return add


def _copying_options(seed_help: str, new: _Decorator) -> _Decorator:
    """Add the same, and the copy: FILE, or the seed itself."""

    def add(command: _Command) -> _Command:
        file = click.argument("file", metavar="FILE", required=False)
        seed = click.option("--seed", is_flag=True, help=seed_help)
        return file(seed(_rewriting_options(new)(command)))

    return add


@click.group()
def key() -> None:
    """Make, show, move, protect and split the cell's key.

    The key is the cell: who has it signs as this cell. Keep a copy, encrypted (`export`) or in
    shares (`split`), where this machine's loss does not reach it. Never run a copy of a cell.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what is in memory is not to end in a file


@key.command()
@protecting_options
@_cost_options
@home_option
@json_option
def new(
    home: str,
    *,
    passphrase: PassphraseSource,
    ops: int,
    memory_mib: int,
    as_json: bool,
) -> None:
    """Make a key in the cell's directory; `myceld init` or `join` go on with it.

    \b
    Example:
      myceld key new --encrypt
    """
    lock = _lock(passphrase, ops, memory_mib)
    _create(home, secrets.token_bytes(PUBLIC_KEY_SIZE_BYTES), lock, as_json=as_json)


@key.command(name="show")
@home_option
@json_option
def show_key(home: str, *, as_json: bool) -> None:
    """Show which key the file holds and how it is protected; nothing secret, no passphrase."""
    path = expand(home) / _KEY_FILE
    _show(path, keystore.inspect(path), as_json=as_json)


@key.command()
@_copying_options("Print the secret seed in hex instead.", new_passphrase_options)
def export(
    file: str | None,
    home: str,
    *,
    seed: bool,
    passphrase: PassphraseSource,
    new_passphrase: PassphraseSource,
    ops: int,
    memory_mib: int,
    as_json: bool,
) -> None:
    """Write an encrypted copy of the key to FILE, under a passphrase of its own.

    \b
    Examples:
      myceld key export backup-key.json
      myceld key export --seed --passphrase-file phrase.txt | age -p > seed.age
    """
    if seed == (file is not None):
        raise BadInput("name a FILE to write an encrypted copy to, or give --seed")
    pair = keystore.load(expand(home) / _KEY_FILE, passphrase.read)
    if file is None:
        _warn("this line is the secret key: who reads it is this cell")
        if as_json:
            show.as_json({"cell_id": pair.cell_id, "seed": pair.seed.hex()})
        else:
            show.line(pair.seed.hex())
        return
    path = expand(file)
    lock = Lock(new_passphrase.read_new(), Cost(ops, memory_mib << 10))
    keystore.create(path, pair.seed, lock)
    _show(path, keystore.inspect(path), as_json=as_json)


@key.command(name="import")
@_copying_options("Read the seed in hex from standard input instead.", new_protecting_options)
def import_key(
    file: str | None,
    home: str,
    *,
    seed: bool,
    passphrase: PassphraseSource,
    new_passphrase: PassphraseSource,
    ops: int,
    memory_mib: int,
    as_json: bool,
) -> None:
    """Take the key in FILE, a key file, into the cell's directory.

    --passphrase-fd and --passphrase-file open FILE, --new-passphrase-… protect what is written.
    The cell that had this key must never run again: two cells with one key are a fork.

    \b
    Example:
      myceld key import backup-key.json --encrypt
    """
    if seed == (file is not None):
        raise BadInput("name a FILE that holds a key, or give --seed")
    taken = _seed_line() if file is None else keystore.load(expand(file), passphrase.read).seed
    lock = _lock(new_passphrase, ops, memory_mib)
    _create(home, taken, lock, as_json=as_json)


@key.command(name="change-passphrase")
@click.option("--remove", is_flag=True, help="Leave the key without a passphrase.")
@_rewriting_options(new_passphrase_options)
def change_passphrase(
    home: str,
    *,
    remove: bool,
    passphrase: PassphraseSource,
    new_passphrase: PassphraseSource,
    ops: int,
    memory_mib: int,
    as_json: bool,
) -> None:
    """Protect the key with another passphrase, another cost, or its first passphrase.

    The file is replaced whole: killed at any moment, it opens with the old passphrase or the new.
    Copies that were made before keep the old one.

    \b
    Example:
      myceld key change-passphrase
    """
    path = expand(home) / _KEY_FILE
    keys = keystore.open_keys(path, passphrase.read)
    if remove:
        if new_passphrase.is_given:
            raise BadInput("--remove takes no new passphrase")
        _warn("the mode of the key file is now all that protects the key")
        keystore.rewrite(path, keys)
    else:
        lock = Lock(new_passphrase.read_new(), Cost(ops, memory_mib << 10))
        keystore.rewrite(path, keys, lock)
    _show(path, keystore.inspect(path), as_json=as_json)


@key.command()
@common_options
def rotate(common: Common) -> None:
    """Give the key of the running cell up for a new one, and wait until the cell is that.

    The cell makes the new key, puts it beside the old one in its key file (under the same
    passphrase) and has the network agree. From then on everything that the old key signs is
    refused, by every cell. A member keeps its place and weight. The cell id changes: the old
    one leads to the new one in `myceld member`, and for cells that dial it. Tickets that the
    cell made before, and journals followed under the old id, are to be made and followed anew.

    Interrupted at any moment, it can be run again. Copies and shares of the old key are worth
    nothing afterwards: make new ones.

    \b
    Example:
      myceld key rotate --timeout 60
    """
    until_s = time.monotonic() + common.timeout_s
    with common.client() as cell:
        answer: dict[str, Any] = dict(cell.rotate_key(wait="stored", timeout_s=common.timeout_s))
    while not _is_rotated(common, answer):
        if time.monotonic() >= until_s:
            raise WaitedInVain(f"the cell is not {answer['cell_id']} yet")
        time.sleep(POLL_S)
    if common.as_json:
        show.as_json(answer)
        return
    show.pairs([("old", answer["old_cell_id"]), ("cell", answer["cell_id"])])
    show.line("Copies and shares of the old key are of no use any more: make new ones.")


@key.command(name="split")
@click.option("--shares", "count", type=click.IntRange(2, SHARES_MAX), required=True, metavar="N")
@click.option(
    "--threshold",
    type=click.IntRange(2, SHARES_MAX),
    required=True,
    metavar="M",
    help="How many of the N shares bring the key back.",
)
@click.option("--out", metavar="DIR", help="Write each share to a file of its own in DIR.")
@click.option("--print", "printed", is_flag=True, help="Print the secret shares, one a line.")
@passphrase_options
@home_option
@json_option
def into_shares(
    home: str,
    count: int,
    threshold: int,
    out: str | None,
    *,
    printed: bool,
    passphrase: PassphraseSource,
    as_json: bool,
) -> None:
    """Split the key into N shares, any M of which bring it back; fewer tell nothing.

    The shares are SLIP-39: 33 words each. Give them to different people or places, and try
    `myceld key recover` with M of them before you rely on it. A share is not encrypted. The
    library is the standard's reference implementation; no published audit of it was found.

    \b
    Example:
      myceld key split --shares 5 --threshold 3 --out shares
    """
    if printed == (out is not None):
        raise BadInput("say where the shares go: --out DIR, or --print")
    pair = keystore.load(expand(home) / _KEY_FILE, passphrase.read)
    shares = make_shares(pair.seed, threshold=threshold, count=count)
    answer: dict[str, object] = {
        "cell_id": pair.cell_id,
        "shares": count,
        "threshold": threshold,
    }
    if out is not None:
        paths = _write_shares(expand(out), pair.cell_id, shares, threshold)
        answer["paths"] = [str(path) for path in paths]
        if not as_json:
            show.table(["share"], [[str(path)] for path in paths])
    else:
        _warn(f"each line is a secret share: {threshold} of them are the key")
        answer["words"] = list(shares)
        if not as_json:
            for share in shares:
                show.line(share)
    if as_json:
        show.as_json(answer)


@key.command()
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--cell", "expected", metavar="CELL_ID", help="Refuse any other cell's key.")
@new_protecting_options
@_cost_options
@home_option
@json_option
def recover(
    files: tuple[str, ...],
    home: str,
    expected: str | None,
    *,
    new_passphrase: PassphraseSource,
    ops: int,
    memory_mib: int,
    as_json: bool,
) -> None:
    """Bring the key back from shares: FILEs, or one share a line on standard input.

    \b
    Examples:
      myceld key recover shares/share-1.txt shares/share-4.txt shares/share-5.txt
      myceld key recover --encrypt < words.txt
    """
    texts = [_share_text(Path(expand(file))) for file in files] or [
        _text(sys.stdin.buffer.read(SHARE_FILE_SIZE_BYTES_MAX + 1), "standard input")
    ]
    seed = recover_seed([share for text in texts for share in shares_in(text)])
    found = KeyPair(seed).cell_id
    if expected is not None and expected != found:
        raise BadShares(f"they are the key of {found}")
    lock = _lock(new_passphrase, ops, memory_mib)
    _create(home, seed, lock, as_json=as_json)


def _is_rotated(common: Common, answer: dict[str, Any]) -> bool:
    """Return whether the cell runs with its new key; ends the command if the ledger refused."""
    try:
        if RunFile.read(common.home).cell_id == answer["cell_id"]:
            return True
        with common.client() as cell:
            answer["receipt"] = cell.receipt(answer["receipt"]["id"])
    except (CellUnreachable, CellRefused, CellAnswerUnreadable):
        return False  # it is starting again
    if answer["receipt"]["outcome"] == "refused":
        show_receipt(answer["receipt"])
        finish([answer["receipt"]])
    return False


def _lock(source: PassphraseSource, ops: int, memory_mib: int) -> Lock | None:
    """Return how to protect a new key file: by a passphrase if there is to be one."""
    if not source.protects_new:
        return None
    cost = Cost(ops, memory_mib << 10)
    cost.check_new()  # before anybody has to type
    return Lock(source.read_new(), cost)


def _create(home: str, seed: bytes, lock: Lock | None, *, as_json: bool) -> None:
    place = expand(home)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileNotWritten(f"{place}: {error.strerror}") from error
    path = place / _KEY_FILE
    keystore.create(path, seed, lock)
    _show(path, keystore.inspect(path), as_json=as_json)


def _show(path: Path, stored: PlainKey | LockedKey, *, as_json: bool) -> None:
    cost = stored.seed.cost if isinstance(stored, LockedKey) else None
    cell_id = keystore.cell_id_in(stored)
    others = [cell_id_of(other.public_key) for other in stored.others]
    if as_json:
        show.as_json(
            {
                "cell_id": cell_id,
                "public_key": stored.public_key.hex(),
                "path": str(path),
                "version": stored.version,
                "others": others,
                "kdf": "none" if cost is None else "argon2id",
                "ops": None if cost is None else cost.ops,
                "memory_kib": None if cost is None else cost.memory_kib,
            }
        )
        return
    protected = "the mode of the file alone"
    if cost is not None:
        protected = f"a passphrase (Argon2id, {cost})"
    show.pairs(
        [
            ("cell", cell_id),
            ("public key", stored.public_key.hex()),
            ("file", str(path)),
            ("protected by", protected),
            ("beside it", "  ".join(others)),
        ]
    )


def _seed_line() -> bytes:
    """Read a seed in hex from standard input; never from the command line, which `ps` shows."""
    text = sys.stdin.readline(_SEED_LINE_LENGTH_MAX + 1).strip()
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        raise NotAKey("standard input has no seed in hex") from None
    if len(seed) != PUBLIC_KEY_SIZE_BYTES:
        raise NotAKey(f"a seed has {PUBLIC_KEY_SIZE_BYTES} bytes, not {len(seed)}")
    return seed


def _write_shares(
    folder: Path, cell_id: CellId, shares: tuple[str, ...], threshold: int
) -> list[Path]:
    paths = [folder / f"share-{number}.txt" for number in range(1, len(shares) + 1)]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in paths:
            if path.exists():
                raise KeyFileExists(f"{path} is there already")
        for path, share in zip(paths, shares, strict=True):
            head = (
                f"# One of {len(shares)} SLIP-39 shares of the key of the myceld cell\n"
                f"# {cell_id}. Any {threshold} of them bring it back: `myceld key recover`.\n"
            )
            write_private(path, f"{head}{share}\n", replace=False)
    except OSError as error:
        raise KeyFileNotWritten(f"{error.filename}: {error.strerror}") from error
    return paths


def _share_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return _text(file.read(SHARE_FILE_SIZE_BYTES_MAX + 1), str(path))
    except OSError as error:
        raise UnreadableKeyFile(f"{path}: {error.strerror}") from error


def _text(data: bytes, source: str) -> str:
    if len(data) > SHARE_FILE_SIZE_BYTES_MAX:
        raise BadShares(f"{source} has more than {SHARE_FILE_SIZE_BYTES_MAX} bytes")
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise BadShares(f"{source} is not plain English text") from None


def _warn(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"warning: {text}\n")
