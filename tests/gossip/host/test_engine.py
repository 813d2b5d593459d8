"""Who lost its connection for opening too many streams gets no other before that was judged."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import trio

from core.ids import CellId
from gossip.host import HostConfig
from gossip.host.loading import load_libp2p
from tests.ledger.world import KEYS

load_libp2p()  # it warns as it is imported

from gossip.host.engine import Engine, EngineOutlets  # noqa: E402 - after that

ABUSER, OTHER = KEYS[0].cell_id, KEYS[1].cell_id


class _Swarm:
    """Notes which connections are dropped."""

    def __init__(self) -> None:
        self.dropped: list[str] = []

    async def drop(self, connection: str) -> None:
        self.dropped.append(connection)


def _stream_too_many() -> Any:  # noqa: ANN401 - stands for one of libp2p, which has no types
    connection = SimpleNamespace(
        peer_id=ABUSER, allow_stream=lambda: False, get_remote_address=lambda: ("192.0.2.7", 4001)
    )
    return SimpleNamespace(muxed_conn=connection, swarm_conn="connection")


def test_an_abuser_is_denied_from_its_drop_on_however_late_the_loop_hears_of_it() -> None:
    posted: list[Callable[[], None]] = []
    denied: set[str] = set()
    told: list[tuple[CellId, str | None]] = []

    def judge(cell_id: CellId, address: str | None) -> None:
        told.append((cell_id, address))
        denied.add(cell_id)

    outlets = EngineOutlets(
        post=lambda call, *arguments: posted.append(lambda: call(*arguments)),
        on_up=lambda _: None,
        on_inbound=lambda _: None,
        on_introduction=lambda *_: None,
        on_abuse=judge,
        is_denied=denied.__contains__,
    )
    engine, swarm = Engine(HostConfig(bytes(32), (), "/test/1"), (), (), outlets), _Swarm()
    engine._swarm = swarm  # type: ignore[assignment]  # all of it that is asked
    trio.run(engine._on_stream, _stream_too_many())
    assert swarm.dropped == ["connection"]
    assert (told, denied) == ([], set())
    assert engine._is_denied(ABUSER), "it could connect again before it is judged"
    assert not engine._is_denied(OTHER)
    for call in posted:
        call()
    assert told == [(ABUSER, "/ip4/192.0.2.7/tcp/4001")]
    assert engine._is_denied(ABUSER)
    denied.clear()  # its ban is over
    assert not engine._is_denied(ABUSER)
