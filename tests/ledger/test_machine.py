"""The same rounds give the same headers everywhere; nothing takes effect twice or out of order."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import encode
from core.errors import InvariantBroken
from core.ids import Round
from ledger.accounts import Account, account_key, decode_account
from ledger.errors import (
    Expired,
    Malformed,
    NonceUsed,
    StatePageLost,
    UnknownKind,
    WrongSignature,
)
from ledger.header import APPLIED, NO_HEADER, receipts_root
from ledger.machine import Applied
from ledger.transaction import transaction_id
from tests.ledger.world import GENESIS, KEYS, START_NS, Cell, candidates, opaque, put

ROOT = Path(__file__).resolve().parents[2]


def outcomes(applied: Applied) -> list[str]:
    """Return the outcomes of a round, in order."""
    return [entry.receipt.outcome for entry in applied.entries]


_RAWS = st.one_of(
    st.builds(
        put,
        st.integers(0, 8),
        st.sampled_from("abc"),
        st.binary(max_size=2),
        sender=st.integers(0, 2),
        expires=st.integers(0, 4),
    ),
    st.sampled_from([opaque("1"), opaque("2")]),
    st.binary(max_size=3),
)
ROUNDS = st.lists(st.lists(_RAWS, max_size=6), max_size=6)


@given(ROUNDS, st.data())
@settings(deadline=None, max_examples=60)
def test_two_cells_agree_also_when_one_restarts_at_any_time(
    rounds: list[list[bytes]], data: st.DataObject
) -> None:
    one, other = Cell(), Cell()
    for raws in rounds:
        applied = one.apply(candidates(raws))
        if data.draw(st.booleans()):
            other = other.restarted()
        again = other.apply(candidates(raws))
        assert applied.header.hash == again.header.hash
        assert applied.changes == again.changes
    assert one.state == other.state


@given(ROUNDS)
@settings(deadline=None, max_examples=60)
def test_every_transaction_is_listed_once_and_every_nonce_is_used_once(
    rounds: list[list[bytes]],
) -> None:
    cell = Cell()
    listed: list[bytes] = []
    done: list[tuple[bytes, int]] = []
    previous = NO_HEADER
    for raws in rounds:
        applied = cell.apply(candidates(raws))
        listed += [entry.receipt.id for entry in applied.entries]
        done += [
            (entry.candidate.parsed.sender, entry.candidate.parsed.nonce)  # type: ignore[union-attr]  # only signed ones have nonces
            for entry in applied.entries
            if entry.receipt.outcome == APPLIED and hasattr(entry.candidate.parsed, "nonce")
        ]
        header = applied.header
        assert header.previous == previous
        assert header.transactions == len(applied.entries)
        assert header.transactions_total == len(listed)
        assert header.receipts_root == receipts_root([e.receipt for e in applied.entries])
        assert [e.receipt.position for e in applied.entries] == list(
            range(len(listed) - len(applied.entries), len(listed))
        )
        previous = header.hash
    assert len(listed) == len(set(listed))
    assert set(listed) == {transaction_id(raw) for raws in rounds for raw in raws}
    assert len(done) == len(set(done))


def test_the_transactions_of_one_sender_take_effect_in_the_order_of_their_nonces() -> None:
    cell = Cell()
    raws = [
        put(2, "k", b"last"),
        put(0, "x", sender=1),
        put(0, "k", b"first"),
        opaque("o"),
        put(1, "k", b"middle"),
    ]
    applied = cell.apply(candidates(raws))
    listed = [entry.receipt.id for entry in applied.entries]
    assert listed == [transaction_id(raws[at]) for at in (2, 1, 4, 3, 0)]
    assert outcomes(applied) == [APPLIED] * 5
    assert cell.value("k") == encode([b"last", 1, KEYS[0].public_key])


def test_a_late_nonce_in_a_later_round_still_counts() -> None:
    cell = Cell()
    cell.apply(candidates([put(5, "k", b"five")]))
    applied = cell.apply(candidates([put(2, "k", b"two")]))
    assert outcomes(applied) == [APPLIED]
    assert cell.value("k") == encode([b"two", 2, KEYS[0].public_key])


def test_copies_are_skipped_within_and_across_rounds() -> None:
    cell = Cell()
    raw = put(0)
    assert outcomes(cell.apply(candidates([raw, opaque("o"), raw, opaque("o")]))) == [APPLIED] * 2
    again = cell.apply(candidates([opaque("o"), raw]))
    assert (again.entries, again.changes) == ((), ())
    assert again.header.transactions_total == 2


def test_a_used_nonce_refuses_another_transaction_for_good() -> None:
    cell = Cell()
    applied = cell.apply(candidates([put(0, "k", b"one"), put(0, "k", b"two")]))
    assert outcomes(applied) == [APPLIED, NonceUsed.code]
    assert isinstance(applied.entries[1].refusal, NonceUsed)
    assert cell.value("k") == encode([b"one", 1, KEYS[0].public_key])
    assert outcomes(cell.apply(candidates([put(0, "other")]))) == [NonceUsed.code]
    assert outcomes(cell.apply(candidates([put(0, "k", sender=1)]))) == [APPLIED]


def test_an_expired_transaction_changes_nothing_but_uses_its_nonce() -> None:
    cell = Cell()
    cell.apply([])
    applied = cell.apply(candidates([put(0, "k", expires=2)]))
    assert outcomes(applied) == [APPLIED]
    applied = cell.apply(candidates([put(1, "k", b"late", expires=2)]))
    assert outcomes(applied) == [Expired.code]
    assert [key for key, _ in applied.changes] == [account_key(KEYS[0].public_key)]
    assert outcomes(cell.apply(candidates([put(1, "k", b"again")]))) == [NonceUsed.code]


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        (put(0), WrongSignature("not the sender's")),
        (b"junk", Malformed("junk")),
        (encode([b"body", bytes(64)]), UnknownKind("no such kind")),
    ],
)
def test_a_transaction_that_is_none_is_listed_and_uses_no_nonce(
    raw: bytes, refusal: Malformed | WrongSignature | UnknownKind
) -> None:
    cell = Cell()
    applied = cell.apply(candidates([raw], refused=refusal))
    assert outcomes(applied) == [refusal.code]
    assert applied.entries[0].refusal is refusal
    assert applied.changes == ()
    assert cell.ledger.account(KEYS[0].public_key) == Account()


def test_opaque_transactions_change_no_state() -> None:
    cell = Cell()
    before = cell.apply([]).header.state_root
    assert cell.apply(candidates([opaque("o")])).header.state_root == before


def test_changes_name_each_key_once_with_its_last_value() -> None:
    cell = Cell()
    applied = cell.apply(candidates([put(at, "k", bytes([at])) for at in range(3)]))
    assert len(applied.changes) == len(dict(applied.changes)) == 2
    account = dict(applied.changes)[account_key(KEYS[0].public_key)]
    assert account is not None
    assert decode_account(account) == Account(2, 0b111)


def test_an_empty_round_keeps_the_state_and_the_time_of_the_one_before() -> None:
    cell = Cell()
    assert cell.apply([]).header.consensus_time_ns == 0
    one = cell.apply(candidates([opaque("a"), opaque("b")])).header
    two = cell.apply([]).header
    assert one.consensus_time_ns == START_NS + 1
    assert (two.consensus_time_ns, two.state_root) == (one.consensus_time_ns, one.state_root)
    assert two.hash != one.hash


def test_rounds_follow_each_other_without_a_gap() -> None:
    cell = Cell()
    cell.apply([])
    for number in (1, 3):
        with pytest.raises(InvariantBroken):
            cell.ledger.apply(
                Round(number), [], creators=(), ordered_before=(), consensus_time_ns=None
            )


def test_a_state_that_is_not_that_of_the_header_is_noticed() -> None:
    cell = Cell()
    for nonce in range(60):
        cell.apply(candidates([put(nonce, f"key-{nonce}")]))
    stored = cell.pages.heads()
    heads = stored.heads
    assert len(heads) > 1
    for at, head in enumerate(heads):
        damaged = [*heads[:at], head._replace(digest=bytes(32)), *heads[at + 1 :]]
        missing = [*heads[:at], *heads[at + 1 :]]
        for content in (damaged, missing):
            with pytest.raises(StatePageLost, match="map on disk"):
                Cell().ledger.restore(
                    cell.headers[-1], GENESIS.roster, replace(stored, heads=tuple(content))
                )


def test_a_page_that_is_not_as_it_was_written_stops_the_cell_when_it_is_read() -> None:
    cell = Cell()
    for nonce in range(60):
        cell.apply(candidates([put(nonce, f"key-{nonce}")]))
    for keep in (slice(9), slice(1, None)):
        again = cell.restarted()
        rows = again.pages.rows
        again.pages.rows = {
            number: row._replace(body=row.body[keep]) for number, row in rows.items()
        }
        with pytest.raises(StatePageLost):
            again.apply(candidates([put(60)]))


_PROGRAM = """
from tests.ledger.world import Cell, candidates, opaque, put
cell = Cell()
for number in range(6):
    raws = [put(8 * number + at % 5, f"k{at}", bytes([at]), sender=at % 4) for at in range(20)]
    cell.apply(candidates([*raws, opaque(str(number)), b"junk", raws[3]]))
print(cell.headers[-1].hash.hex())
"""


def test_processes_with_other_hash_seeds_compute_the_same_headers() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("0", "1", "4711")
    ]
    printed = {process.communicate(timeout=300)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(printed) == 1
    assert len(printed.pop().strip()) == 64
