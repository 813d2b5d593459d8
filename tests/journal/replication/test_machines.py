"""The two machines together: any splits, drops, restarts and lies."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import MyceldError
from core.ids import CellId
from journal.errors import HeadRefused, NoSuchBlock, ProofRefused
from journal.merkle import leaf_hash
from journal.replication import wire
from journal.replication.errors import (
    ForkMoved,
    FrameRefused,
    HeadOutdated,
    NotAsked,
    PeerSilent,
    TooManyRequests,
)
from journal.replication.fetch import Fetch
from journal.replication.follower import Follower
from journal.replication.limits import PING_INTERVAL_MS, REQUEST_TIMEOUT_MS, SILENCE_MS_MAX
from journal.replication.ranges import prefix_root, verify_range
from journal.replication.server import Server
from tests.journal.replication.model import Copy, Log, Session, signed
from tests.journal.world import CELL_ID, OTHER_KEY, sign_as_other

BLOCKS = [b"block %d" % number for number in range(300)]


def _followed(log: Log) -> Copy:
    copy = Copy()
    Session(log, copy).run()
    assert copy.blocks == log.blocks
    return copy


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_after_any_splits_drops_and_restarts_the_copy_is_equal(data: st.DataObject) -> None:
    log, copy = Log(), Copy()
    span = data.draw(st.integers(1, 40))
    session = Session(log, copy, span)
    for _ in range(data.draw(st.integers(1, 40))):
        match data.draw(st.sampled_from(["append", "publish", "server", "follower", "restart"])):
            case "append":
                for _ in range(data.draw(st.integers(1, 30))):
                    log.blocks.append(b"%d" % len(log.blocks))
            case "publish" if session.server.follow is not None:
                session.publish()
            case "server":
                session.step_server()
            case "follower":
                session.step_follower()
            case "restart":  # every frame under way is lost
                session = Session(log, copy, span)
        assert copy.blocks == log.blocks[: len(copy.blocks)]
    session.run()
    session.publish()
    session.run()
    assert copy.blocks == log.blocks
    assert copy.whole is not None
    assert copy.whole.root == log.root(len(log.blocks))
    assert copy.conflicts == []


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_lying_server_never_gets_a_wrong_block_in(data: st.DataObject) -> None:
    log, copy = Log(BLOCKS[: data.draw(st.integers(1, 60))]), Copy()
    session = Session(log, copy, data.draw(st.integers(1, 20)))
    lies_left = data.draw(st.integers(1, 5))
    more = data.draw(st.integers(0, 5))
    while True:
        if session.step_server():
            continue
        if not session.to_follower:
            if not more:
                break
            more -= 1
            log.blocks.append(b"more %d" % len(log.blocks))
            session.publish()
            continue
        if lies_left and data.draw(st.booleans()):
            lies_left -= 1
            session.to_follower[0] = _changed(session.to_follower[0], data)
        try:
            session.step_follower()
        except MyceldError:
            session = Session(log, copy, session.span)
        assert copy.blocks == log.blocks[: len(copy.blocks)]
    assert copy.conflicts == []


def _changed(frame: wire.Frame, data: st.DataObject) -> wire.Frame:
    """Return the frame with something about it that is not so."""
    other = leaf_hash(b"a lie")
    match frame:
        case wire.Blocks() | wire.Tail():
            blocks = list(frame.blocks)
            at = data.draw(st.integers(0, len(blocks) - 1))
            what = data.draw(st.sampled_from(["change", "drop", "add", "swap", "start"]))
            if what == "change":
                blocks[at] += b"!"
            elif what == "drop":
                blocks.pop(at)
            elif what == "add":
                blocks.insert(at, b"never written")
            elif what == "swap":
                blocks.reverse()
            start = frame.start + (what == "start")
            return dataclasses.replace(frame, blocks=tuple(blocks), start=start)
        case wire.Head():
            proof = [other for _ in frame.proof]
            origin, size, rest = frame.text.split("\n", 2)
            text = data.draw(
                st.sampled_from([frame.text, f"{origin}\n{int(size) + 1}\n{rest}", "", "a\nb\nc\n"])
            )
            return dataclasses.replace(frame, text=text, proof=tuple(proof))
        case _:
            return wire.Pong(77)


def test_one_block_is_pushed_with_its_head_in_one_frame() -> None:
    log, copy = Log(BLOCKS[:10]), Copy()
    session = Session(log, copy)
    session.run()
    log.blocks.append(b"live")
    session.publish()
    assert session.step_server()
    assert isinstance(session.to_follower[0], wire.Tail)
    session.run()
    assert copy.blocks == log.blocks


def test_a_rewritten_log_is_a_conflict_with_a_proof_anybody_can_check() -> None:
    copy = _followed(Log(BLOCKS[:20]))
    other = Log([*BLOCKS[:12], *(b"other %d" % n for n in range(18))])
    Session(other, copy).run()
    (conflict,) = copy.conflicts
    assert (conflict.known.size, conflict.other.size) == (20, 30)
    shown = prefix_root(20, 30, conflict.proof, conflict.other.root)
    assert shown != conflict.known.root
    assert copy.blocks == BLOCKS[:20]


@pytest.mark.parametrize("size", [20, 15])
def test_another_head_of_the_same_or_a_smaller_size_is_a_conflict(size: int) -> None:
    copy = _followed(Log(BLOCKS[:20]))
    Session(Log([b"other", *BLOCKS[1:size]]), copy).run()
    (conflict,) = copy.conflicts
    assert conflict.other.size == size
    assert copy.blocks == BLOCKS[:20]


def test_a_server_that_lags_is_no_conflict() -> None:
    log = Log(BLOCKS[:20])
    copy = _followed(log)
    late = Log(BLOCKS[:15])
    session = Session(late, copy)
    session.run()
    assert copy.conflicts == []
    late.blocks = [*log.blocks, b"caught up"]
    session.publish()
    session.run()
    assert copy.blocks == late.blocks


def test_an_older_head_that_cannot_be_judged_ends_the_session() -> None:
    copy = Copy()
    copy.head = signed(Log(BLOCKS[:20]).head())
    session = Session(Log(BLOCKS[:15]), copy)
    with pytest.raises(HeadOutdated):
        session.run()


def test_a_bad_prefix_proof_is_the_servers_fault_and_no_conflict() -> None:
    copy = _followed(Log(BLOCKS[:20]))
    session = Session(Log(BLOCKS[:30]), copy)
    while not session.to_follower:
        session.step_server()
    head = session.to_follower[0]
    assert isinstance(head, wire.Head)
    session.to_follower[0] = dataclasses.replace(head, proof=head.proof[::-1])
    with pytest.raises(ProofRefused):
        session.step_follower()
    assert copy.conflicts == []


def test_the_next_fork_asks_for_a_copy_of_its_own() -> None:
    copy = _followed(Log(BLOCKS[:20]))
    with pytest.raises(ForkMoved):
        Session(Log(BLOCKS[:10], fork=1), copy).run()
    with pytest.raises(HeadOutdated):
        Session(Log(BLOCKS[:20]), _followed(Log(BLOCKS[:10], fork=1))).run()
    assert copy.blocks == BLOCKS[:20]


def test_a_head_of_another_key_journal_or_cell_is_refused() -> None:
    log, copy = Log(BLOCKS[:5]), Copy()
    session = Session(log, copy)
    head = signed(log.head())
    body = log.head().partition("\n\n")[0]
    forged = sign_as_other(body.encode())
    assert OTHER_KEY.verify_key.verify(body.encode(), forged)
    for text in (
        head.text.replace("notes", "other"),
        head.text.replace("\n5\n", "\n6\n"),
        head.text.replace("\n\n", "\nextension\n\n"),
    ):
        with pytest.raises(HeadRefused):
            session.follower.receive(wire.Head(text, 0, ()), 0)
    assert copy.head is None


def test_what_was_not_asked_for_is_refused() -> None:
    session = Session(Log(BLOCKS[:5]), Copy())
    for frame in (wire.Blocks(1, 0, (b"x",), ()), wire.Tail(session.log.head(), 0, (b"x",))):
        with pytest.raises(NotAsked):
            session.follower.receive(frame, 0)
    with pytest.raises(FrameRefused):
        session.follower.receive(wire.Want(1, 1, 0, 1), 0)


def test_the_server_bounds_what_is_asked() -> None:
    server = Server(0)
    with pytest.raises(FrameRefused):
        server.receive(wire.Ping(1), 0)
    server.receive(wire.Follow(1, CELL_ID, "notes", None, 0, 0), 0)
    with pytest.raises(FrameRefused):  # nothing was shown yet
        server.receive(wire.Want(1, 5, 0, 5), 0)
    session = Session(Log(BLOCKS), Copy())
    session.step_server()
    session.step_server()
    with pytest.raises(FrameRefused):
        session.server.receive(wire.Want(1, 301, 0, 5), 0)
    for number in range(4):
        session.server.receive(wire.Want(number, 300, 0, 5), 0)
    with pytest.raises(TooManyRequests):
        session.server.receive(wire.WantTile(9, 300, 0), 0)


def test_silence_ends_either_side() -> None:
    session = Session(Log(BLOCKS[:5]), Copy())
    follower = session.follower
    assert follower.due_ms == REQUEST_TIMEOUT_MS
    with pytest.raises(PeerSilent):
        follower.tick(REQUEST_TIMEOUT_MS)
    session.run()
    assert follower.due_ms == PING_INTERVAL_MS
    assert follower.tick(PING_INTERVAL_MS - 1).send == ()
    session.apply(follower.tick(PING_INTERVAL_MS))
    assert list(session.to_server) == [wire.Ping(1)]
    session.run()
    assert follower.due_ms == PING_INTERVAL_MS
    with pytest.raises(PeerSilent):
        session.server.tick(SILENCE_MS_MAX)


def test_one_who_has_only_the_cell_id_gets_a_proven_range() -> None:
    log = Log(BLOCKS[:200])
    fetch = Fetch(CellId(CELL_ID), "notes", 50, 90)
    session = Session(log, Copy())
    session.to_server.clear()
    session.to_server.append(fetch.start())
    got: list[bytes] = []
    while not fetch.done:
        while session.step_server():
            pass
        blocks, send = fetch.receive(session.to_follower.popleft())
        got += blocks
        session.to_server.extend(send)
    assert got == BLOCKS[50:90]
    with pytest.raises(NoSuchBlock):
        Fetch(CellId(CELL_ID), "notes", 0, 999).receive(wire.Head(log.head(), 0, ()))


def test_a_tile_is_checked_against_the_signed_head() -> None:
    log = Log([b"%d" % n for n in range(600)])
    session = Session(log, Copy())
    session.step_server()
    session.step_server()
    session.server.receive(wire.WantTile(1, 600, 1), 0)
    session.step_server()
    tile = session.to_follower[-1]
    assert isinstance(tile, wire.Tile)
    assert len(tile.hashes) == 256
    verify_range(tile.hashes, 256, 600, tile.proof, log.root(600))


def test_a_follower_starts_once() -> None:
    follower = Follower(Copy().held())
    follower.start(0)
    with pytest.raises(MyceldError):
        follower.start(0)
