"""What scripts/bench-hypha measures with: a network made of headers alone, and a gateway of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from core.codec import encode
from core.ids import Epoch, Hash, MemberIndex, PublicKey, Round
from identity.keys import KeyPair
from ledger.certificate import checkpoint_message
from ledger.genesis import Genesis
from ledger.header import NO_HEADER, RoundHeader
from ledger.proof import (
    HeaderClaim,
    Proof,
    Signers,
    StateClaim,
    Step,
    Subject,
    encode_proof,
    to_text,
)
from ledger.prover import prove_keys
from ledger.roster import Member, Roster
from ledger.tree import StateTree
from ledger.values import VALUE_PREFIX

START_NS = 1_700_000_000_000_000_000
SENDER = PublicKey(bytes(32))


class Chain:
    """A network of some members; one of them is replaced every so many epochs, or never."""

    def __init__(self, members: int, keys: int) -> None:
        self.pairs = [KeyPair(hashlib.sha256(b"%d" % at).digest()) for at in range(members)]
        self.genesis = Genesis("bench", _members(self.pairs), START_NS)
        self.roster = self.genesis.roster
        self.steps: list[Step] = []
        """From the genesis on; one for every epoch that changed the members."""
        self._tree = StateTree()
        self._values: dict[bytes, bytes] = {}
        for at in range(keys):
            key = VALUE_PREFIX + b"key-%d" % at
            self._values[key] = encode([b"value-%d" % at, 1, SENDER])
        self._tree.update(self._values.items())
        self.headers = [self._header(Round(1), NO_HEADER)]

    def go_on(self, rounds: int, epochs: int, *, change_every: int) -> None:
        """Add rounds in epochs of one length; who is in it longest leaves every so many epochs."""
        length = rounds // epochs
        seal: Step | None = None
        for number in range(1, epochs + 1):
            for _ in range(length - 1):
                self._add()
            changes = change_every > 0 and number % change_every == 0
            before = self.pairs
            if changes:
                new = KeyPair(hashlib.sha256(b"new %d" % len(self.headers)).digest())
                self.pairs = [*self.pairs[1:], new]
            last = self.headers[-1]
            following = Roster(
                Epoch(self.roster.epoch + 1),
                Round(last.round + 2),
                last.consensus_time_ns,
                _members(self.pairs),
            )
            sealing = replace(self._header(Round(last.round + 1), last.hash), roster=following.hash)
            self.headers.append(sealing)
            seal = Step(sealing, _signed(sealing, before), following)
            self.roster = following
            if changes:
                self.steps.append(seal)
                seal = None
        if seal is not None:
            self.steps.append(seal)
        self._add()

    def proof(self, subject: Subject) -> Proof:
        """Return the proof of something at the newest header, from the genesis on."""
        header = self.headers[-1]
        signers = _signed(header, self.pairs)
        return Proof(self.genesis, tuple(self.steps), (header,), signers, subject)

    def value_claim(self, key: bytes) -> StateClaim:
        """Return what the state says of a key."""
        proof = prove_keys(self._tree.present(), [key], self._fetch)
        return StateClaim(key, self._values.get(key), proof)

    def _fetch(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {key: self._values[key] for key in keys if key in self._values}

    def _add(self) -> None:
        last = self.headers[-1]
        self.headers.append(self._header(Round(last.round + 1), last.hash))

    def _header(self, number: Round, previous: Hash) -> RoundHeader:
        return RoundHeader(
            network_id=self.genesis.network_id,
            epoch=self.roster.epoch,
            round=number,
            previous=previous,
            state_root=self._tree.root(),
            receipts_root=Hash(hashlib.sha256(b"").digest()),
            roster=self.roster.hash,
            transactions=0,
            transactions_total=number,
            consensus_time_ns=START_NS + number,
        )


class ServedChain:
    """A gateway that proves everything from the genesis on, in a thread of its own."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.bytes_sent = 0
        self.url = ""
        self._head = ""

    def show_newest(self) -> None:
        """Have the newest head told from now on."""
        self._head = to_text(encode_proof(self.chain.proof(HeaderClaim())))

    @contextmanager
    def served(self) -> Iterator[None]:
        """Listen until the end of the block."""
        loop, ready = asyncio.new_event_loop(), threading.Event()

        async def listen() -> None:
            server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready.set()

        def run() -> None:
            loop.run_until_complete(listen())
            loop.run_forever()

        self.show_newest()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        ready.wait(10)
        try:
            yield
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                target = urlsplit(head.split(" ", 2)[1])
                query = {name: values[0] for name, values in parse_qs(target.query).items()}
                body = json.dumps(self._answer(target.path, query)).encode()
                self.bytes_sent += len(body)
                writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    def _answer(self, path: str, query: dict[str, str]) -> dict[str, object]:
        newest = self.chain.headers[-1].round
        text: str | None = self._head
        if path == "/api/light/state":
            claim = self.chain.value_claim(bytes.fromhex(query["key"]))
            text = to_text(encode_proof(self.chain.proof(claim)))
        elif int(query.get("round", 0)) >= newest:
            text = None
        return {"certified_round": newest, "begins_at": 0, "proof": text}


def _members(pairs: list[KeyPair]) -> tuple[Member, ...]:
    return tuple(Member(pair.public_key, 1, f"m{at}") for at, pair in enumerate(pairs))


def _signed(header: RoundHeader, pairs: list[KeyPair]) -> Signers:
    """Return the signatures of just more than two thirds."""
    message = checkpoint_message(header.network_id, header.epoch, header.round, header.hash)
    count = 2 * len(pairs) // 3 + 1
    return tuple((MemberIndex(at), pairs[at].sign(message)) for at in range(count))
