"""What scripts/bench-state --cell measures: the start and the memory of a whole cell.

The cell is one of four members, so it stays quiet. Its database is made by the ledger and the
daemon's own tables: an epoch that a round with all the keys sealed, and a round of the next one
that changed some. The real daemon then starts on it, in a process of its own.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from core.codec import encode
from core.ids import Epoch, EventId, MemberIndex, Round
from identity import keystore
from identity.keys import KeyPair
from journal import Store
from ledger.certificate import Certificate, checkpoint_message
from ledger.genesis import Genesis, to_json
from ledger.header import RoundHeader
from ledger.kinds import Put
from ledger.machine import Candidate, Ledger
from ledger.roster import Member
from ledger.transaction import parse, sign_transaction, transaction_id
from ledger.values import VALUE_PREFIX
from myceld import Client
from node.founding import Wishes, found
from node.home import Home
from node.layout import check_layout
from node.state_tables import page_reader, page_statements
from node.tables import (
    HEADERS_JOURNAL,
    SCHEMA,
    applied_statements,
    certificate_statement,
    state_value,
)

ROOT = Path(__file__).resolve().parent.parent
KEYS = [KeyPair(bytes([number]) * 32) for number in range(1, 5)]
KEYS_PER_COMMIT = 4000
EPOCH_ROUNDS = 16
CHANGED = 36_000
"""About as many as fill what may wait to be written into pages: after a first change of a page in
an epoch, the later ones wait."""
READS = 500
START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A daemon that is ready."""

    ready_s: float
    """From the start of the process on, by the clock."""
    cpu_s: float
    memory_mb: float
    """Of this process alone (PSS): libraries that others use too count in part."""
    used_mb: float
    """The same after it was asked for many values with their proofs."""


def measure_cell(folder: Path, keys: int, repeats: int) -> tuple[Seen, Seen]:
    """Return the best of some starts of a cell without and with so many keys."""
    genesis = made_genesis()
    file = folder / "genesis.json"
    file.write_text(to_json(genesis))
    found_at: list[Seen] = []
    for name, count in (("empty", 0), ("full", keys)):
        home = Home(folder / name)
        home.make()
        keystore.create(home.key, KEYS[0].seed)
        found(home, Wishes(genesis=file))
        asyncio.run(_make_store(home, genesis, count))
        runs = [_seen(home) for _ in range(repeats)]
        best = min(runs, key=lambda one: one.ready_s)
        memory = max(one.memory_mb for one in runs), max(one.used_mb for one in runs)
        found_at.append(Seen(best.ready_s, min(one.cpu_s for one in runs), *memory))
    return found_at[0], found_at[1]


def made_genesis() -> Genesis:
    """Return the network of the four keys."""
    members = tuple(Member(key.public_key, 1, f"cell-{at}") for at, key in enumerate(KEYS, 1))
    return Genesis("bench-state", members, START_NS, epoch_rounds=EPOCH_ROUNDS)


def user_key(number: int) -> str:
    """Return what a user calls a value: evenly spread, as ids are."""
    return Random(number).randbytes(16).hex()  # noqa: S311 - the same keys at each run


def _entries(numbers: Iterable[int], content: bytes) -> list[tuple[bytes, bytes]]:
    """Return what the state has of values, in the order of their keys."""
    value = encode([content, 1, KEYS[0].public_key])
    return sorted((VALUE_PREFIX + user_key(number).encode(), value) for number in numbers)


async def _make_store(home: Home, genesis: Genesis, count: int) -> None:
    key = keystore.load(home.key)
    store = await Store.open(home.database, signer=key.sign, cell_id=key.cell_id)
    try:
        await store.create_tables(SCHEMA)
        await check_layout(store)
        ledger = Ledger(genesis, lambda key: state_value(store, key), page_reader(store))
        for number in range(1, EPOCH_ROUNDS + 2):
            if number == EPOCH_ROUNDS:
                await _fill(store, ledger, count)
            await _apply(store, genesis, ledger, number)
            if number == EPOCH_ROUNDS:
                await _change(store, ledger, count)
    finally:
        await store.close()


