"""Real cells under load, and one hostile peer at full speed: nothing it does hurts them.

Each attack runs against cell 1 of five; cell 5 is down, its key is the attacker's where the attack
is one from inside. The attacker connects again as fast as it can. How soon it is dropped and how
fast the honest cells stay is measured by `scripts/bench-hostile`; here they have to do both at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from gossip.host.limits import RECEIVE_WINDOW_BYTES
from gossip.limits import EVENTS_FRAME_SIZE_BYTES
from ledger.limits import VALUE_SIZE_BYTES_MAX
from tests.network.attacked import Attacked, attack, member_seed
from tests.network.devnet import Devnet, wait_until
from tests.network.load import Load

pytestmark = pytest.mark.slow

HONEST = (1, 2, 3, 4)
INSIDER = 5
DROPPED_S = 60.0
GROWN_MIB = 50.0
FILLING = (RECEIVE_WINDOW_BYTES + 2 * EVENTS_FRAME_SIZE_BYTES) // VALUE_SIZE_BYTES_MAX
"""Largest values in the history: one answer with all of it is more than a peer's window and the
frames on the way. Who reads nothing of it is slow from its first second on, and not only when the
cells have made enough for it not to read."""
FROM_INSIDE = ("repeats", "missing-parents", "missing-parents-in-silence", "equivocates")
SESSIONS_MAX = dict.fromkeys(FROM_INSIDE, 4) | {"reads-slowly": 2}
"""In one attack: a member's bans take 2, 4, 8 s and so on. A stranger's first takes 30 s, and one
that only reads slowly gets a second chance."""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    # One epoch for all attacks: what a slow reader is sent must not become little again.
    devnet = Devnet(tmp_path_factory.mktemp("hostile") / "net", cells=5, epoch_rounds=65_536)
    try:
        devnet.up()
        for number in range(FILLING):
            devnet.client(INSIDER).put(f"filling-{number}", bytes(VALUE_SIZE_BYTES_MAX))
        devnet.client(INSIDER).put("insider", b"was here", wait="certified")
        devnet.wait_settled()
        devnet.do("kill", INSIDER)
        yield devnet
    finally:
        devnet.down()


@pytest.fixture(scope="module", autouse=True)
def loads(net: Devnet) -> Iterator[list[Load]]:
    loads = [Load(net, cell) for cell in (2, 3)]
    wait_until(lambda: all(len(load.acknowledged) > 20 for load in loads), "no progress")
    yield loads
    for load in loads:
        load.stop()
    net.wait_settled(list(HONEST))
    orders = [net.all_transactions(cell) for cell in HONEST]
    assert all(order == orders[0] for order in orders)
    applied = {line["id"] for line in orders[0] if line["outcome"] == "applied"}
    assert all(one in applied for load in loads for one in load.acknowledged)
    for cell in HONEST:
        log = (net.home(cell) / "daemon.log").read_text()
        assert "network side crashed" not in log, f"the network side of cell {cell} was restarted"


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("bad-signatures", 3),
        ("giant-frames", 3),
        ("garbage", 3),
        ("wants-everything", 3),
        ("reads-slowly", 8),
        ("many-streams", 3),
        ("repeats", 4),
        ("missing-parents", 4),
        ("missing-parents-in-silence", 9),
        ("equivocates", 3),
    ],
)
def test_the_peer_is_dropped_and_stays_away_and_the_cells_go_on(
    net: Devnet, name: str, seconds: float
) -> None:
    seed = member_seed(net, INSIDER) if name in FROM_INSIDE else os.urandom(32)
    done = attack(net, name, seconds=seconds, seed=seed)
    sessions = done.outcome["dropped_s"]
    assert sessions, f"it was never taken, or never dropped: {done.outcome}"
    assert max(sessions + done.outcome["left_s"]) <= DROPPED_S, done.outcome
    taken = len(sessions) + len(done.outcome["left_s"])
    assert taken <= SESSIONS_MAX.get(name, 1), f"it was taken again and again: {done.outcome}"
    _check_unhurt(done)


def test_half_open_connections_are_closed_and_leave_room_for_others(net: Devnet) -> None:
    done = attack(net, "half-open", seconds=6, seed=os.urandom(32))
    lived = done.outcome["dropped_s"]
    assert lived
    assert max(lived) <= DROPPED_S
    assert not done.outcome["left_s"], "open at both ends in the end"
    _check_unhurt(done)


def _check_unhurt(done: Attacked) -> None:
    assert done.same_process, "a cell was restarted"
    assert done.grown_mib <= GROWN_MIB, done
