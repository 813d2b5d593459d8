"""A newcomer gets exactly the certified state, whoever serves, lies, leaves or crashes."""

from __future__ import annotations

import dataclasses
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import CellId, Epoch
from ledger.transfer.errors import StagedLost
from ledger.transfer.staging import headers_of, receipts_of, state_of
from ledger.transfer.wire import (
    Answer,
    Ask,
    AskPiece,
    Gone,
    Headers,
    Links,
    Piece,
    Receipts,
)
from tests.ledger.transfer.world import History, HonestSource, Newcomer

_HISTORY = History(1, 4, keys=60)


def _check(newcomer: Newcomer, epoch: int) -> None:
    """What was fetched is the state and the window at the end of the epoch."""
    history, link = newcomer.history, newcomer.fetcher.whole
    assert link == history.links[epoch]
    entries = [
        entry for piece in state_of(link.header.state_root, newcomer.disk.get) for entry in piece
    ]
    assert dict(entries) == history.states[epoch]
    assert len(entries) == len(history.states[epoch])
    first = history.roster(epoch).first_round
    headers = headers_of(link.header, first, newcomer.disk.get)
    wanted = [applied.header for applied in history.applied if applied.header.epoch == epoch]
    assert headers == wanted
    receipts = [one for header in headers for one in receipts_of(header, newcomer.disk.get)]
    assert receipts == history.receipts(epoch)
    assert newcomer.fetcher.progress is not None
    assert newcomer.fetcher.progress.done == 1.0


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 3))
@settings(deadline=None, max_examples=15)
def test_any_state_is_fetched_whole_from_any_number_of_peers(
    seed: int, epochs: int, peers: int
) -> None:
    random = Random(seed)  # noqa: S311 - chance of a test
    history = History(seed, epochs, keys=random.choice([1, 5, 200]))
    newcomer = Newcomer(history)
    for number in range(peers):
        newcomer.join(f"peer-{number}", HonestSource(history))
    newcomer.run(random)
    _check(newcomer, epochs - 1)
    assert newcomer.dropped == []


def test_a_large_state_comes_in_pieces_of_bounded_size_and_each_only_once() -> None:
    history = History(3, 2, keys=6)
    history.add({b"value/big%d" % number: b"x" * 300 for number in range(3000)})
    history.epoch()
    newcomer = Newcomer(history)
    for name in ("a", "b"):
        newcomer.join(name, HonestSource(history))
    newcomer.run(Random(1))  # noqa: S311 - chance of a test
    _check(newcomer, 2)
    assert newcomer.asks < 120


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_it_goes_on_after_a_crash_at_any_point_with_what_is_on_the_disk(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - chance of a test
    newcomer = Newcomer(_HISTORY)
    newcomer.join("one", HonestSource(_HISTORY))
    newcomer.join("two", HonestSource(_HISTORY))
    while newcomer.fetcher.whole is None:
        newcomer.run(random, random.randint(1, 12))
        if newcomer.fetcher.whole is None and random.random() < 0.7:
            newcomer.start()
    _check(newcomer, 3)
    asks = newcomer.asks
    newcomer.start()
    newcomer.run(random)
    _check(newcomer, 3)
    assert newcomer.asks - asks <= 4  # links only: all else is there


def _spoil(answer: Answer, random: Random) -> Answer:
    """Return an answer that is wrong somewhere."""

    def flip(data: bytes) -> bytes:
        at = random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]

    match answer:
        case Piece(proof):
            return Piece(random.choice([flip(proof), proof[:-1], proof + b"\0", proof[:1], b""]))
        case Headers(headers) if headers:
            at = random.randrange(len(headers))
            return Headers((*headers[:at], flip(headers[at]), *headers[at + 1 :]))
        case Receipts(rows) if rows:
            at = random.randrange(len(rows))
            identity, event, time_ns, outcome = rows[at]
            lies = [(identity, event, time_ns + 1, outcome), (identity, event, time_ns, "applied?")]
            return Receipts((*rows[:at], random.choice(lies), *rows[at + 1 :]))
        case Links(newest, links) if links:
            at = random.randrange(len(links))
            link = links[at]
            header = dataclasses.replace(link.header, state_root=link.header.previous)
            fewer = dataclasses.replace(
                link.certificate, signatures=link.certificate.signatures[:2]
            )
            roster = dataclasses.replace(link.roster, members=link.roster.members[:1])
            wrong_link = random.choice(
                [
                    dataclasses.replace(link, header=header),
                    dataclasses.replace(link, certificate=fewer),
                    dataclasses.replace(link, roster=roster),
                ]
            )
            return Links(newest, (*links[:at], wrong_link, *links[at + 1 :]))
        case _:
            return Headers(())


