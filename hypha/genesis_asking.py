"""The genesis of a network of which only the id is known: any gateway may tell it.

The id is the hash of the genesis, so nobody can tell another one. Who has the id from somebody they
trust, in a ticket for instance, needs no genesis file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from core.errors import MyceldError
from core.ids import NetworkId
from hypha.errors import AnswerBesides, AnswerGarbled, GatewaySilent, NoGatewayAnswers
from hypha.limits import ASK_TIMEOUT_S
from hypha.line import Line
from ledger.genesis import Genesis
from ledger.proof import decode_proof, from_text


async def ask_genesis(lines: Sequence[Line], network_id: NetworkId) -> Genesis:
    """Return the genesis with this hash from the first gateway that has it, and close the lines.

    Raises NoGatewayAnswers with what each said.
    """
    errors: list[str] = []
    try:
        for line in lines:
            try:
                async with asyncio.timeout(ASK_TIMEOUT_S):
                    return await _told_by(line, network_id)
            except TimeoutError:
                errors.append(f"{line.address.url}: no answer in {ASK_TIMEOUT_S:.0f} s")
            except MyceldError as error:
                errors.append(str(error))
    finally:
        for line in lines:
            line.close()
    raise NoGatewayAnswers(f"no gateway told the network's genesis: {'; '.join(errors)}"[:800])


async def _told_by(line: Line, network_id: NetworkId) -> Genesis:
    """Return what one gateway tells; raises MyceldError."""
    answer = await line.get("/api/light/head", {"epoch": 0})
    text = answer.get("proof")
    if text is None:
        raise GatewaySilent(f"{line.address.url}: its network has no certified round yet")
    if not isinstance(text, str):
        raise AnswerGarbled("an answer whose proof is not text")
    genesis = decode_proof(from_text(text)).genesis
    if genesis.network_id != network_id:
        raise AnswerBesides(f"{line.address.url} is a gateway of network {genesis.name}")
    return genesis
