"""`myceld receipt`, and how a receipt is shown wherever one is."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from cli import show
from cli.errors import EXIT_OK, EXIT_REFUSED_BY_LEDGER, BadUsage, WaitedInVain
from cli.limits import FOLLOW_STEP_S
from cli.options import Common, common_options
from myceld.errors import CellRefused
from myceld.limits import STAGES


@click.command()
@click.argument("transaction_id", metavar="ID")
@click.option("--follow", is_flag=True, help="Show each stage as it comes, until the last.")
@click.option("--proof", metavar="FILE", help="Write the proof of place and outcome to FILE.")
@common_options
def receipt(common: Common, transaction_id: str, proof: str | None, *, follow: bool) -> None:
    """Show how far a transaction has come.

    The stages are accepted, stored, ordered, applied, certified. --follow ends when the
    transaction is certified, or refused by the ledger (exit status 5); it prints one line per
    stage, with --json the whole receipt at every step. --proof waits until the transaction is
    certified and writes a file that `myceld verify` checks anywhere.

    \b
    Examples:
      myceld receipt 3fa2…
      myceld receipt 3fa2… --follow --timeout 120
      myceld receipt 3fa2… --proof receipt.proof
    """
    if follow and proof:
        raise BadUsage("--follow and --proof exclude each other")
    if follow:
        finish([_follow(common, transaction_id)])
        return
    with common.client() as cell:
        if proof is None:
            answer = cell.receipt(transaction_id)
        else:
            answer = cell.receipt(transaction_id, wait=STAGES[-1], timeout_s=common.timeout_s)
            from cli.proof_file import write_proof  # noqa: PLC0415 - loads the whole ledger

            write_proof(proof, cell.receipt_proof(transaction_id), common.home)
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
        if proof is not None:
            show.line(f"proof written to {proof}")
    finish([answer])


def show_receipt(answer: Mapping[str, Any]) -> None:
    """Print one receipt for people."""
    refusal = answer["refusal"]
    place = ""
    if answer["position"] is not None:
        place = f"position {show.number(answer['position'])} in round {answer['round']}"
    show.pairs(
        [
            ("transaction", show.safe(answer["id"])),
            ("stage", show.safe(answer["stage"])),
            ("outcome", show.safe(answer["outcome"]) if answer["outcome"] else ""),
            ("refused", _refusal_text(refusal) if refusal else ""),
            ("kind", show.safe(answer["kind"]) if answer["kind"] else ""),
            ("nonce", "" if answer["nonce"] is None else str(answer["nonce"])),
            ("place", place),
            ("ordered at", show.moment(answer["consensus_time_ns"]) if place else ""),
        ]
    )


def finish(receipts: Sequence[Mapping[str, Any]]) -> None:
    """Exit with 5 when the ledger refused any of these transactions."""
    refused = any(answer["outcome"] == "refused" for answer in receipts)
    raise click.exceptions.Exit(EXIT_REFUSED_BY_LEDGER if refused else EXIT_OK)


def _follow(common: Common, transaction_id: str) -> Mapping[str, Any]:
    until_s = time.monotonic() + common.timeout_s
    shown = 0
    with common.client() as cell:
        answer = cell.receipt(transaction_id)
        while True:
            reached = STAGES.index(answer["stage"]) + 1
            if reached > shown:
                _show_progress(common, answer, shown, reached)
                shown = reached
            if answer["outcome"] == "refused" or reached == len(STAGES):
                return answer
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise WaitedInVain(
                    f"stage {STAGES[reached]} was not reached in {show.duration(common.timeout_s)}"
                )
            step_s = min(left_s, FOLLOW_STEP_S)
            try:
                answer = cell.receipt(transaction_id, wait=STAGES[reached], timeout_s=step_s)
            except CellRefused as error:
                if error.status != 504:
                    raise


def _show_progress(common: Common, answer: Mapping[str, Any], shown: int, reached: int) -> None:
    if common.as_json:
        show.as_json(answer)
        return
    for stage in STAGES[shown:reached]:
        text = f"{stage:<9}  {show.moment(answer['stages_ns'].get(stage))}"
        if stage == "ordered" and answer["position"] is not None:
            text += f"  position {show.number(answer['position'])} in round {answer['round']}"
        if stage == "applied" and answer["outcome"] == "refused":
            text += f"  refused: {_refusal_text(answer['refusal'] or {})}"
        show.line(text)
    sys.stdout.flush()


def _refusal_text(refusal: Mapping[str, Any]) -> str:
    return f"{show.safe(refusal.get('code'))}: {show.safe(refusal.get('message'))}"
