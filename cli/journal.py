"""`myceld journal`: list, show, read, audit, prune, export and follow journals; verify proofs.

NAME is a journal of the cell, or CELL/NAME for the copy of one that it follows. `verify` needs no
cell: the proof file and the cell id that one trusts are enough.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from cli import show
from cli.completing import complete_journals
from cli.errors import AuditFailed, BadInput, BadUsage, WaitedInVain
from cli.limits import JOURNAL_PAGE, JOURNAL_POLL_S
from cli.options import START, Common, common_options, json_option, page_options
from cli.tx import show_more
from core.ids import CellId, public_key_of
from journal.proof_file import PROOF_FILE_SIZE_BYTES_MAX, VerifiedProof, verify_proof
from myceld.client import Client


@click.group()
def journal() -> None:
    """Read, check, export and follow journals."""


@journal.command(name="list")
@common_options
def list_journals(common: Common) -> None:
    """List the journals with their length and root, and what is followed of other cells."""
    with common.client() as cell:
        answer, follows = cell.journals(), cell.follows()["items"]
    if common.as_json:
        show.as_json({**answer, "follows": follows})
        return
    rows = [
        [show.safe(item["name"]), show.number(item["length"]), show.safe(item["root"])]
        for item in answer["items"]
    ]
    show.table(["journal", "blocks", "root"], rows)
    if follows:
        show.line()
        head = ["followed", "fork", "blocks", "of", "state", "copy", "last error"]
        show.table(head, [_follow_row(item) for item in follows])


@journal.command(name="show")
@click.argument("name", shell_complete=complete_journals)
@page_options
@common_options
def show_journal(common: Common, name: str, start: int, limit: int) -> None:
    """Show blocks of the journal NAME: size, leaf hash, and what they hold.

    \b
    Examples:
      myceld journal show consensus --start 10 --limit 5
      myceld journal show consensus --json | jq -r '.items[].leaf_hash'
    """
    with common.client() as cell:
        answer = cell.journal_blocks(_local(cell, name), start=start, limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [
            str(item["index"]),
            show.size(item["size_bytes"]),
            show.brief(item["leaf_hash"]),
            show.safe(item["summary"]),
        ]
        for item in answer["items"]
    ]
    show.table(["block", "size", "leaf hash", "holds"], rows)
    show_more(answer["next"])


@journal.command()
@click.argument("name", shell_complete=complete_journals)
@click.argument("index", type=START, default=0)
@click.option("--count", type=click.IntRange(1), help="How many blocks; default: 1.")
@click.option("--raw", is_flag=True, help="Print exactly the bytes of the blocks.")
@click.option("--live", is_flag=True, help="Go on with new blocks until Ctrl-C.")
@common_options
def read(
    common: Common, name: str, index: int, count: int | None, *, raw: bool, live: bool
) -> None:
    """Print the block INDEX of the journal NAME, in hex, or more blocks from there on.

    \b
    Examples:
      myceld journal read state 7
      myceld journal read state 0 --live --json
      myceld journal read 12D3KooW…/state 7 --raw | sha256sum
    """
    if raw and common.as_json:
        raise BadUsage("--raw and --json exclude each other")
    left = count if count is not None or live else 1
    with common.client() as cell:
        local = _local(cell, name)
        for block in _blocks(cell, local, index, left, live=live):
            data = bytes.fromhex(block["data_hex"])
            if common.as_json:
                show.as_json(block)
            elif raw:
                show.raw(data)
            else:
                show.line(data.hex())
            if live:
                sys.stdout.flush()


@journal.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--cell", "cell_id", metavar="CELL_ID", help="The cell that must have signed it.")
@click.option("--raw", is_flag=True, help="Print exactly the bytes of the proven block.")
@json_option
def verify(file: Path, cell_id: str | None, *, raw: bool, as_json: bool) -> None:
    """Check a proof file offline: that its block is in the journal that its cell signed.

    The trust is in the cell id: give the one you know with --cell, or compare the one printed.

    \b
    Examples:
      myceld journal verify state-7.tlog-proof --cell 12D3KooW…
      myceld journal verify state-7.tlog-proof --raw > block
    """
    if raw and as_json:
        raise BadUsage("--raw and --json exclude each other")
    proven = proven_in(file, cell_id)
    if as_json:
        show.as_json(_proven(proven))
    elif raw:
        show.raw(proven.block)
    else:
        head = proven.head
        trusted = "" if cell_id else "  (compare it with one you trust, or give --cell)"
        show.pairs(
            [
                ("proven", f"block {proven.index} of {show.number(head.size)}"),
                ("journal", f"{head.journal}, fork {head.fork}"),
                ("cell", head.cell_id + trusted),
                ("root", head.root.hex()),
                ("block", f"{show.size(len(proven.block))}"),
                *(
                    ("witness", f"{w.cell_id}  {show.moment(w.time_s * 1_000_000_000)}")
                    for w in proven.witnesses
                ),
            ]
        )


@journal.command()
@click.argument("name", shell_complete=complete_journals)
@common_options
def audit(common: Common, name: str) -> None:
    """Read every block of the journal NAME and check it against the signed root.

    \b
    Example:
      myceld journal audit consensus
    """
    audit_whole(common, name)


def audit_whole(common: Common, name: str) -> None:
    """Have the cell check a whole journal, and show what came of it; raises AuditFailed."""
    began = time.monotonic()
    with common.client() as cell, progress(common, "auditing") as advance:
        local = _local(cell, name)
        answer = cell.audit_journal(local)
        while answer["state"] == "running":
            advance(answer["done"], answer["length"])
            time.sleep(JOURNAL_POLL_S)
            answer = cell.audit_of_journal(local)
        advance(answer["done"], answer["length"])
    took_s = round(time.monotonic() - began, 3)
    if answer["state"] != "ok":
        raise AuditFailed(f"journal {local}, after {answer['done']} blocks: {answer['error']}")
    if common.as_json:
        show.as_json({**answer, "took_s": took_s})
    else:
        amount = f"{show.number(answer['done'])} blocks, {show.size(answer['size_bytes'])}"
        cleared = f", {show.number(answer['cleared'])} of them deleted" if answer["cleared"] else ""
        show.line(f"{amount}{cleared}: all as signed, in {took_s} s")


@journal.command()
@click.argument("name", shell_complete=complete_journals)
@click.argument("index", type=START)
@click.option("--out", metavar="FILE", help="Where to write; - is standard output.")
@common_options
def export(common: Common, name: str, index: int, out: str | None) -> None:
    """Write the proof of block INDEX of the journal NAME to a file that anybody can check.

    The file holds the block, its inclusion proof and the signed head (C2SP tlog-proof text). From
    a copy of another cell's journal it also carries this cell's cosignature.

    \b
    Examples:
      myceld journal export state 7
      myceld journal export 12D3KooW…/state 7 --out proof.tlog-proof
    """
    with common.client() as cell:
        local = _local(cell, name)
        answer = cell.journal_proof(local, index)
    path = Path(out or f"{local}-{index}.tlog-proof")
    if out == "-":
        show.line(answer["file"].rstrip("\n"))
        return
    try:
        show.to_file(path, answer["file"])
    except OSError as error:
        raise BadInput(f"can not write {path}: {error.strerror}") from error
    if common.as_json:
        show.as_json({**{k: v for k, v in answer.items() if k != "file"}, "path": str(path)})
    else:
        show.line(f"{path}  block {index} of {show.number(answer['size'])}")


@journal.command()
@click.argument("name", shell_complete=complete_journals)
@click.argument("min_index", type=START)
@common_options
def prune(common: Common, name: str, min_index: int) -> None:
    """Delete the blocks before MIN_INDEX of the journal NAME; proofs of the others stay valid.

    \b
    Example:
      myceld journal prune 12D3KooW…/state 100000
    """
    with common.client() as cell:
        answer = cell.prune_journal(_local(cell, name), min_index)
    if common.as_json:
        show.as_json(answer)
    else:
        show.line(f"blocks before {show.number(min_index)} are deleted")


@journal.command()
@click.argument("target", metavar="CELL/NAME")
@click.option("--stop", is_flag=True, help="Follow it no longer; the copy stays.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the copy is whole.")
@common_options
def follow(common: Common, target: str, *, stop: bool, no_wait: bool) -> None:
    """Keep a checked copy of the journal NAME of another CELL (its id, or a member's name).

    Waits until all of the newest head is here; the cell then goes on following, also after a
    restart. --timeout is how long to wait without any progress. With --json one FollowView a line
    is printed at each step.

    \b
    Examples:
      myceld journal follow bob/state
      myceld journal follow 12D3KooW…/state --stop
    """
    name, slash, of = target.rpartition("/")
    if not slash or not name or not of:
        raise BadUsage("give the journal as CELL/NAME")
    with common.client() as cell:
        view: Mapping[str, Any] = cell.stop_following(name, of) if stop else cell.follow(name, of)
        if not (stop or no_wait):
            view = _wait_whole(common, cell, view)
    if common.as_json:
        show.as_json(view)
    else:
        show.line(
            f"{show.safe(view['state'])}: {show.number(view['length'])} blocks of "
            f"{show.safe(view['journal'])}, fork {view['fork']}, copy {show.safe(view['copy'])}"
        )


def proven_in(file: Path, cell_id: str | None) -> VerifiedProof:
    """Return what a proof file proves, of `cell_id` if given. Raises what is wrong with it."""
    if cell_id is not None:
        public_key_of(cell_id)  # a mistyped id is no fault of the file
    return verify_proof(read_text(file), None if cell_id is None else CellId(cell_id))


@contextlib.contextmanager
def progress(common: Common, label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error, if somebody looks at it; yields what sets (done, of)."""
    if common.as_json or not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def advance(done: int, of: int) -> None:
            bar.length = max(1, of)
            bar.update(done - bar.pos)

        yield advance


def _wait_whole(common: Common, cell: Client, view: Mapping[str, Any]) -> Mapping[str, Any]:
    """Ask until everything of the newest head is here; raises WaitedInVain."""
    last, since = view["length"], time.monotonic()
    with progress(common, "following") as advance:
        while not view["head"] or view["state"] != "following" or view["whole"] < view["size"]:
            if view["state"] == "conflict":
                break
            if view["length"] != last:
                last, since = view["length"], time.monotonic()
                if common.as_json:
                    show.as_json(view)
            if time.monotonic() - since > common.timeout_s:
                why = view["last_error"] or "no answer yet"
                raise WaitedInVain(f"nothing new in {common.timeout_s:g} s ({show.safe(why)})")
            advance(view["length"], view["size"])
            time.sleep(JOURNAL_POLL_S)
            view = _follow_view(cell, view)
    if view["state"] == "conflict":
        raise BadInput(f"the cell contradicted itself: {show.safe(view['last_error'])}")
    return view


def _follow_view(cell: Client, view: Mapping[str, Any]) -> Mapping[str, Any]:
    key = (view["cell_id"], view["journal"])
    found = [item for item in cell.follows()["items"] if (item["cell_id"], item["journal"]) == key]
    return found[0] if found else view


def _blocks(
    cell: Client, name: str, start: int, left: int | None, *, live: bool
) -> Iterator[Mapping[str, Any]]:
    """Yield blocks page by page; `live` waits for more, without end unless `left` is given."""
    at = start
    while left is None or left > 0:
        limit = JOURNAL_PAGE if left is None else min(left, JOURNAL_PAGE)
        items = cell.journal_blocks(name, start=at, limit=limit)["items"]
        yield from items
        at += len(items)
        left = None if left is None else left - len(items)
        if not items:
            if not live:
                raise BadInput(f"the journal has no block {at}")
            time.sleep(JOURNAL_POLL_S)


def _local(cell: Client, name: str) -> str:
    """Return the cell's own journal that NAME means; raises BadInput for a copy that is not."""
    of, slash, journal_name = name.rpartition("/")
    if not slash:
        return name
    for item in cell.follows()["items"]:
        if (item["cell_id"], item["journal"]) == (of, journal_name) and item["copy"]:
            return str(item["copy"])
    raise BadInput(f"there is no copy of {name}; `myceld journal list` shows those there are")


def _follow_row(item: Mapping[str, Any]) -> list[str]:
    return [
        f"{show.safe(item['cell_id'])}/{show.safe(item['journal'])}",
        str(item["fork"]),
        show.number(item["length"]),
        show.number(item["size"]),
        show.safe(item["state"]),
        show.safe(item["copy"]),
        show.safe(item["last_error"]),
    ]


def read_text(file: Path) -> str:
    """Return the text of a proof file, as far as one can be long; raises BadInput."""
    try:
        with file.open("rb") as opened:
            data = opened.read(PROOF_FILE_SIZE_BYTES_MAX + 1)
        return data.decode("utf-8")
    except OSError as error:
        raise BadInput(f"can not read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is not a proof file: it is not text") from error


def _proven(proven: VerifiedProof) -> Mapping[str, Any]:
    head = proven.head
    return {
        "valid": True,
        "cell_id": head.cell_id,
        "journal": head.journal,
        "fork": head.fork,
        "index": proven.index,
        "size": head.size,
        "root": head.root.hex(),
        "block_hex": proven.block.hex(),
        "witnesses": [{"cell_id": w.cell_id, "time_s": w.time_s} for w in proven.witnesses],
    }