@given(st.integers(0, 100_000))
@settings(deadline=None, max_examples=60)
def test_a_liar_is_dropped_and_the_honest_one_gives_the_rest(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - chance of a test
    newcomer = Newcomer(_HISTORY)

    def lie(_: Ask, answer: Answer) -> Answer:
        return _spoil(answer, random) if random.random() < 0.4 else answer

    newcomer.join("liar", HonestSource(_HISTORY), lie)
    newcomer.join("honest", HonestSource(_HISTORY))
    newcomer.run(random)
    _check(newcomer, 3)
    assert set(newcomer.dropped) <= {CellId("liar")}


@pytest.mark.parametrize("kind", [Links, Headers, Receipts, Piece])
def test_each_kind_of_lie_alone_drops_its_teller_with_a_code(kind: type[Answer]) -> None:
    newcomer = Newcomer(_HISTORY)
    random = Random(5)  # noqa: S311 - chance of a test

    def lie(_: Ask, answer: Answer) -> Answer:
        return _spoil(answer, random) if isinstance(answer, kind) else answer

    newcomer.join("liar", HonestSource(_HISTORY), lie)
    newcomer.run(random)
    assert newcomer.dropped == [CellId("liar")]
    assert newcomer.fetcher.whole is None
    newcomer.join("honest", HonestSource(_HISTORY))
    newcomer.run(random)
    _check(newcomer, 3)


def test_when_the_network_moved_on_the_newer_end_is_fetched_and_equal_pieces_are_kept() -> None:
    history = History(9, 2, keys=6)
    history.add({b"value/big%d" % number: b"x" * 30 for number in range(20_000)})
    history.epoch()
    random = Random(2)  # noqa: S311 - chance of a test
    newcomer = Newcomer(history)
    newcomer.join("one", HonestSource(history, served=1))
    newcomer.run(random, 36)
    assert newcomer.fetcher.whole is None
    asked, before = newcomer.asks, len(newcomer.disk)
    history.epoch()
    newcomer.run(random)
    _check(newcomer, 3)
    fresh = Newcomer(history)
    fresh.join("one", HonestSource(history, served=1))
    fresh.run(random)
    assert before > 20
    assert newcomer.asks - asked < fresh.asks - 15


def test_links_that_one_peer_lacks_come_from_another() -> None:
    newcomer = Newcomer(_HISTORY)
    newcomer.join("holes", HonestSource(_HISTORY, missing=[1]))
    newcomer.run(Random(1))  # noqa: S311 - chance of a test
    newcomer.join("full", HonestSource(_HISTORY))
    newcomer.run(Random(1))  # noqa: S311 - chance of a test
    _check(newcomer, 3)


def test_a_peer_that_leaves_owes_nothing_to_the_result() -> None:
    random = Random(4)  # noqa: S311 - chance of a test
    newcomer = Newcomer(_HISTORY)
    newcomer.join("one", HonestSource(_HISTORY))
    newcomer.join("two", HonestSource(_HISTORY))
    newcomer.run(random, 8)
    newcomer.leave("one")
    newcomer.run(random)
    _check(newcomer, 3)


def test_nothing_is_fetched_that_is_not_newer_than_what_is_here() -> None:
    newcomer = Newcomer(_HISTORY)
    newcomer.start(above=_HISTORY.links[-1].header.round)
    newcomer.join("one", HonestSource(_HISTORY))
    newcomer.run(Random(1))  # noqa: S311 - chance of a test
    assert newcomer.fetcher.progress is None
    assert newcomer.fetcher.is_stuck


def test_an_answer_that_nobody_asked_for_drops_its_sender() -> None:
    newcomer = Newcomer(_HISTORY)
    newcomer.join("one", HonestSource(_HISTORY))
    newcomer.waiting.clear()
    newcomer.fetcher.answered(CellId("one"), Links(Epoch(3), ()))
    newcomer.fetcher.take()
    for _ in range(10):
        newcomer.fetcher.answered(CellId("one"), Gone())
    drops = newcomer.fetcher.take().drops
    assert [peer for peer, _ in drops] == [CellId("one")]


def test_a_piece_that_is_missing_or_changed_on_the_disk_is_noticed() -> None:
    newcomer = Newcomer(_HISTORY)
    newcomer.join("one", HonestSource(_HISTORY))
    newcomer.run(Random(1))  # noqa: S311 - chance of a test
    root = _HISTORY.links[-1].header.state_root
    body = newcomer.disk.pop(root)
    with pytest.raises(StagedLost):
        list(state_of(root, newcomer.disk.get))
    newcomer.disk[root] = body[:-1] + bytes([body[-1] ^ 1])
    with pytest.raises(StagedLost):
        list(state_of(root, newcomer.disk.get))
    newcomer.start()
    newcomer.run(Random(1))  # noqa: S311 - chance of a test
    _check(newcomer, 3)


def test_pieces_are_asked_for_only_after_the_links_are_checked() -> None:
    newcomer = Newcomer(_HISTORY)
    newcomer.join("one", HonestSource(_HISTORY))
    assert not [ask for _, ask in newcomer.waiting if isinstance(ask, AskPiece)]