async def _fill(store: Store, ledger: Ledger, count: int) -> None:
    """Put so many values beside transactions: these would take minutes."""
    entries = _entries(range(count), b"at first")
    for at in range(0, count, KEYS_PER_COMMIT):
        await _write(store, ledger, entries[at : at + KEYS_PER_COMMIT])


async def _change(store: Store, ledger: Ledger, count: int) -> None:
    """Change some values in the new epoch, twice: so maps are not the same, and the log is full."""
    for content in (b"later", b"last"):
        numbers = range(min(count, CHANGED))
        entries = _entries(numbers, content)
        for at in range(0, len(entries), KEYS_PER_COMMIT):
            await _write(store, ledger, entries[at : at + KEYS_PER_COMMIT])


async def _write(store: Store, ledger: Ledger, entries: Sequence[tuple[bytes, bytes]]) -> None:
    tree = ledger._tree  # noqa: SLF001 - the map of the ledger, beside transactions
    statements = [
        ("INSERT OR REPLACE INTO state VALUES (?, ?)", entries),
        *page_statements(tree.update(entries)),
    ]
    await store.transaction({}, statements, durable=False)


async def _apply(store: Store, genesis: Genesis, ledger: Ledger, number: int) -> None:
    """Apply a round with one put."""
    raw = sign_transaction(
        network_id=genesis.network_id,
        sender=KEYS[0].public_key,
        nonce=number,
        arguments=Put(f"key-{number}", bytes(8)),
        sign=KEYS[0].sign,
    )
    time_ns = genesis.time_ns + number * 1_000_000_000
    identity, parsed = transaction_id(raw), parse(raw, genesis.network_id)
    me = MemberIndex(0)
    candidate = Candidate(identity, len(raw), EventId(identity), me, time_ns, parsed)
    roster = ledger.roster
    applied = ledger.apply(
        Round(number), [candidate], creators={me}, ordered_before=(), consensus_time_ns=time_ns
    )
    statements = [
        *applied_statements(applied, roster, 0),
        certificate_statement(_certified(genesis, applied.header)),
    ]
    blocks = {HEADERS_JOURNAL: [applied.header.encode()]}
    await store.transaction(blocks, statements, durable=True)


def _certified(genesis: Genesis, header: RoundHeader) -> Certificate:
    message = checkpoint_message(genesis.network_id, header.epoch, header.round, header.hash)
    signatures = tuple((MemberIndex(at), key.sign(message)) for at, key in enumerate(KEYS))
    return Certificate(Epoch(header.epoch), header.round, header.hash, signatures)


def _seen(home: Home) -> Seen:
    """Start the cell, look at it, ask it for values with their proofs, look again, and stop it."""
    begun = time.monotonic()
    with _running(home) as (process, ready_at):
        cpu_s, memory_mb = _cpu_s(process.pid), pss_mb(process.pid)
        with Client.from_home(home.path, timeout_s=60) as client:
            for number in range(READS):
                client.state_proof(user_key(number))
        return Seen(ready_at - begun, cpu_s, memory_mb, pss_mb(process.pid))


@contextmanager
def _running(home: Home) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """Run the cell of a directory; yield its process and when it was ready."""
    with (home.path / "log").open("w") as log:
        command = [sys.executable, "-m", "node", "run", "--home", str(home.path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
    try:
        if not any(line.strip() == "ready" for line in process.stdout or ()):
            raise SystemExit(f"the cell did not start: {(home.path / 'log').read_text()}")
        yield process, time.monotonic()
    finally:
        process.terminate()
        process.communicate(timeout=30)


def pss_mb(pid: int) -> float:
    """Return the memory of a process, that it shares with others in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
