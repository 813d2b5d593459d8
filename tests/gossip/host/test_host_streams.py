"""Bytes between two hosts: round trips, order, size, deadlines, back-pressure, closing."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from core.errors import MyceldError
from core.ids import PublicKey, cell_id_of
from gossip.host import (
    Host,
    HostConfig,
    HostMisused,
    PeerOverran,
    PeerStream,
    ProtocolRefused,
    ReadTimedOut,
    StreamClosed,
    StreamLost,
    WriteTimedOut,
)
from gossip.host.limits import RECEIVE_WINDOW_BYTES
from tests.gossip.host.host_world import (
    ANYWHERE,
    HANG_S,
    PROTOCOL,
    assert_serves,
    echo,
    eventually,
    eventually_there,
    ignore,
    read_all,
    run,
    started,
    swarm_of,
)


def test_bytes_go_both_ways_and_both_ends_know_each_other() -> None:
    async def main() -> None:
        seen: list[PeerStream] = []

        async def answer(stream: PeerStream) -> None:
            seen.append(stream)
            await stream.write(b"pong:" + await stream.read(timeout_s=HANG_S), timeout_s=HANG_S)

        async with started("a", answer) as a, started("b") as b:
            stream = await b.dial(a.addresses[0], timeout_s=HANG_S)
            await stream.write(b"ping", timeout_s=HANG_S)
            assert await read_all(stream, 9) == b"pong:ping"
            assert await stream.read(timeout_s=HANG_S) == b""
            assert (stream.cell_id, stream.initiator) == (a.cell_id, True)
            assert (seen[0].cell_id, seen[0].initiator) == (b.cell_id, False)
            assert stream.protocol == seen[0].protocol == PROTOCOL
            assert stream.remote_address == a.addresses[0].split("/p2p/")[0]
            await stream.close()
            assert stream.closed
            with pytest.raises(StreamClosed):
                await stream.read(timeout_s=1)
            with pytest.raises(StreamClosed):
                await stream.write(b"x", timeout_s=1)

    run(main)


def test_a_connection_has_one_name_at_both_ends_and_a_process_one_key_on_all_of_them() -> None:
    async def main() -> None:
        seen: list[PeerStream] = []

        async def answer(stream: PeerStream) -> None:
            seen.append(stream)
            await stream.write(b"!", timeout_s=HANG_S)

        async with started("a", answer) as a, started("b") as b, started("c") as c:
            dialled = []
            for host in (b, b, c):
                stream = await host.dial(a.addresses[0], timeout_s=HANG_S)
                assert await stream.read(1, timeout_s=HANG_S) == b"!"
                dialled.append(stream)
            assert [one.binding for one in dialled] == [one.binding for one in seen]
            assert len({one.binding for one in dialled}) == 3, "each connection has its own"
            assert len({one.peer_key for one in dialled}) == 1, "all are with one process"
            assert seen[0].peer_key == seen[1].peer_key != seen[2].peer_key
            assert {len(one.binding) for one in seen} == {len(one.peer_key) for one in seen} == {32}
            for stream in dialled:
                await stream.close()

    run(main)


def test_the_cell_id_is_that_of_the_seed() -> None:
    async def main() -> None:
        async with started("a") as a:
            from nacl.signing import SigningKey

            key = SigningKey(b"a".ljust(32, b".")).verify_key
            assert a.cell_id == cell_id_of(PublicKey(bytes(key)))
            assert a.addresses[0].endswith(f"/p2p/{a.cell_id}")
            assert "a....." not in repr(a._config)

    run(main)


def test_a_big_transfer_arrives_whole_in_both_directions_at_once() -> None:
    async def main() -> None:
        data = b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(1 << 15))
        data *= 4  # 4 MiB, beyond every window

        async with (
            started("a", echo) as a,
            started("b") as b,
            await b.dial(a.addresses[0], timeout_s=HANG_S) as stream,
        ):
            writing = asyncio.create_task(stream.write(data, timeout_s=HANG_S))
            assert await read_all(stream, len(data)) == data
            await writing

    run(main)


def test_many_messages_of_many_writers_keep_their_bytes() -> None:
    async def main() -> None:
        async with (
            started("a") as a,
            started("b") as b,
            await b.dial(a.addresses[0], timeout_s=HANG_S) as stream,
        ):

            async def write(number: int) -> None:
                for _ in range(50):
                    await stream.write(bytes([number]) * 64, timeout_s=HANG_S)

            async with asyncio.TaskGroup() as writers:
                for number in range(8):
                    writers.create_task(write(number))
                got = await read_all(stream, 8 * 50 * 64)
            blocks = [got[i : i + 64] for i in range(0, len(got), 64)]
            assert all(len(set(block)) == 1 for block in blocks)

    run(main)


def test_a_read_deadline_or_cancellation_leaves_the_stream_intact() -> None:
    async def main() -> None:
        async with (
            started("a") as a,
            started("b") as b,
            await b.dial(a.addresses[0], timeout_s=HANG_S) as stream,
        ):
            with pytest.raises(ReadTimedOut):
                await stream.read(timeout_s=0.05)
            reading = asyncio.create_task(stream.read(timeout_s=None))
            await asyncio.sleep(0.05)
            with pytest.raises(HostMisused):
                await stream.read(timeout_s=1)
            reading.cancel()
            await asyncio.wait([reading])
            await stream.write(b"still here", timeout_s=HANG_S)
            assert await stream.read(5, timeout_s=HANG_S) == b"still"
            assert await read_all(stream, 5) == b" here"

    run(main)


def test_a_write_to_a_peer_that_does_not_read_times_out_and_closes_the_connection() -> None:
    async def main() -> None:
        async with started("a", ignore) as a, started("b") as b:
            stream = await b.dial(a.addresses[0], timeout_s=HANG_S)
            with pytest.raises(WriteTimedOut):
                await stream.write(bytes(8 << 20), timeout_s=0.7)
            with pytest.raises(MyceldError):
                await stream.write(b"x", timeout_s=1)
            # Both sides forget the connection, and the peer's bytes stayed within its window.
            for host in (a, b):
                await eventually_there(host, lambda engine: not swarm_of(engine).get_connections())
            await asyncio.gather(b.stop(), a.stop())

    run(main)


def test_a_cancelled_write_closes_the_connection() -> None:
    async def main() -> None:
        async with started("a", ignore) as a, started("b") as b:
            stream = await b.dial(a.addresses[0], timeout_s=HANG_S)
            writing = asyncio.create_task(stream.write(bytes(8 << 20), timeout_s=HANG_S))
            await asyncio.sleep(0.1)
            writing.cancel()
            await asyncio.wait([writing])
            assert writing.cancelled()
            assert stream.closed

    run(main)


def test_a_slow_reader_slows_the_writer_and_loses_nothing() -> None:
    async def main() -> None:
        total = 4 << 20
        may_read, received = asyncio.Event(), asyncio.Event()

        async def slow(stream: PeerStream) -> None:
            await may_read.wait()
            size = 0
            while data := await stream.read(timeout_s=HANG_S):
                size += len(data)
            assert size == total
            received.set()

        async with started("a", slow) as a, started("b") as b:
            async with await b.dial(a.addresses[0], timeout_s=HANG_S) as stream:
                sending = asyncio.create_task(stream.write(bytes(total), timeout_s=HANG_S))
                # Choosing the protocol took a few bytes of it.
                full = RECEIVE_WINDOW_BYTES - 256
                await eventually(lambda: stream_bytes(a) >= full and room_bytes(stream) == 0)
                assert not sending.done()
                assert stream_bytes(a) <= RECEIVE_WINDOW_BYTES
                may_read.set()
                await sending
            await received.wait()

    run(main)


def room_bytes(stream: PeerStream) -> int:
    """Return for how many bytes more the other end has given leave."""
    window: int = stream._port._stream.send_window  # type: ignore[attr-defined]  # libp2p's
    return window


def stream_bytes(host: Host) -> int:
    """Return how many bytes wait for the readers of a host's streams."""
    return sum(len(stream._buffer) for stream in host._streams)


