"""Where a state that is not the network's first differs: asked of others, and answered to them.

One stream a peer, few questions on it, each answered with what the peer can prove
(`ledger.diagnosis`). What costs the answering cell time it takes the same time off for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from core.errors import MyceldError
from core.ids import CellId, NetworkId, Round
from gossip.host import PeerStream
from journal import Store
from ledger.diagnosis import (
    ANSWER_SIZE_BYTES_MAX,
    LENGTH_BYTES,
    QUESTION_SIZE_BYTES_MAX,
    Answer,
    AskHeader,
    AskReceipts,
    AskValue,
    NothingGiven,
    ProofGiven,
    Question,
    ReceiptsGiven,
    decode_answer,
    decode_question,
    encode_answer,
    encode_question,
)
from ledger.errors import BadDiagnosis, NoProof
from ledger.header import Receipt
from ledger.limits import DIAGNOSIS_QUESTIONS_MAX, DIAGNOSIS_RECEIPTS_MAX
from ledger.proof import encode_proof
from node.errors import AccessDenied
from node.headers import Headers
from node.limits import DIAGNOSIS_ANSWER_S, DIAGNOSIS_SERVED_MAX, WRITE_TIMEOUT_MS
from node.peers import Peers
from node.proofs import Proofs, receipt_of, rows_of_round

_READ_SIZE_BYTES = 1 << 16


def diagnosis_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol of these questions in a network."""
    return f"/myceld/{network_id.hex()}/diagnosis/1"


class DiagnosisServing:
    """Answers cells that look for where their state differs."""

    def __init__(
        self,
        store: Store,
        headers: Headers,
        proofs: Proofs,
        check: Callable[[CellId], None] = lambda _: None,
    ) -> None:
        """`check` raises AccessDenied for who is not answered."""
        self._store = store
        self._headers = headers
        self._proofs = proofs
        self._check = check
        self._served: set[CellId] = set()

    async def serve(self, stream: PeerStream) -> None:
        """Answer the questions on one stream until it ends. Raises the host's errors."""
        peer = stream.cell_id
        if peer in self._served or len(self._served) >= DIAGNOSIS_SERVED_MAX:
            await stream.abort()
            return
        try:
            self._check(peer)
        except AccessDenied as error:
            frame = encode_answer(NothingGiven(error.code))
            await stream.write(frame, timeout_s=WRITE_TIMEOUT_MS / 1000)
            return
        self._served.add(peer)
        try:
            for _ in range(DIAGNOSIS_QUESTIONS_MAX):
                body = await _read_frame(stream, QUESTION_SIZE_BYTES_MAX)
                if body is None:
                    return
                began_s = time.monotonic()
                frame = encode_answer(await self._answer(decode_question(body)))
                spent_s = time.monotonic() - began_s
                await stream.write(frame, timeout_s=WRITE_TIMEOUT_MS / 1000)
                await asyncio.sleep(spent_s)
        finally:
            self._served.discard(peer)

    async def _answer(self, question: Question) -> Answer:
        try:
            match question:
                case AskHeader():
                    proof = await self._proofs.of_round(question.round, roster=False)
                    return ProofGiven(encode_proof(proof))
                case AskReceipts():
                    return ReceiptsGiven(await self._receipts(question))
                case AskValue():
                    proof = await self._proofs.of_value(question.key, question.round)
                    return ProofGiven(encode_proof(proof))
        except MyceldError as error:
            return NothingGiven(error.code)

    async def _receipts(self, question: AskReceipts) -> tuple[Receipt, ...]:
        rows = await rows_of_round(
            self._store, self._headers, question.round, question.first, DIAGNOSIS_RECEIPTS_MAX
        )
        return tuple(receipt_of(row) for row in rows)


class Inquiry:
    """Questions to one cell, on a stream of their own; an asynchronous context."""

    def __init__(self, peers: Peers, peer: CellId, network_id: NetworkId) -> None:
        self.peer = peer
        self._peers = peers
        self._protocol = diagnosis_protocol(network_id)
        self._stream: PeerStream | None = None

    async def __aenter__(self) -> Self:
        """Dial; raises NoProof without an address, or the host's errors."""
        addresses = self._peers.book.addresses(self.peer)
        if not addresses:
            raise NoProof(f"no address of {self.peer} is known")
        self._stream = await self._peers.dial(
            addresses[0], timeout_s=DIAGNOSIS_ANSWER_S, protocol=self._protocol
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            await self._stream.close()

    async def header_proof(self, round_number: Round) -> bytes:
        """Return the bytes of a proof file of a round's header, not checked; raises NoProof."""
        return await self._proof(AskHeader(round_number))

    async def value_proof(self, key: bytes, round_number: Round) -> bytes:
        """Return a proof file of a value after a round, not checked; raises NoProof."""
        return await self._proof(AskValue(key, round_number))

    async def receipts(self, round_number: Round, count: int) -> list[Receipt]:
        """Return so many receipts of a round, not checked; raises NoProof."""
        found: list[Receipt] = []
        while len(found) < count:
            answer = await self._ask(AskReceipts(round_number, len(found)))
            if not isinstance(answer, ReceiptsGiven) or not answer.receipts:
                raise NoProof(f"{self.peer} has not all receipts of round {round_number}")
            found += answer.receipts
        return found

    async def _proof(self, question: Question) -> bytes:
        answer = await self._ask(question)
        if not isinstance(answer, ProofGiven):
            raise NoProof(f"{self.peer} gave no proof")
        return answer.proof

    async def _ask(self, question: Question) -> Answer:
        stream = self._stream
        if stream is None:
            raise NoProof("no stream is open")
        await stream.write(encode_question(question), timeout_s=WRITE_TIMEOUT_MS / 1000)
        body = await _read_frame(stream, ANSWER_SIZE_BYTES_MAX)
        if body is None:
            raise NoProof(f"{self.peer} ended the stream")
        answer = decode_answer(body)
        if isinstance(answer, NothingGiven):
            raise NoProof(f"{self.peer} has no answer: {answer.code}")
        return answer


async def _read_frame(stream: PeerStream, size_bytes_max: int) -> bytes | None:
    """Return the body of the next frame, None at the end of the stream.

    One question waits for its answer, so nothing is read beyond a frame. Raises BadDiagnosis or
    the host's errors.
    """
    buffer, wanted = bytearray(), LENGTH_BYTES
    while len(buffer) < wanted:
        data = await stream.read(
            min(_READ_SIZE_BYTES, wanted - len(buffer)), timeout_s=DIAGNOSIS_ANSWER_S
        )
        if not data:
            return None
        buffer += data
        if wanted == LENGTH_BYTES and len(buffer) == LENGTH_BYTES:
            length = int.from_bytes(buffer, "big")
            if not 0 < length <= size_bytes_max:
                raise BadDiagnosis(f"a frame of {length} bytes")
            wanted += length
    return bytes(buffer[LENGTH_BYTES:])
