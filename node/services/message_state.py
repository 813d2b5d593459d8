"""Questions of other cells about the state, answered with proofs, and answers to ours, checked.

The newest certified header often has the state that is there now: rounds without transactions
change nothing, and a certificate takes a round trip. While the state runs ahead of the
certificates, it is looked again for a moment; then the answer is that there is no proof now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from core.errors import MyceldError
from core.ids import Round
from identity.keys import verify
from journal import Store
from ledger.errors import BadStateProof, NoStateProof
from ledger.genesis import Genesis
from ledger.header import RoundHeader
from ledger.limits import STATE_ANSWER_SIZE_BYTES_MAX
from ledger.machine import Ledger
from ledger.prover import prove_keys
from ledger.state_proof import (
    NoAnswer,
    StateAnswer,
    StateQuestion,
    decode_message,
    encode_message,
    is_answer_to,
    verify_answer,
)
from node.headers import Headers
from node.limits import STATE_PROOF_TRIES_MAX, STATE_PROOF_WAIT_S
from node.state_tables import state_values
from node.tables import certificate_of, roster_of_epoch


class States:
    """Answers and checks for one cell. `certified_round` is the execution's."""

    def __init__(
        self,
        store: Store,
        genesis: Genesis,
        headers: Headers,
        ledger: Ledger,
        certified_round: Callable[[], Round],
    ) -> None:
        self._store = store
        self._genesis = genesis
        self._headers = headers
        self._ledger = ledger
        self._certified_round = certified_round

    def judge(self, body: bytes) -> int | None:
        """Return the number of the question that a body answers, None for a question.

        Raises BadStateProof, BadCertificate, or NoStateProof for an epoch not reached here.
        """
        message = decode_message(body)
        if isinstance(message, StateQuestion):
            return None
        if isinstance(message, StateAnswer):
            roster = roster_of_epoch(self._store, self._genesis, message.certificate.epoch)
            if roster is None:
                raise NoStateProof(f"epoch {message.certificate.epoch} is not reached here")
            verify_answer(message, self._genesis.network_id, roster, verify=verify)
        return message.number

    def is_answer(self, body: bytes, question: bytes) -> bool:
        """Return whether a judged answer is about what a question asked for."""
        return is_answer_to(body, question)

    async def answer(self, body: bytes, number: int) -> bytes:
        """Return the answer to the question in message `number`."""
        question = decode_message(body)
        if not isinstance(question, StateQuestion):
            return encode_message(NoAnswer(number, BadStateProof.code))
        for _ in range(STATE_PROOF_TRIES_MAX):
            header = await self._certified_header()
            found = None if header is None else self._proven(question.key, number, header)
            if found is not None:
                body = encode_message(found)
                if len(body) <= STATE_ANSWER_SIZE_BYTES_MAX:
                    return body
                break
            await asyncio.sleep(STATE_PROOF_WAIT_S)
        return encode_message(NoAnswer(number, NoStateProof.code))

    async def _certified_header(self) -> RoundHeader | None:
        certified = self._certified_round()
        if not self._headers.has(certified):
            return None
        try:
            return await self._headers.get(certified)
        except MyceldError:
            return None

    def _proven(self, key: bytes, number: int, header: RoundHeader) -> StateAnswer | None:
        """Return the answer if the state that is there now is that of a certified header."""
        certificate = certificate_of(self._store, header.round)
        if certificate is None:
            return None
        snapshot = self._ledger.state
        if snapshot.root != header.state_root:
            return None
        try:
            # The disk may be a round behind the map: then there is no proof, now.
            proof = prove_keys(snapshot, [key], lambda keys: state_values(self._store, keys))
        except NoStateProof:
            return None
        return StateAnswer(number, key, proof, header, certificate)
