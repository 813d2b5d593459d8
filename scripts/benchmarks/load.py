"""Load generators: a process a cell, which hands in transactions and fetches receipts later.

Open loop: transactions come due at random times (Poisson), whatever the cell does; those that are
due are handed in together every few milliseconds, over one connection. Closed loop: a few clients
hand in batches, each the next one when its last is ordered.

During the load nothing is asked beyond that. Afterwards every batch is handed in once more: the
cell knows the transactions, so it only answers with their receipts, a thousand at a time.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from core.ids import AccountId, Amount
from identity.keys import KeyPair
from ledger.genesis import from_json
from ledger.kinds import Arguments, Put
from ledger.payment import Transfer
from ledger.transaction import opaque_transaction, sign_transaction, transaction_id
from myceld import CellRefused, Client

STAGES = ("accepted", "stored", "ordered", "applied", "certified")
RECEIPTS_PER_CALL = 500
COLLECT_TIMEOUT_S = 120.0
BACK_OFF_S = 0.02
KEYS_PER_SENDER = 1000
VALUE_SIZE_BYTES = 32
SENDER_PRANA = 10**9
"""Base units that each sender of payments begins with; it pays one at a time."""
PAID_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What one generator does."""

    home: Path
    kind: str
    """`opaque`, or signed: `put` or `pay`."""
    size_bytes: int
    """Of the content of an opaque transaction."""
    rate: float | None
    """Transactions a second of this generator; None is a closed loop."""
    duration_s: float
    gather_ms: float
    """Open loop: how long due transactions gather before they are handed in."""
    phase: float
    """Where in that interval this generator stands, from 0 to 1: the cells are not fed in step."""
    clients: int
    batch: int
    """Closed loop: how many clients, and transactions of one hand-in."""
    prepare: int
    """How many transactions are made before the load starts."""
    seed: int


@dataclass(slots=True)
class Sent:
    """One accepted transaction. Times are nanoseconds of the Unix epoch."""

    id: str
    due_ns: int
    stages_ns: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Result:
    """What became of one generator's transactions."""

    sent: list[Sent]
    refused: int
    """Not taken, because the cell's queue was full; a closed loop tries again."""
    collecting_ns: int
    """When the load was over and the receipts were asked for."""
    backlog_s: float
    """Open loop: how far the last hand-in was behind what was due."""


