"""Gateways of the tests: raw HTTP servers that tell the truth, or lie in ways that are given."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from core.ids import Round
from ledger.header import RoundHeader, receipt_path
from ledger.proof import (
    HeaderClaim,
    Proof,
    ReceiptClaim,
    Subject,
    encode_proof,
    steps_of,
    to_text,
)
from ledger.roster_proof import RosterStep, shortest
from ledger.transaction import transaction_id
from ledger.values import Put
from tests.ledger.proof_world import Network
from tests.ledger.test_roster_proof import SHORT
from tests.ledger.world import KEYS, certified, signed

Json: TypeAlias = dict[str, Any]
Answer: TypeAlias = Callable[["FakeGateway", str, Json], Awaitable[bytes]]
"""From a gateway, a path and a query to all bytes of an HTTP answer."""


def story(rounds: int, *, epochs: int = 0, other_from: int | None = None) -> Network:
    """A network after a round, so many epochs and then rounds with puts; always the same one.

    From round `other_from` of these on it tells another story, which its members sign as well.
    """
    made = begun()
    for _ in range(epochs):
        made.seal()
    for at in range(rounds):
        other = other_from is not None and at >= other_from
        made.put((f"key-{at}", b"other" if other else b"value"), ("newest", bytes([at])))
    return made


def begun() -> Network:
    """A network with one round, in which a value was put."""
    made = Network()
    made.submit(signed(KEYS[0], 0, Put("first", b""), network_id=SHORT.network_id))
    return made


def tail(made: Network, subject: Subject, epoch: int, header: RoundHeader | None = None) -> Proof:
    """The proof of something at the newest header, from the roster of an epoch on."""
    at = made.headers[-1] if header is None else header
    start = made.rosters[epoch]
    steps = []
    if at.epoch > epoch:
        between = [one for one in made.steps if start.first_round <= one.header.round < at.round]
        steps = shortest(start, [*between, _naming(made, at)])
    return Proof(SHORT, steps_of(start, steps), (at,), made.signers(at), subject)


def _naming(made: Network, header: RoundHeader) -> RosterStep:
    """The newest step to the roster of a header's epoch."""
    roster = made.roster_of(header)
    newest = next(one for one in reversed(made.headers) if one.roster == roster.hash)
    voters = made.keys_of(made.roster_of(newest))
    certificate = certified(newest, range(len(voters)), keys=voters)
    return RosterStep(newest, certificate, tuple(key.public_key for key in voters), roster)


def told(made: Network, proof: Proof | None, epoch: int) -> Json:
    """What a gateway says."""
    text = None if proof is None else to_text(encode_proof(proof))
    return {"certified_round": made.headers[-1].round, "begins_at": epoch, "proof": text}


def honest(made: Network, path: str, query: Json) -> Json:
    """What an honest gateway of a network answers."""
    newest = made.headers[-1]
    epoch = int(query.get("epoch", 0))
    epoch = epoch if epoch <= newest.epoch else 0
    if path == "/api/light/head":
        known = int(query.get("round", 0))
        own = next((one for one in made.headers if one.round == known), None)
        if own is not None and own.hash.hex() != query["hash"]:
            return told(made, tail(made, HeaderClaim(), 0, own), 0)
        if newest.round <= known:
            return told(made, None, epoch)
        return told(made, tail(made, HeaderClaim(), epoch), epoch)
    if path == "/api/light/state":
        return told(made, tail(made, made.value_claim(bytes.fromhex(query["key"])), epoch), epoch)
    if path == "/api/light/range":
        start, end = bytes.fromhex(query["start"]), bytes.fromhex(query["end"])
        claim = made.range_claim(start, end, int(query["limit"]))
        return told(made, tail(made, claim, epoch), epoch)
    if path == "/api/light/round":
        header = next(one for one in made.headers if one.round == int(query["round"]))
        return told(made, tail(made, HeaderClaim(), epoch, header), epoch)
    if path.startswith("/api/light/receipts/"):
        return _receipt(made, bytes.fromhex(path.rpartition("/")[2]), epoch)
    return refusal("MYC-GATEWAY-030", "nothing here")


def _receipt(made: Network, wanted: bytes, epoch: int) -> Json:
    """Of the newest round only."""
    receipts = [entry.receipt for entry in made.entries]
    for index, receipt in enumerate(receipts):
        if receipt.id == wanted:
            raw = next(raw for raw in made.raws if transaction_id(raw) == wanted)
            path = tuple(receipt_path(receipts, index))
            claim = ReceiptClaim(receipt, raw, index, path)
            return told(made, tail(made, claim, epoch), epoch)
    return refusal("MYC-GATEWAY-021", "no such transaction")


def refusal(code: str, message: str) -> Json:
    return {"error": {"code": code, "message": message}}


def as_http(answer: Json, status: int | None = None) -> bytes:
    body = json.dumps(answer).encode()
    number = status or (404 if "error" in answer else 200)
    head = f"HTTP/1.1 {number} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


async def truth(gateway: FakeGateway, path: str, query: Json) -> bytes:
    return as_http(honest(gateway.network, path, query))


@dataclass
class FakeGateway:
    """One gateway; what it says can be changed while it runs."""

    network: Network
    answer: Answer = truth
    url: str = ""
    asked: list[str] = field(default_factory=list)
    connections: int = 0
    heads: list[str] = field(default_factory=list)
    """Of the requests, whole."""
    posted: list[Json] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def served(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeGateway]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        self.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()

    @property
    def round(self) -> Round:
        return self.network.headers[-1].round

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await self._read_body(head, reader)
                target = urlsplit(head.split(" ", 2)[1])
                query = {name: values[0] for name, values in parse_qs(target.query).items()}
                self.asked.append(target.path)
                self.heads.append(head)
                writer.write(await self.answer(self, target.path, query))
                await writer.drain()
                if "Connection: close" in head:
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _read_body(self, head: str, reader: asyncio.StreamReader) -> None:
        for line in head.lower().split("\r\n"):
            if line.startswith("content-length:"):
                body = await reader.readexactly(int(line.partition(":")[2]))
                self.posted.append(json.loads(body))