def test_a_peer_that_ignores_the_window_loses_its_connection() -> None:
    async def main() -> None:
        failed: list[MyceldError] = []
        may_read, done = asyncio.Event(), asyncio.Event()

        async def hold(stream: PeerStream) -> None:
            await may_read.wait()
            try:
                while await stream.read(timeout_s=HANG_S):
                    pass
            except MyceldError as error:
                failed.append(error)
            done.set()

        async with started("a", hold) as a, started("b") as b:
            stream = await b.dial(a.addresses[0], timeout_s=HANG_S)
            stream._port._stream.send_window = 1 << 40  # type: ignore[attr-defined]  # libp2p's
            with pytest.raises(StreamLost):
                await stream.write(bytes(64 << 20), timeout_s=HANG_S)
            may_read.set()
            await done.wait()
            assert isinstance(failed[0], PeerOverran)
            assert a.restarts == b.restarts == 0

    run(main)


def test_further_protocols_have_their_own_handler_and_unknown_ones_are_refused() -> None:
    async def main() -> None:
        async def other(stream: PeerStream) -> None:
            await stream.write(stream.protocol.encode(), timeout_s=HANG_S)

        config = HostConfig(b"a" * 32, (ANYWHERE,), PROTOCOL)
        a = Host(config, echo)
        a.set_handler("/myceld/test/journal/1", other)
        await a.start()
        try:
            with pytest.raises(HostMisused):
                a.set_handler("/late/1", other)
            async with started("b") as b:
                stream = await b.dial(
                    a.addresses[0],
                    timeout_s=HANG_S,
                    protocol="/myceld/test/journal/1",
                )
                assert await read_all(stream, 22) == b"/myceld/test/journal/1"
                await stream.close()
                with pytest.raises(ProtocolRefused):
                    await b.dial(
                        a.addresses[0], timeout_s=HANG_S, protocol="/myceld/other/gossip/1"
                    )
                await assert_serves(a, b)
        finally:
            await a.stop()

    run(main)


def test_closing_delivers_what_was_written_before() -> None:
    async def main() -> None:
        got = asyncio.get_running_loop().create_future()

        async def collect(stream: PeerStream) -> None:
            data = b""
            while piece := await stream.read(timeout_s=HANG_S):
                data += piece
            got.set_result(data)

        async with started("a", collect) as a, started("b") as b:
            stream = await b.dial(a.addresses[0], timeout_s=HANG_S)
            await stream.write(bytes(700_000), timeout_s=HANG_S)
            await stream.close()
            assert len(await got) == 700_000

    run(main)
