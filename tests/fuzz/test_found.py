"""Every input that once broke a promise, and what happens to it now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from core.ids import Epoch, MemberIndex
from hashgraph.event import decode_event, make_event
from hashgraph.header import parents_hash
from ledger.errors import BadMapProof
from node.journal_answers import name_of
from sim.errors import BadScenario
from tests.fuzz.judge import MEMORY_FACTOR, Report, try_one
from tests.fuzz.samples import DIGEST
from tests.fuzz.target import Target
from tests.fuzz.targets import all_targets
from tests.ledger.world import GENESIS, KEYS, NETWORK

_SIZE: Final = 1 << 20
_HEADS: Final = ("head of a copy", "head of the cell's own file")


def _array(part: bytes, size: int = _SIZE) -> bytes:
    count = (size - 8) // len(part)
    return b"\xdd" + count.to_bytes(4, "big") + part * count


def _text(head: bytes, part: bytes, tail: bytes, size: int) -> bytes:
    return head + part * ((size - len(head) - len(tail)) // len(part)) + tail


def _found() -> Iterator[tuple[str, bytes, str]]:
    """Yield (decoder, input, code of the refusal)."""
    # A frame of 1 MiB took 0.3 to 1 s, and up to 66 times its size.
    for part in (b"\x90", b"\xc0", b"\x01", b"\xa2ab", b"\xcd\x01\x01", b"\xc4\x02ab", b"\x91\x90"):
        yield "canonical value", _array(part), "MYC-CORE-002"
        yield "gossip frame", b"\x92\x06" + _array(part, 40_000), "MYC-GOSSIP-002"
        yield "transfer answer", b"\x92\x0e" + _array(part, 40_000), "MYC-TRANSFER-001"
    # The first repair read on within a float, and took what it hid for bytes.
    hidden = b"\xcb\x3f\xf8\x00\xc6\x00\x00\xf0\x00" + b"\x90" * 0xF000
    yield "canonical value", b"\xdd\x00\x00\x3e\x81" + hidden + b"\xc0" * 15_996, "MYC-CORE-002"
    # A boolean stood for the number 1: two encodings of one request.
    yield "transfer request", bytes.fromhex("92c303"), "MYC-TRANSFER-001"
    # 400 entries out of order were all hashed, and took ten times their size.
    entries = [b"\x03\x00\x07value/" + name + b"\x00\x00\x00\x01v" for name in (b"k", b"l")]
    chain = [b"\x01" + at.to_bytes(2, "big") + entries[at % 2] for at in range(399)]
    yield "piece of the state", b"\x01" + b"".join(chain) + entries[1], BadMapProof.code
    # Inner nodes without end took 38 times their size.
    inner = b"".join(b"\x01" + at.to_bytes(2, "big") for at in range(4608))
    yield "proof about the state map", b"\x01" + inner, BadMapProof.code
    # Arrays within a row of blocks took 37 times the row.
    yield "chunk row", b"\xdc\x00\x10" * 1057, "MYC-JOURNAL-016"
    yield "chunk row", b"\x92\x92\x01\x01\x01", "MYC-JOURNAL-016"
    # Damaged rows gave errors of other modules.
    yield "head of a copy", b"12d3kOO/notes/0\n10\n", "MYC-JOURNAL-016"
    yield "head of the cell's own file", b"12D3\xdc/notes/0\n10\n\n", "MYC-JOURNAL-003"
    # All lines were listed before they were counted: 9 and 13 times the size.
    lines = "— a b\n".encode() * 1600
    yield "head of a journal", lines, "MYC-JOURNAL-003"
    yield "cosignatures", lines, "MYC-JOURNAL-003"
    start = b"c2sp.org/tlog-proof@v1\nextra YmxvY2s=\nindex 3\n"
    yield "proof file", start + b"A\n" * 100_000 + b"\n", "MYC-JOURNAL-061"
    yield "proof file, verified", start + b"\n" + b"A\n" * 100_000, "MYC-JOURNAL-003"
    yield from _found_in_files()


def _found_in_files() -> Iterator[tuple[str, bytes, str]]:
    # A cell that is no number was looked for among 2 ** 62 machines, one by one.
    machines = b'{"version": 1, "seed": 1, "members": 4611686018427387904, "down": ["x"]}'
    yield "scenario", machines, BadScenario.code
    version = b"version: 1\ncell:\n  "
    for value in (b"!!int ''", b"!!float ''", b"!!bool x", b"!!timestamp x"):
        # IndexError, KeyError, AttributeError of the library.
        yield "config.yaml", version + b"name: " + value, "MYC-NODE-001"
    for number in (b"0x" + b"f" * 5000, b"1" + b":59" * 400 + b".5", b"1" + b":59" * 1900):
        # ValueError while the refusal was written; OverflowError; a third of a megabyte.
        yield "config.yaml", b"version: " + number, "MYC-NODE-001"
    merges = [b"m0: &m0 {a: b}"]
    merges += [b"m%d: &m%d {<<: [%s]}" % (n, n, b"*m%d, " % (n - 1) * 9) for n in range(1, 9)]
    # Nine mappings grew to 9 ** 8 keys.
    yield "config.yaml", b"\n".join(merges), "MYC-NODE-001"
    yield "config.yaml", b"? " * 114, "MYC-NODE-001"
    yield "config.yaml", _text(b"a: [", b"x,", b"]", 40_000), "MYC-NODE-001"
    yield "configuration in the environment", b"MYCELD_CELL__L" + b"9" * 5022, "MYC-NODE-001"
    # Texts of nothing but small values took up to 27 times their size, deep ones an own error.
    for part in (b"[],", b"{},", b'{"a":0},', b'"ab",', b"999,"):
        yield "genesis file", _text(b"[", part, b"0]", 60_000), "MYC-LEDGER-001"
        yield "spore file", _text(b"[", part, b"0]", _SIZE), "MYC-SPORE-008"
        yield "gateway: body", _text(b"[", part, b"0]", _SIZE), "MYC-GATEWAY-014"
        yield "devnet.json", _text(b"[", part, b"0]", 30_000), "MYC-DEVNET-008"
    yield "gateway: body", _text(b"{", b'"a":1,', b'"a":1}', 335_959), "MYC-GATEWAY-014"
    yield "devnet.json", b"[" * 30_000, "MYC-DEVNET-008"
    yield "run.json", b"[" * 16_000, "MYC-CLIENT-005"
    # Numbers of thousands of digits: ValueError.
    yield "gateway: header", b"9" * 5000, "MYC-GATEWAY-015"
    yield "genesis create: member", KEYS[0].cell_id.encode() + b"=a:" + b"9" * 5000, "MYC-NODE-010"
    yield "gateway: query and path", b"start=0&" * 1600, "MYC-GATEWAY-014"
    # Up to 77 times its size: urllib took all of it apart before anybody looked how long it was.
    yield "query for events", b"&a" * 32_000, "MYC-GATEWAY-014"
    yield "query for events", b"subscribe=" + b"%41" * 20_000, "MYC-GATEWAY-014"
    # Eleven times its size: all parts were listed before they were counted.
    yield "cursor of the hashgraph", b"0." * _SIZE, "MYC-GATEWAY-014"
    # No section: KeyError.
    yield "hypha.yaml", b"version: 1\n", "MYC-NODE-001"
    # Eleven times its size, likewise: lines.
    yield "text of a proof of what was decided", b"a b\n" * _SIZE, "MYC-LEDGER-551"
    # An error that is no object: AttributeError.
    yield "client: frame of a subscription", b'{"error": "items"}', "MYC-CLIENT-004"
    # Four million words were listed before they were counted; none of them is hex.
    yield "tx send: batch", b"1 " * (4 << 20), "MYC-CLI-002"
    yield "tx send: batch", b"\xf0\x9f\x8d\x84" * _SIZE, "MYC-CLI-002"


@pytest.mark.parametrize(("name", "data", "code"), list(_found()))
def test_what_broke_a_promise_once_is_refused_now(name: str, data: bytes, code: str) -> None:
    report = Report(name)
    try_one(_target(name), data, report)
    assert report.failures == []
    assert dict(report.refused) == {code: 1}
    assert report.memory_ratio <= MEMORY_FACTOR


def test_an_event_that_has_parents_is_not_resolved_without_any() -> None:
    """Its parents hash may be that of none: then there was an IndexError."""
    event = make_event(
        network_id=NETWORK,
        epoch=Epoch(0),
        creator=MemberIndex(0),
        sequence=1,  # type: ignore[arg-type]  # a number is all that a test needs
        self_parent=DIGEST,  # type: ignore[arg-type]  # as above
        other_parents=[],
        time_ns=5,
        payload=[],
        sign=KEYS[0].sign,
    )
    encoded = bytes.fromhex("9902000001") + b"\x05\xc4\x00\xc4\x20" + parents_hash([])
    encoded += b"\x90\xc4\x40" + event.signature
    read = decode_event(encoded, network_id=NETWORK, epoch=Epoch(0))
    assert read.sequence == 1
    assert read.resolved([]) is None


def test_an_event_in_a_copied_journal_may_name_a_member_that_there_is_not() -> None:
    """It made an IndexError of a page of blocks, so HTTP 500."""
    roster = GENESIS.roster
    assert [name_of(roster, MemberIndex(at)) for at in (0, 3, 4, 128)] == ["cell-1", "cell-4"] + [
        "?"
    ] * 2
    assert name_of(None, MemberIndex(0)) == "?"


def _target(name: str) -> Target:
    (target,) = (target for target in all_targets() if target.name == name)
    return target