def generate(plan: Plan, control: Connection) -> None:
    """Prepare, say so, wait for the time to start, run, fetch the receipts, send a Result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides, and ends us
    load = _Load(plan)
    control.send(os.getpid())
    start_ns: int = control.recv()
    time.sleep(max(0.0, (start_ns - time.time_ns()) / 1e9))
    if plan.rate is None:
        load.run_closed(start_ns)
    else:
        load.run_open(start_ns, plan.rate)
    control.send("over")
    control.recv()
    control.send(load.collect())


class _Load:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._batches: list[tuple[list[bytes], list[int]]] = []
        self._refused = 0
        self._backlog_s = 0.0
        self._errors: list[Exception] = []
        count = max(1, plan.clients if plan.rate is None else 1)
        self._makers = [_maker(plan, at) for at in range(count)]
        share = plan.prepare // count
        self._ready = [[make() for _ in range(share)] for make in self._makers]

    def run_open(self, start_ns: int, rate: float) -> None:
        """Hand in what is due until the time is over."""
        due_ns = _arrivals(self._plan, start_ns, rate)
        gather_ns = int(self._plan.gather_ms * 1e6)
        at = 0
        with Client.from_home(self._plan.home) as client:
            while at < len(due_ns):
                # The first moment of our own clock at which the next one is due.
                wake_ns = start_ns + int(self._plan.phase * gather_ns)
                wake_ns += -(-(due_ns[at] - wake_ns) // gather_ns) * gather_ns
                time.sleep(max(0.0, (wake_ns - time.time_ns()) / 1e9))
                now_ns, first = time.time_ns(), at
                while at < len(due_ns) and due_ns[at] <= now_ns and at - first < 1000:
                    at += 1
                raws = self._take(0, at - first)
                if not self._submit(client, raws, due_ns[first:at], "accepted"):
                    self._refused += len(raws)
            self._backlog_s = max(0, time.time_ns() - due_ns[-1]) / 1e9 if due_ns else 0.0

    def run_closed(self, start_ns: int) -> None:
        """Run the clients until the time is over."""
        end_ns = start_ns + int(self._plan.duration_s * 1e9)
        threads = [
            threading.Thread(target=self._guarded, args=(self._run_client, at, end_ns))
            for at in range(self._plan.clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def collect(self) -> Result:
        """Ask for the receipts of everything that was accepted, certified as far as possible."""
        collecting_ns = time.time_ns()
        sent: list[Sent] = []
        raws: list[bytes] = []
        for batch, dues in self._batches:
            raws += batch
            sent += [
                Sent(transaction_id(raw).hex(), due) for raw, due in zip(batch, dues, strict=True)
            ]
        with Client.from_home(self._plan.home) as client:
            for at in range(0, len(raws), RECEIPTS_PER_CALL):
                part = raws[at : at + RECEIPTS_PER_CALL]
                answer = client.submit(part, wait="certified", timeout_s=COLLECT_TIMEOUT_S)
                for one, receipt in zip(sent[at : at + len(part)], answer["items"], strict=True):
                    one.stages_ns = receipt["stages_ns"]
        return Result(sent, self._refused, collecting_ns, self._backlog_s)

    def _guarded(self, run: Callable[[int, int], None], at: int, end_ns: int) -> None:
        try:
            run(at, end_ns)
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._errors.append(error)

    def _run_client(self, at: int, end_ns: int) -> None:
        """Hand in batch after batch until the time is over: one at least, however late it is."""
        with Client.from_home(self._plan.home) as client:
            raws: list[bytes] = []
            while True:
                raws = raws or self._take(at, self._plan.batch)
                if self._submit(client, raws, [time.time_ns()] * len(raws), "ordered"):
                    raws = []
                else:
                    self._refused += len(raws)
                    time.sleep(BACK_OFF_S)
                if time.time_ns() >= end_ns:
                    return

    def _take(self, maker: int, count: int) -> list[bytes]:
        ready = self._ready[maker]
        taken, self._ready[maker] = ready[:count], ready[count:]
        return taken + [self._makers[maker]() for _ in range(count - len(taken))]

    def _submit(self, client: Client, raws: list[bytes], dues: list[int], wait: str) -> bool:
        """Hand in a batch; return whether it was accepted."""
        try:
            client.submit(raws, wait=wait, timeout_s=COLLECT_TIMEOUT_S)
        except CellRefused as error:
            if error.status == 503 and error.retryable:
                return False
            if error.status != 504:  # not ordered in time, but accepted
                raise
        self._batches.append((raws, dues))
        return True


def _arrivals(plan: Plan, start_ns: int, rate: float) -> list[int]:
    chance = random.Random(plan.seed)  # noqa: S311 - not a secret
    due_ns, at_s = [], chance.expovariate(rate)
    while at_s < plan.duration_s:
        due_ns.append(start_ns + int(at_s * 1e9))
        at_s += chance.expovariate(rate)
    return due_ns


def _maker(plan: Plan, client: int) -> Callable[[], bytes]:
    """Return what makes the next transaction of a client, never the same twice."""
    if plan.kind == "opaque":
        return lambda: opaque_transaction(os.urandom(plan.size_bytes))
    genesis = from_json((plan.home / "genesis.json").read_text())
    pair = KeyPair(os.urandom(32))
    payees = [AccountId(member.public_key) for member in genesis.members]
    if plan.kind == "pay":
        with Client.from_home(plan.home) as cell:
            cell.pay(pair.public_key.hex(), SENDER_PRANA, wait="applied", timeout_s=PAID_TIMEOUT_S)
    nonce = 0

    def make() -> bytes:
        nonlocal nonce
        arguments: Arguments = Transfer(payees[nonce % len(payees)], Amount(1))
        if plan.kind == "put":
            key = f"bench/{pair.cell_id}/{client}/{nonce % KEYS_PER_SENDER}"
            arguments = Put(key, os.urandom(VALUE_SIZE_BYTES))
        raw = sign_transaction(
            network_id=genesis.network_id,
            sender=pair.public_key,
            nonce=nonce,
            arguments=arguments,
            sign=pair.sign,
        )
        nonce += 1
        return raw

    return make
