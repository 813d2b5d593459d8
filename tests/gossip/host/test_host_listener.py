"""A paced listener leaves connections to the kernel until its owner is ready for them."""

from __future__ import annotations

import trio
import trio.testing

from gossip.host.listener import PacedListener
from tests.gossip.host.host_world import HANG_S


def test_nothing_is_accepted_before_the_owner_is_ready() -> None:
    async def main() -> None:
        (socket,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        ready = trio.Event()
        listener = PacedListener(socket, ready.wait)
        accepted: list[trio.SocketStream] = []
        came = trio.Event()

        async def accept() -> None:
            accepted.append(await listener.accept())
            came.set()

        client = await trio.open_tcp_stream("127.0.0.1", socket.socket.getsockname()[1])
        async with listener, client, trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            await trio.testing.wait_all_tasks_blocked(cushion=0.05)
            assert accepted == []
            ready.set()
            with trio.fail_after(HANG_S):
                await came.wait()
            async with accepted[0]:
                await client.send_all(b"x")
                assert await accepted[0].receive_some() == b"x"

    trio.run(main)
