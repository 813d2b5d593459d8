"""What the ledger's tests share: a network of four fixed keys, and a ledger with its disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.ids import Epoch, EventId, MemberIndex, NetworkId, Round
from identity.keys import KeyPair
from ledger.certificate import Certificate, checkpoint_message
from ledger.errors import TransactionRefused
from ledger.genesis import Genesis
from ledger.header import RoundHeader
from ledger.kinds import NEWEST, Arguments, Put
from ledger.machine import Applied, Candidate, Ledger
from ledger.roster import Member, Roster
from ledger.rotation import KeyRotate
from ledger.succession import succession_message
from ledger.transaction import (
    Transaction,
    opaque_transaction,
    parse,
    sign_transaction,
    transaction_id,
)
from tests.ledger.pages import PageDisk

ALL_KEYS = tuple(KeyPair(bytes([number]) * 32) for number in range(1, 9))
KEYS, NEWCOMERS = ALL_KEYS[:4], ALL_KEYS[4:]
"""Those of the first members, and those of cells that may join them."""
START_NS = 1_700_000_000_000_000_000
GENESIS = Genesis(
    "golden",
    tuple(Member(key.public_key, 1, f"cell-{at}") for at, key in enumerate(KEYS, 1)),
    START_NS,
)
NETWORK = GENESIS.network_id


class Cell:
    """A ledger with what its owner keeps on disk."""

    def __init__(self, genesis: Genesis = GENESIS) -> None:
        self.genesis = genesis
        self.state: dict[bytes, bytes] = {}
        self.pages = PageDisk()
        self.ledger = Ledger(genesis, self.state.get, self.pages.read)
        self.ordered: dict[bytes, Round] = {}
        """The round that listed an id last."""
        self.headers: list[RoundHeader] = []
        self.rosters: list[Roster] = [genesis.roster]

    def apply(self, items: list[Candidate], present: Iterable[int] = ()) -> Applied:
        """Apply the next round, with events of those present, and make its effects durable."""
        applied = self.ledger.apply(
            Round(self.ledger.applied_round + 1),
            items,
            creators={MemberIndex(index) for index in present},
            ordered_before=self.in_window(),
            consensus_time_ns=items[-1].consensus_time_ns if items else None,
        )
        write_state(self.state, applied.changes)
        self.pages.write(applied.pages)
        number = applied.header.round
        self.ordered |= {entry.receipt.id: number for entry in applied.entries}
        self.headers.append(applied.header)
        if applied.sealed is not None:
            self.rosters.append(applied.sealed)
        return applied

    def act(self, *acts: tuple[KeyPair, Arguments]) -> list[str]:
        """Apply a round of signed transactions with the next free nonces; return the outcomes."""
        keys = {pair.public_key for pair, _ in acts}
        used = {key: self.ledger.account(key).highest for key in keys}
        raws: list[bytes] = []
        for pair, arguments in acts:
            used[pair.public_key] += 1
            raws.append(signed(pair, used[pair.public_key], arguments))
        items = candidates(raws, version=self.ledger.transaction_version)
        return [entry.receipt.outcome for entry in self.apply(items).entries]

    def restarted(self) -> Cell:
        """Return a new process on the same disk."""
        again = Cell(self.genesis)
        again.state.update(self.state)
        again.pages.write_all(self.pages)
        again.ordered = dict(self.ordered)
        again.headers, again.rosters = list(self.headers), list(self.rosters)
        if self.headers:
            again.ledger.restore(
                self.headers[-1],
                self.rosters[-1],
                again.pages.heads(),
                before=self.rosters[-2] if len(self.rosters) > 1 else None,
            )
        return again

    def in_window(self) -> set[bytes]:
        """Return the ids that were listed in this epoch or the one before."""
        first = self.ledger.window_first_round
        return {identity for identity, number in self.ordered.items() if number >= first}

    def value(self, key: str) -> bytes | None:
        """Return the state value of a user's key."""
        return self.state.get(b"value/" + key.encode())


def at_version_3(cell: Cell) -> Cell:
    """Let a new cell's first epoch have all kinds, as after an upgrade."""
    rules = replace(cell.genesis.roster.rules, transaction_version=3)
    cell.ledger._roster = replace(cell.genesis.roster, rules=rules)
    cell.rosters = [cell.ledger.roster]
    return cell


def write_state(state: dict[bytes, bytes], changes: Iterable[tuple[bytes, bytes | None]]) -> None:
    """Do to a state what a round changes."""
    for key, value in changes:
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value


def certified(
    header: RoundHeader,
    signers: Iterable[int],
    *,
    epoch: int | None = None,
    keys: Sequence[KeyPair] = ALL_KEYS,
) -> Certificate:
    """Return a certificate by the members that `signers` numbers; `keys` are in roster order."""
    number = header.epoch if epoch is None else Epoch(epoch)
    message = checkpoint_message(header.network_id, number, header.round, header.hash)
    signatures = tuple((MemberIndex(at), keys[at].sign(message)) for at in signers)
    return Certificate(number, header.round, header.hash, signatures)


def put(
    nonce: int, key: str = "k", value: bytes = b"v", *, sender: int = 0, expires: int = 0
) -> bytes:
    """Return a signed put of one of the fixed keys."""
    return signed(KEYS[sender], nonce, Put(key, value), expires=expires)


def signed(
    pair: KeyPair,
    nonce: int,
    arguments: Arguments,
    *,
    expires: int = 0,
    fee: int = 0,
    network_id: NetworkId = NETWORK,
) -> bytes:
    """Return a transaction signed by a key."""
    return sign_transaction(
        network_id=network_id,
        sender=pair.public_key,
        nonce=nonce,
        arguments=arguments,
        sign=pair.sign,
        expires_round=Round(expires),
        fee=fee,
    )


def rotation(old: KeyPair, new: KeyPair, network_id: NetworkId = NETWORK) -> KeyRotate:
    """Return what gives one key up for another, signed by both."""
    message = succession_message(network_id, old.public_key, new.public_key)
    return KeyRotate(new.public_key, old.sign(message), new.sign(message))


def opaque(text: str) -> bytes:
    """Return an opaque transaction."""
    return opaque_transaction(text.encode())


def candidates(
    raws: Iterable[bytes],
    *,
    time_ns: int = START_NS,
    refused: TransactionRefused | None = None,
    network_id: NetworkId = NETWORK,
    version: int = NEWEST,
) -> list[Candidate]:
    """Return transactions as events carry them, one event each."""
    return [
        Candidate(
            transaction_id(raw),
            len(raw),
            EventId(hashlib.sha256(raw).digest()),
            MemberIndex(at % len(KEYS)),
            time_ns + at,
            _parsed(raw, network_id, version) if refused is None else refused,
        )
        for at, raw in enumerate(raws)
    ]


def _parsed(raw: bytes, network_id: NetworkId, version: int) -> Transaction | TransactionRefused:
    try:
        return parse(raw, network_id, version)
    except TransactionRefused as refusal:
        return refusal
