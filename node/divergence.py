"""What to do when the network has certified another state: find where it differs, and tell.

The first differing round is looked for by bisection over headers that other cells prove; then the
first transaction of it whose receipt differs, and a state key whose value is not the certified
one: of those that its transactions were about, or else by going down both maps with proofs
(`ledger.map_difference`). The report is a file beside the store; nothing is repaired here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from core.codec import encode
from core.errors import MyceldError, RemoteViolation
from core.ids import NetworkId, PublicKey, Round, short
from journal import Store
from ledger.accounts import account_key
from ledger.errors import NoProof, ProofSubjectWrong
from ledger.header import Receipt, RoundHeader, receipts_root
from ledger.kinds import VALUE_PREFIX, Put
from ledger.map_difference import Comparison
from ledger.map_proof import Opened
from ledger.proof import StateClaim, decode_proof, to_text
from ledger.prover import prove_keys
from ledger.transaction import SignedTransaction, parse
from ledger.verify import Verified, verify_proof
from node.clock import wall_ns
from node.diagnosis import Inquiry
from node.errors import NotInHistory
from node.headers import Headers
from node.home import write_file
from node.limits import DIVERGENCE_RETRY_S
from node.peers import Peers
from node.proofs import Proofs, receipt_of, rows_of_round
from node.stages.execution import Divergence
from node.state_tables import values_at

_LOG = structlog.get_logger("divergence")
_KEYS_MAX: Final = 64
"""Keys that are compared: those of so many transactions of the first differing round."""
_PROOFS_MAX: Final = 128
"""Proofs by which a differing key is looked for: a map of a million keys takes some thirty. All
questions of one search have to stay below DIAGNOSIS_QUESTIONS_MAX."""


@dataclass(slots=True)
class Finding:
    """Where the state first differs, as far as it is known. Texts are for people and files."""

    certified_round: Round
    certified_hash: str
    own_hash: str
    first_round: Round | None = None
    own_header: str | None = None
    their_header: str | None = None
    header_proof: str | None = None
    transaction: str | None = None
    own_outcome: str | None = None
    their_outcome: str | None = None
    key: str | None = None
    own_value: str | None = None
    their_value: str | None = None
    value_proof: str | None = None
    peer: str | None = None
    report: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """One line for people."""
        words = (
            f"the network certified another state of round {self.certified_round} than this cell "
            "computed"
        )
        if self.first_round is not None:
            words += f"; the first that differs is round {self.first_round}"
        if self.transaction is not None:
            words += (
                f", transaction {self.transaction[:16]}…: {self.own_outcome} here, "
                f"{self.their_outcome} there"
            )
        if self.key is not None:
            words += f"; state key {self.key[:64]}"
        return f"{words}. Nothing is applied; `myceld repair` takes over the certified state"


class DivergenceSearch:
    """Looks for where this cell's state differs. Reads the store; asks connected cells."""

    def __init__(
        self, store: Store, network_id: NetworkId, headers: Headers, proofs: Proofs, peers: Peers
    ) -> None:
        self._store = store
        self._network_id = network_id
        self._headers = headers
        self._proofs = proofs
        self._peers = peers
        self.finding: Finding | None = None

    async def run(self, found: Divergence, directory: Path) -> None:
        """Ask one connected cell after the other until one can tell; write the report."""
        finding = self.finding = Finding(
            found.certificate.round,
            found.certificate.header_hash.hex(),
            found.own_hash.hex(),
        )
        self._write(finding, found, directory)
        first: Round | None = None
        while first is None:
            for peer in self._peers.connected():
                try:
                    async with Inquiry(self._peers, peer, self._network_id) as inquiry:
                        first = await self._search(inquiry, finding)
                    finding.peer = peer
                    break
                except MyceldError as error:
                    _LOG.info("no diagnosis from a peer", peer=short(peer), reason=str(error))
                    if isinstance(error, RemoteViolation):
                        self._peers.drop(peer, error)
            else:
                await asyncio.sleep(DIVERGENCE_RETRY_S)
        # With this it counts as looked into: whoever sees it finds the whole report.
        finding.first_round = first
        self._write(finding, found, directory)
        _LOG.error("divergence found", where=finding.words, report=finding.report)

    async def _search(self, inquiry: Inquiry, finding: Finding) -> Round:
        """Note where the states differ; return the first round in which they do."""
        first, theirs, proof = await self._first_round(inquiry, finding.certified_round)
        own = await self._headers.get(first)
        receipts = await inquiry.receipts(first, theirs.transactions)
        if receipts_root(receipts) != theirs.receipts_root:
            raise ProofSubjectWrong("the receipts are not those of the header")
        finding.own_header, finding.their_header = own.encode().hex(), theirs.encode().hex()
        finding.header_proof = to_text(proof)
        await self._compare_receipts(first, receipts, finding)
        if not await self._compare_values(inquiry, first, finding):
            await self._compare_maps(inquiry, own, finding)
        return first

    async def _first_round(
        self, inquiry: Inquiry, certified: Round
    ) -> tuple[Round, RoundHeader, bytes]:
        """Return the first round whose header differs, their header and the proof of it.

        Steps back twice as far each time until a round agrees, then halves what is between.
        """
        theirs, proof = await self._their_header(inquiry, certified)
        differs, agrees, step = certified, 0, 1
        while agrees < differs - 1:
            at = Round(max(agrees + 1, differs - step))
            if agrees:
                at = Round((agrees + differs) // 2)
            header, raw = await self._their_header(inquiry, at)
            if await self._agrees(header):
                agrees = at
            else:
                differs, theirs, proof, step = at, header, raw, 2 * step
        return differs, theirs, proof

    async def _their_header(self, inquiry: Inquiry, at: Round) -> tuple[RoundHeader, bytes]:
        raw = await inquiry.header_proof(at)
        verified = self._verified(raw)
        if verified.header.round != at:
            raise ProofSubjectWrong(f"the proof is of round {verified.header.round}, not of {at}")
        return verified.header, raw

    async def _agrees(self, header: RoundHeader) -> bool:
        """Return whether our header of a round is the same; one that a jump left out is."""
        try:
            return (await self._headers.get(header.round)).hash == header.hash
        except NotInHistory:
            return True

    def _verified(self, raw: bytes) -> Verified:
        return verify_proof(decode_proof(raw), self._network_id)

    async def _compare_receipts(
        self, first: Round, theirs: Sequence[Receipt], finding: Finding
    ) -> None:
        count = (await self._headers.get(first)).transactions
        rows = await rows_of_round(self._store, self._headers, first, 0, count)
        own = [receipt_of(row) for row in rows]
        for here, there in zip(own, theirs, strict=False):
            if here != there:
                finding.transaction = there.id.hex()
                finding.own_outcome = here.outcome if here.id == there.id else "another one"
                finding.their_outcome = there.outcome
                return
        if len(own) != len(theirs):
            finding.notes.append(f"{len(own)} transactions here, {len(theirs)} there")

    async def _compare_values(self, inquiry: Inquiry, first: Round, finding: Finding) -> bool:
        """Look for a key of the round's transactions whose value after it is not the certified."""
        for key in (await self._keys_of(first))[:_KEYS_MAX]:
            try:
                raw = await inquiry.value_proof(key, first)
            except NoProof:
                finding.notes.append(f"no proof of state key {key.hex()} was to be had")
                continue
            if self._note_value(self._value_in(raw, key, first), raw, first, finding):
                return True
        return False

    async def _compare_maps(self, inquiry: Inquiry, own: RoundHeader, finding: Finding) -> None:
        """Go down both maps, as they were after a round, to a key whose value differs."""
        fetch = partial(values_at, self._store, own.round)
        comparison = Comparison()
        for _ in range(_PROOFS_MAX):
            key = comparison.key
            if key is None:
                finding.notes.append("the state after that round does not differ")
                return
            try:
                raw = await inquiry.value_proof(key, own.round)
                ours = prove_keys(self._proofs.map_after(own), [key], fetch)
            except MyceldError as error:
                if isinstance(error, RemoteViolation):
                    raise
                finding.notes.append(f"no proof of state key {_shown(key)}: {error}")
                return
            claim = self._value_in(raw, key, own.round)
            if comparison.take(Opened(claim.proof), Opened(ours)) is not None:
                self._note_value(claim, raw, own.round, finding)
                return
        finding.notes.append(f"{_PROOFS_MAX} proofs led to no state key")

    def _note_value(self, claim: StateClaim, raw: bytes, at: Round, finding: Finding) -> bool:
        """Note a value that is not the certified one; return whether it is so."""
        own = values_at(self._store, at, [claim.key]).get(claim.key)
        if claim.value == own:
            return False
        finding.key = _shown(claim.key)
        finding.own_value = None if own is None else own.hex()
        finding.their_value = None if claim.value is None else claim.value.hex()
        finding.value_proof = to_text(raw)
        return True

    def _value_in(self, raw: bytes, key: bytes, at: Round) -> StateClaim:
        verified = self._verified(raw)
        claim = verified.claim
        if not isinstance(claim, StateClaim) or (claim.key, verified.header.round) != (key, at):
            raise ProofSubjectWrong("the proof is of another key or round")
        return claim

    async def _keys_of(self, first: Round) -> list[bytes]:
        """Return state keys that the transactions of a round are about."""
        keys: list[bytes] = []
        for row in await rows_of_round(self._store, self._headers, first, 0, _KEYS_MAX):
            raw = await self._proofs.transaction_of(row)
            try:
                parsed = None if raw is None else parse(raw, self._network_id)
            except MyceldError:
                continue
            if isinstance(parsed, SignedTransaction):
                if isinstance(parsed.arguments, Put):
                    keys.append(VALUE_PREFIX + parsed.arguments.key.encode())
                keys.append(account_key(PublicKey(parsed.sender)))
        return list(dict.fromkeys(keys))

    def _write(self, finding: Finding, found: Divergence, directory: Path) -> None:
        """Write the report, again when there is more to say."""
        path = directory / f"divergence-{finding.certified_round}.json"
        finding.report = str(path)
        content: dict[str, Any] = {
            "format": "myceld-divergence/1",
            "network_id": self._network_id.hex(),
            "found_ns": wall_ns(),
            "words": finding.words,
            "certificate": encode(found.certificate.to_value()).hex(),
        }
        names = [name for name in Finding.__slots__ if name != "report"]
        content |= {name: getattr(finding, name) for name in names}
        write_file(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _shown(key: bytes) -> str:
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return f"0x{key.hex()}"
    return text if text.isprintable() else f"0x{key.hex()}"
