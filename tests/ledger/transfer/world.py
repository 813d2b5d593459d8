"""A network's history with the ends of its epochs, as honest and lying cells serve it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from random import Random

from core.ids import CellId, Epoch, Round
from identity.keys import verify
from ledger.chain import RosterLink
from ledger.header import Receipt
from ledger.machine import Applied
from ledger.map_proof import TOP, Place
from ledger.prover import prove_piece
from ledger.roster import Roster
from ledger.transfer.fetcher import Effects, Fetcher
from ledger.transfer.server import answer_of
from ledger.transfer.wire import (
    Answer,
    Ask,
    Piece,
    ReceiptRow,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from ledger.tree import Snapshot, StateTree
from tests.ledger.world import GENESIS, KEYS, Cell, candidates, certified, opaque, put

SHORT = dataclasses.replace(GENESIS, epoch_rounds=16)


class History:
    """A ledger over several epochs, with everything that a server needs."""

    def __init__(
        self,
        seed: int,
        epochs: int,
        keys: int = 40,
        value_bytes: int = 8,
        *,
        busy: Sequence[int] = (0, 0, 1, 3),
    ) -> None:
        """`busy`: how many transactions a round may have."""
        self.random = Random(seed)  # noqa: S311 - chance of a test
        self.cell = Cell(SHORT)
        self.applied: list[Applied] = []
        self.links: list[RosterLink] = []
        self.states: list[dict[bytes, bytes]] = []
        self.keys, self.value_bytes, self._busy = keys, value_bytes, busy
        self._nonce = 0
        for _ in range(epochs):
            self.epoch()

    def epoch(self) -> None:
        """Apply rounds until the next seal."""
        while True:
            raws = [self._transaction() for _ in range(self.random.choice(self._busy))]
            applied = self.cell.apply(candidates(raws))
            self.applied.append(applied)
            if applied.sealed is not None:
                certificate = certified(applied.header, (0, 1, 2))
                self.links.append(RosterLink(applied.header, certificate, applied.sealed))
                self.states.append(dict(self.cell.state))
                return

    def add(self, entries: dict[bytes, bytes]) -> None:
        """Have more in the state, as if a round had written it."""
        self.cell.state.update(entries)
        self.cell.pages.write(self.cell.ledger._tree.update(entries.items()))

    def _transaction(self) -> bytes:
        self._nonce += 1
        if self.random.random() < 0.2:
            return opaque(str(self._nonce))
        value = self.random.randbytes(self.value_bytes)
        sender = self._nonce % len(KEYS)
        return put(self._nonce, f"k{self.random.randrange(self.keys)}", value, sender=sender)

    def roster(self, epoch: int) -> Roster:
        return self.cell.rosters[epoch]

    def roster_of(self, number: int) -> Roster:
        """Return the roster that votes on a round."""
        return [one for one in self.cell.rosters if one.first_round <= max(1, number)][-1]

    def window_of(self, applied: Applied) -> Round:
        """Return the first round of the epoch before the one that is present after a round."""
        epoch = applied.header.epoch - (0 if applied.sealed is not None else 1)
        return self.roster(max(0, epoch)).first_round

    def receipts(self, epoch: int) -> list[Receipt]:
        return [
            entry.receipt
            for applied in self.applied
            if applied.header.epoch == epoch
            for entry in applied.entries
        ]


class HonestSource:
    """What a cell serves of a history: the newest two ends, or as many as it is told."""

    def __init__(self, history: History, *, served: int = 2, missing: Sequence[int] = ()) -> None:
        self._history = history
        self._served = served
        self._missing = set(missing)

    def newest(self) -> Epoch | None:
        links = self._history.links
        return Epoch(len(links) - 1) if links else None

    async def links(self, epoch: Epoch, count_max: int) -> list[RosterLink]:
        found = self._history.links[epoch : epoch + min(3, count_max)]
        return [
            link
            for at, link in enumerate(found, epoch)
            if not self._missing & set(range(epoch, at + 1))
        ]

    def snapshot(self, epoch: Epoch) -> Snapshot | None:
        if epoch < len(self._history.links) - self._served:
            return None
        return self._history.cell.ledger.snapshot(epoch)

    def values(self, epoch: Epoch, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {key: self._history.states[epoch][key] for key in keys}

    async def headers(self, epoch: Epoch, last: Round, count_max: int) -> list[bytes]:
        found = [
            applied.header.encode()
            for applied in reversed(self._history.applied)
            if applied.header.epoch == epoch and applied.header.round <= last
        ]
        return found[: min(5, count_max)]

    def receipts(self, epoch: Epoch, position: int, count_max: int) -> list[ReceiptRow]:
        found = [
            (receipt.id, receipt.event, receipt.consensus_time_ns, receipt.outcome)
            for receipt in self._history.receipts(epoch)
            if receipt.position >= position
        ]
        return found[: min(4, count_max)]


def piece_of(
    state: dict[bytes, bytes], place: Place = TOP, *, size_bytes_max: int = 100_000
) -> Piece:
    """Return a piece of a state that is small."""
    tree = StateTree()
    tree.update(state.items())

    def fetch(keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {key: state[key] for key in keys}

    return Piece(prove_piece(tree.present(), place, fetch, size_bytes_max=size_bytes_max))


Lie = Callable[[Ask, Answer], Answer]


class Newcomer:
    """A fetcher whose disk survives it, and the peers that it asks, over the wire format."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.disk: dict[bytes, bytes] = {}
        self.peers: dict[CellId, tuple[HonestSource, Lie]] = {}
        self.dropped: list[CellId] = []
        self.asks = 0
        self.start()

    def start(self, *, above: int = 0) -> None:
        """Begin anew, as after a crash."""
        self.fetcher = Fetcher(SHORT.network_id, SHORT.roster, Round(above), self.disk.get, verify)
        self.waiting: list[tuple[CellId, Ask]] = []
        for peer in self.peers:
            self.fetcher.joined(peer)
            self._carry_out()

    def join(self, name: str, source: HonestSource, lie: Lie = lambda _, answer: answer) -> None:
        peer = CellId(name)
        self.peers[peer] = (source, lie)
        self.fetcher.joined(peer)
        self._carry_out()

    def leave(self, name: str) -> None:
        peer = CellId(name)
        del self.peers[peer]
        self.waiting = [(at, ask) for at, ask in self.waiting if at != peer]
        self.fetcher.left(peer)
        self._carry_out()

    def step(self, random: Random) -> None:
        """Answer the oldest request of one peer."""
        peer = random.choice(sorted({peer for peer, _ in self.waiting}))
        at = next(at for at, (asked, _) in enumerate(self.waiting) if asked == peer)
        _, ask = self.waiting.pop(at)
        self.asks += 1
        source, lie = self.peers[peer]
        assert decode_ask(encode_ask(ask)[4:]) == ask
        answer = lie(ask, asyncio.run(answer_of(ask, source)))
        self.fetcher.answered(peer, decode_answer(encode_answer(answer)[4:]))
        self._carry_out()

    def run(self, random: Random, steps: int = 10_000) -> None:
        """Go on until all is there, nobody has more, or so many answers were taken."""
        while steps > 0 and self.waiting and self.fetcher.whole is None:
            self.step(random)
            steps -= 1

    def _carry_out(self) -> None:
        while True:
            effects: Effects = self.fetcher.take()
            self.disk |= dict(effects.keep)
            for peer, _ in effects.drops:
                self.dropped.append(peer)
                del self.peers[peer]
                self.waiting = [(at, ask) for at, ask in self.waiting if at != peer]
            self.waiting += effects.asks
            if not effects.more:
                return
            self.fetcher.advance()
