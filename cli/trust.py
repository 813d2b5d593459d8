"""`myceld trust`: what this cell says of others, how far it trusts them, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from cli import show, trust_picture
from cli.completing import complete_members
from cli.errors import BadInput, BadUsage
from cli.journal import read_text
from cli.limits import TRUST_CELLS_DRAWN
from cli.options import LIMIT, STAGE, START, Common, common_options, json_option
from cli.receipt import finish, show_receipt
from core.ids import CellId, cell_id_of, public_key_of
from identity.trust.interaction import INTERACTIONS_JOURNAL
from identity.trust.shown import Shown, verify_shown

_SCORE: Final = click.FloatRange(0, 1)
_ROUND: Final = click.IntRange(0, 2**63 - 1)
_wait = click.option(
    "--wait", type=STAGE, default="applied", show_default=True, help="Stage to wait for."
)
_scope = click.option(
    "--scope", default="general", show_default=True, help="In what respect, in a word or two."
)


@click.group()
def trust() -> None:
    """Say whom to trust, and see how far this cell trusts others.

    Each cell has a view of its own: it begins with what it says itself, and goes on over what those
    say whom it trusts. A score of 0.9 gives full access, 0.7 standard, 0.5 limited, 0.3 read-only.
    """


@trust.command()
@click.argument("cell", metavar="CELL", shell_complete=complete_members)
@click.option("--score", type=_SCORE, required=True, help="0 (not at all) to 1 (fully).")
@_scope
@click.option(
    "--expires",
    "expires_round",
    type=_ROUND,
    default=0,
    show_default=True,
    help="Last round in which it counts; 0 for no end.",
)
@_wait
@common_options
def attest(
    common: Common, cell: str, score: float, scope: str, expires_round: int, wait: str
) -> None:
    """Attest CELL (a member's name, or a cell id), in place of what was said before.

    Everybody can read it. It loses half its weight in half a year; attest again to renew it.

    \b
    Example:
      myceld trust attest grace --score 0.9
    """
    with common.client() as client:
        answer = client.attest(
            cell,
            score,
            scope=scope,
            expires_round=expires_round,
            wait=wait,
            timeout_s=common.timeout_s,
        )
    _show_receipt(common, answer)


@trust.command()
@click.argument("cell", metavar="CELL", shell_complete=complete_members)
@_scope
@_wait
@common_options
def revoke(common: Common, cell: str, scope: str, wait: str) -> None:
    """Take back what this cell said of CELL.

    \b
    Example:
      myceld trust revoke grace
    """
    with common.client() as client:
        answer = client.revoke_attestation(cell, scope=scope, wait=wait, timeout_s=common.timeout_s)
    _show_receipt(common, answer)


@trust.command(name="show")
@click.argument("cell", metavar="CELL", shell_complete=complete_members)
@click.option("--why", is_flag=True, help="Show the paths that make the score, strongest first.")
@_scope
@common_options
def show_cell(common: Common, cell: str, scope: str, *, why: bool) -> None:
    """Show how far this cell trusts CELL (a member's name, or a cell id).

    \b
    Example:
      myceld trust show grace --why
    """
    with common.client() as client:
        answer = client.trust_of(cell, scope=scope)
    if common.as_json:
        show.as_json(answer)
        return
    found = answer["cell"]
    agreed = found["network_score"]
    show.pairs(
        [
            ("cell", show.safe(found["cell_id"])),
            ("name", show.safe(found["name"])),
            ("score", f"{found['score']:.4f}"),
            ("access", show.safe(found["level"])),
            ("network's score", "" if agreed is None else f"{agreed:.2f}"),
        ]
    )
    for said in answer["attestations"]:
        ends = f", up to round {said['expires_round']}" if said["expires_round"] else ""
        show.line(f"attested         {said['score']:.2f} in {show.safe(said['scope'])}{ends}")
    if why:
        _show_why(answer)


@trust.command(name="list")
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="Most cells to show.")
@_scope
@common_options
def list_cells(common: Common, limit: int, scope: str) -> None:
    """List the cells with the highest scores.

    \b
    Example:
      myceld trust list --json | jq '.cells[] | select(.level == "full") | .cell_id'
    """
    with common.client() as client:
        answer = client.trust_graph(limit=limit, scope=scope)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [f"{one['score']:.4f}", one["level"], show.safe(one["name"]), show.safe(one["cell_id"])]
        for one in answer["cells"]
    ]
    show.table(["score", "access", "member", "cell id"], rows)
    if answer["cells_known"] > len(rows):
        show.line(f"{len(rows)} of {show.number(answer['cells_known'])}")


@trust.command()
@click.option("--format", "form", type=click.Choice(["svg", "dot"]), default="svg",
              show_default=True, help="A picture, or the language of Graphviz.")  # fmt: skip
@click.option("--out", metavar="FILE", help="Where to write it; standard output without this.")
@click.option(
    "--limit",
    type=LIMIT,
    default=TRUST_CELLS_DRAWN,
    show_default=True,
    help="Most cells to draw, those with the highest scores.",
)
@_scope
@common_options
def graph(common: Common, form: str, out: str | None, limit: int, scope: str) -> None:
    """Draw who attests whom, as this cell knows it. With --json print the graph instead.

    \b
    Example:
      myceld trust graph --out trust.svg
    """
    with common.client() as client:
        answer = client.trust_graph(limit=limit, scope=scope)
    if common.as_json:
        show.as_json(answer)
        return
    text = trust_picture.svg(answer) if form == "svg" else trust_picture.dot(answer)
    if out is None or out == "-":
        show.line(text.rstrip("\n"))
        return
    try:
        show.to_file(Path(out), text)
    except OSError as error:
        raise BadInput(f"can not write {out}: {error.strerror}") from error
    show.line(f"{out}: {len(answer['cells'])} cells, {len(answer['edges'])} attestations")


@trust.command()
@click.argument("cell", metavar="[CELL]", default="")
@click.option("--of", metavar="CELL", default="", help="Ask this cell for its ones with CELL.")
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="Most to show.")
@common_options
def interactions(common: Common, cell: str, of: str, limit: int) -> None:
    """List what this cell and others (or CELL) signed together: that they dealt with each other.

    With --of another cell is asked for its interactions with CELL. Each comes with the proof that
    it is in that cell's journal and is checked here. It is evidence to look at: whoever makes two
    keys has them sign together, so it counts in nobody's score but in those of the two.

    \b
    Examples:
      myceld trust interactions grace
      myceld trust interactions alan --of grace
    """
    if of and not cell:
        raise BadUsage("say with which CELL the other one is to have dealt")
    items: list[Mapping[str, Any]] = []
    before: int | None = None
    with common.client() as client:
        while True:
            page = client.interactions(cell, of=of, before=before, limit=limit - len(items))
            items += page["items"][: limit - len(items)]
            before = page["next"]
            if before is None or len(items) >= limit:
                break
    if common.as_json:
        show.as_json({"items": items, "next": before})
        return
    rows = [
        [str(item["index"]), show.moment(item["time_ns"]), item["digest"][:16], *item["cells"]]
        for item in items
    ]
    show.table(["index", "time", "digest", "signed by", "and"], rows)


@trust.command()
@click.argument("interaction", metavar="INTERACTION", type=START)
@click.option("--out", metavar="FILE", required=True, help="Where to write it; - for output.")
@common_options
def prove(common: Common, interaction: int, out: str) -> None:
    """Write the proof of INTERACTION, an index of `trust interactions`, to a file.

    It holds what both cells signed, the proof that it is in this cell's journal, and the journal's
    signed head. Anybody can check it with `myceld trust verify`, without any cell.

    \b
    Example:
      myceld trust prove 0 --out met-grace.tlog-proof
    """
    with common.client() as client:
        text = client.journal_proof(INTERACTIONS_JOURNAL, interaction)["file"]
    shown = verify_shown(text)
    if out == "-":
        show.line(text.rstrip("\n"))
        return
    try:
        show.to_file(Path(out), text)
    except OSError as error:
        raise BadInput(f"can not write {out}: {error.strerror}") from error
    if common.as_json:
        show.as_json({"path": out, **_shown_fields(shown)})
    else:
        show.line(f"{out}: block {shown.index} of {shown.shown_by}")


@trust.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--cell", "cell_id", metavar="CELL_ID", help="The cell that must show it.")
@json_option
def verify(file: Path, cell_id: str | None, *, as_json: bool) -> None:
    """Check offline that two cells signed together that they dealt with each other.

    FILE is what `myceld trust prove` writes: the interaction with the proof that it is in the
    journal of one of the two.

    \b
    Example:
      myceld trust verify met-grace.tlog-proof --cell 12D3KooW…
    """
    if cell_id is not None:
        public_key_of(cell_id)  # a mistyped id is no fault of the file
    shown = verify_shown(read_text(file), None if cell_id is None else CellId(cell_id))
    fields = _shown_fields(shown)
    if as_json:
        show.as_json({"valid": True, **fields})
        return
    show.pairs(
        [
            ("signed by both", fields["cells"][0]),
            ("and", fields["cells"][1]),
            ("time", show.moment(fields["time_ns"])),
            ("digest", fields["digest"]),
            ("network", fields["network_id"]),
            ("shown by", f"{shown.shown_by}, block {shown.index}"),
        ]
    )


def _shown_fields(shown: Shown) -> Mapping[str, Any]:
    found = shown.proof.interaction
    return {
        "cells": [cell_id_of(found.one), cell_id_of(found.other)],
        "shown_by": shown.shown_by,
        "network_id": found.network_id.hex(),
        "time_ns": found.time_ns,
        "digest": found.digest.hex(),
        "index": shown.index,
    }


def _show_receipt(common: Common, answer: Mapping[str, Any]) -> None:
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
    finish([answer])


def _show_why(answer: Mapping[str, Any]) -> None:
    show.line()
    show.pairs(
        [
            ("own word", f"{answer['own_word']:.4f}"),
            ("own interactions", f"{answer['own_interactions']:.4f}"),
            ("words of others", f"{answer['by_others']:.4f}"),
        ]
    )
    if answer["paths"]:
        show.line()
        show.table(["brings", "path"], [_path_row(path) for path in answer["paths"]])


def _path_row(path: Mapping[str, Any]) -> list[str]:
    named = [
        show.safe(name or trust_picture.brief(cell))
        for name, cell in zip(path["names"], path["cells"], strict=True)
    ]
    text = named[0]
    for weight, name in zip(path["weights"], named[1:], strict=True):
        text += f" –{weight:.2f}→ {name}"
    return [f"{path['strength']:.4f}", text]
