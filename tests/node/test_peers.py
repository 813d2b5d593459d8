"""What is forwarded to a member fits its frames; who is how far is known."""

from __future__ import annotations

import asyncio

import pytest

from core.ids import Epoch, Round
from gossip.discovery.book import AddressBook
from gossip.host import HostConfig
from gossip.limits import FRAME_SIZE_BYTES_MAX, PAYLOAD_COUNT_MAX
from gossip.wire import Forward, Have, decode_frame, encode_frame
from identity.keys import KeyPair
from ledger.limits import TRANSACTION_SIZE_BYTES_MAX
from ledger.roster import Roster
from ledger.transaction import opaque_transaction
from node.inbox import ConsensusInbox
from node.peers import Peers, PeersConfig, PeersLinks, _in_frames
from tests.ledger.world import GENESIS, KEYS
from tests.node.silent import SilentIntroducer
from tests.waiting import run, until


def test_many_and_large_transactions_are_cut_into_frames_in_order() -> None:
    numbers = range(2 * PAYLOAD_COUNT_MAX + 1)
    small = [opaque_transaction(number.to_bytes(4, "big")) for number in numbers]
    large = [bytes([number]) * TRANSACTION_SIZE_BYTES_MAX for number in range(9)]
    for transactions in (small, large, [*large, *small], small[:1]):
        parts = list(_in_frames(transactions))
        assert [raw for part in parts for raw in part] == transactions
        for part in parts:
            data = encode_frame(Forward(part))
            assert len(data) <= FRAME_SIZE_BYTES_MAX + 4
            assert decode_frame(data[4:]) == Forward(part)
    assert list(_in_frames([])) == []


@pytest.mark.usefixtures("patient")
def test_a_cell_has_arrived_when_it_says_so_and_not_once_it_is_gone() -> None:
    async def main() -> None:
        here, heard = _peers(KEYS[0], GENESIS.roster.next(Round(17), 1))
        (address,) = await here.start()
        there, _ = _peers(KEYS[1], GENESIS.roster, address)
        await there.start()
        dialling = asyncio.create_task(there.run())

        def say(*haves: Have) -> None:
            there.send(KEYS[0].cell_id, b"".join(encode_frame(have) for have in haves))

        try:
            # Each end has its session once its own handshake is done; what is sent before is lost.
            await until(lambda: here.connected() == there_is and there.connected() == here_is)
            assert here.arrived(Epoch(0)) == set(there_is)
            assert here.arrived(Epoch(1)) == set()
            say(Have(Epoch(1), (0,), sealed=True), Have(Epoch(0), (0,)))
            await until(lambda: heard.qsize() == 3)
            assert here.arrived(Epoch(1)) == set()
            say(Have(Epoch(1), (0,)))
            await until(lambda: here.arrived(Epoch(1)) == set(there_is))
        finally:
            dialling.cancel()
            await there.stop()
        await until(lambda: here.arrived(Epoch(0)) == set())
        await here.stop()

    here_is, there_is = [KEYS[0].cell_id], [KEYS[1].cell_id]
    run(main())


def _peers(key: KeyPair, roster: Roster, *bootstrap: str) -> tuple[Peers, ConsensusInbox]:
    heard = ConsensusInbox()
    host = HostConfig(key.seed, ("/ip4/127.0.0.1/tcp/0",), "/myceld/test/1")
    config = PeersConfig(host, GENESIS.network_id, GENESIS.rule_set, roster)
    links = PeersLinks(heard, asyncio.Queue(64), list, _nothing, _nothing, SilentIntroducer())
    return Peers(config, links, AddressBook(key.cell_id, bootstrap)), heard


async def _nothing(*_: object) -> None:
    return None
