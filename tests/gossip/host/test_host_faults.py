"""Nothing that a peer, a handler or the network does takes a host down; no await ever hangs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import MyceldError, OperationalFault
from gossip.host import (
    AddressInUse,
    CannotListen,
    DialFailed,
    Host,
    HostConfig,
    HostDown,
    HostMisused,
    NotAMultiaddr,
    PeerStream,
    StreamLost,
    WrongPeer,
)
from tests.gossip.host.host_world import (
    ANYWHERE,
    HANG_S,
    PROTOCOL,
    assert_serves,
    dial_until_taken,
    echo,
    eventually,
    ignore,
    read_all,
    run,
    started,
)


def _port_of(host: Host) -> int:
    return int(host.addresses[0].split("/")[4])


def test_a_port_in_use_is_named() -> None:
    async def main() -> None:
        async with started("a") as a:
            listen = a.addresses[0].split("/p2p/")[0]
            with pytest.raises(AddressInUse, match=listen) as caught:
                async with started("b", listen=listen):
                    pass
            assert caught.value.code == "MYC-HOST-001"

    run(main)


def test_an_address_of_another_machine_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(CannotListen):
            async with started("a", listen="/ip4/192.0.2.1/tcp/0"):
                pass

    run(main)


def test_dialling_another_peer_id_than_the_one_that_answers_fails() -> None:
    async def main() -> None:
        async with started("a") as a, started("b") as b, started("c") as c:
            wrong = a.addresses[0].split("/p2p/")[0] + f"/p2p/{c.cell_id}"
            with pytest.raises(WrongPeer):
                await b.dial(wrong, timeout_s=HANG_S)
            await assert_serves(a, b)

    run(main)


def test_dialling_a_closed_port_fails_at_once_and_may_be_repeated() -> None:
    async def main() -> None:
        async with started("a") as a, started("b") as b:
            address, listen = a.addresses[0], a.addresses[0].split("/p2p/")[0]
            await a.stop()
            for _ in range(2):
                with pytest.raises(DialFailed) as caught:
                    await b.dial(address, timeout_s=HANG_S)
                assert caught.value.retryable
                assert str(caught.value).endswith(": Connection refused"), "the reason, in words"
            async with started("a", listen=listen) as again:
                await assert_serves(again, b)

    run(main)


def test_dialling_a_silent_address_ends_at_the_deadline() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with started("a") as a, started("b") as b:
                address = f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}/p2p/{a.cell_id}"
                # Nothing else would end it: all other deadlines are long.
                with pytest.raises(DialFailed, match=r"no answer in 0\.4 s"):
                    await b.dial(address, timeout_s=0.4)
                dial = asyncio.create_task(b.dial(address, timeout_s=HANG_S))
                await asyncio.sleep(0.1)
                dial.cancel()
                await asyncio.wait([dial])
                assert dial.cancelled()

    run(main)


def test_misuse_is_refused() -> None:
    async def main() -> None:
        host = Host(HostConfig(b"m" * 32, (ANYWHERE,), PROTOCOL), echo)
        async with started("a") as a:
            with pytest.raises(HostMisused):
                await host.dial(a.addresses[0], timeout_s=1)
            with pytest.raises(HostMisused):
                await a.dial(a.addresses[0], timeout_s=1)
            with pytest.raises(NotAMultiaddr):
                await a.dial("nonsense", timeout_s=1)
            with pytest.raises(HostMisused):
                await a.start()
        for seed, protocol in ((b"short", PROTOCOL), (b"m" * 32, "no slash"), (b"m" * 32, "/a\nb")):
            with pytest.raises(HostMisused):
                Host(HostConfig(seed, (ANYWHERE,), protocol), echo)
        await host.stop()

    run(main)


def test_a_handler_that_raises_ends_only_its_stream() -> None:
    async def main() -> None:
        calls = 0

        async def fail_twice(stream: PeerStream) -> None:
            nonlocal calls
            calls += 1
            if calls <= 2:
                raise ZeroDivisionError("planted")
            await echo(stream)

        async with started("a", fail_twice) as a, started("b") as b:
            for _ in range(2):
                async with await b.dial(a.addresses[0], timeout_s=HANG_S) as stream:
                    assert await stream.read(timeout_s=HANG_S) == b""
            await assert_serves(a, b)
            assert a.restarts == 0

    run(main)


@pytest.mark.parametrize("rubbish", [b"\xff\xfe\xfd", b"/no/such", b"x" * 900, b"", b"ls"])
def test_a_rubbish_protocol_name_ends_only_its_stream(rubbish: bytes) -> None:
    async def main() -> None:
        async with started("a") as a, started("b") as b:
            async with await b.dial(a.addresses[0], timeout_s=HANG_S) as stream:
                engine = b._bridge.engine()  # type: ignore[union-attr]  # the host is started
                sent = asyncio.Event()

                async def send() -> None:
                    connection = stream._port._connection  # type: ignore[attr-defined]  # libp2p's
                    raw = await connection.muxed_conn.open_stream()
                    # Reset by the other host, maybe before the last write.
                    with contextlib.suppress(Exception):
                        await raw.write(b"\x13/multistream/1.0.0\n")
                        await raw.write(bytes([(len(rubbish) + 1) & 0x7F]) + rubbish + b"\n")
                        await raw.write(b"\xff\xff\xff\xff\x0f" + bytes(2000))
                    b._bridge.post(sent.set)  # type: ignore[union-attr]  # the same

                b._bridge.call(engine._nursery.start_soon, send)  # type: ignore[union-attr]  # the host is started
                await sent.wait()
                await stream.write(b"same connection", timeout_s=HANG_S)
                assert await read_all(stream, 15) == b"same connection"
            await assert_serves(a, b)
            assert a.restarts == 0

    run(main)


def test_garbage_and_silent_connections_leave_the_host_serving() -> None:
    async def main() -> None:
        async with started("a", upgrade_timeout_s=0.5) as a, started("b") as b:
            garbage = [
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                os.urandom(5000),
                b"\x13/multistream/1.0.0\n" + b"\x07/noise\n" + os.urandom(400),
                b"\xff\xff\xff\xff\xff\x7f" + bytes(200_000),
                b"",
            ]
            for data in garbage:
                reader, writer = await asyncio.open_connection("127.0.0.1", _port_of(a))
                with contextlib.suppress(ConnectionError):
                    writer.write(data)
                    await writer.drain()
                    if data:
                        await asyncio.wait_for(reader.read(), HANG_S)
                writer.close()
            silent = [socket.create_connection(("127.0.0.1", _port_of(a))) for _ in range(60)]
            await (await dial_until_taken(b, a)).close()
            for sock in silent:
                sock.close()
            assert a.restarts == 0

    run(main)


def test_only_noise_is_offered() -> None:
    async def main() -> None:
        async with started("a") as a:
            reader, writer = await asyncio.open_connection("127.0.0.1", _port_of(a))
            hello = b"\x13/multistream/1.0.0\n"
            writer.write(hello)
            assert await reader.readexactly(len(hello)) == hello
            for name in (b"/plaintext/2.0.0", b"/secio/1.0.0", b"/tls/1.0.0"):
                writer.write(bytes([len(name) + 1]) + name + b"\n")
                assert await reader.readexactly(4) == b"\x03na\n"
            writer.write(b"\x07/noise\n")
            assert await reader.readexactly(8) == b"\x07/noise\n"
            writer.close()

    run(main)


def test_importing_the_package_does_not_import_libp2p_or_trio() -> None:
    code = "import gossip.host, sys; sys.exit('libp2p' in sys.modules or 'trio' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=True)


def test_nothing_is_logged_by_default_when_dials_fail(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with started("a") as a, started("b") as b:
            address = a.addresses[0]
            await a.stop()
            with pytest.raises(DialFailed):
                await b.dial(address, timeout_s=HANG_S)

    run(main)
    assert [r for r in caplog.records if not r.name.startswith(("libp2p", "asyncio"))] == []


def test_inbound_slots_are_bounded_and_come_back() -> None:
    async def main() -> None:
        async with (
            started("a", inbound_connections_max=3, inbound_per_peer_max=2) as a,
            started("b") as b,
            started("c") as c,
        ):
            held = [await b.dial(a.addresses[0], timeout_s=HANG_S) for _ in range(2)]
            with pytest.raises(DialFailed):
                await b.dial(a.addresses[0], timeout_s=HANG_S)
            held.append(await dial_until_taken(c, a))
            with pytest.raises(DialFailed):
                await c.dial(a.addresses[0], timeout_s=HANG_S)
            await asyncio.gather(*(stream.close() for stream in held))
            for _ in range(6):
                await (await dial_until_taken(c, a)).close()

    run(main)


def test_streams_of_one_peer_are_bounded() -> None:
    async def main() -> None:
        async with started("a", ignore, streams_per_peer_max=2) as a, started("b") as b:
            held = [await b.dial(a.addresses[0], timeout_s=HANG_S) for _ in range(2)]
            with pytest.raises((DialFailed, StreamLost)):
                await (await b.dial(a.addresses[0], timeout_s=HANG_S)).read(timeout_s=HANG_S)
            for stream in held:
                await stream.abort()

    run(main)


def test_stop_with_open_connections_ends_both_sides() -> None:
    async def main() -> None:
        begun: set[PeerStream] = set()
        cancelled: set[PeerStream] = set()

        async def wait(stream: PeerStream) -> None:
            begun.add(stream)
            try:
                await ignore(stream)
            finally:
                cancelled.add(stream)

        async with started("a", wait) as a, started("b") as b:
            streams = [await b.dial(a.addresses[0], timeout_s=HANG_S) for _ in range(3)]
            reading = asyncio.create_task(streams[0].read(timeout_s=HANG_S))
            await eventually(lambda: len(begun) == 3)
            await a.stop()
            assert not a._bridge._thread.is_alive(), "it ended by itself"  # type: ignore[union-attr]  # it was started
            assert cancelled == begun
            with contextlib.suppress(OperationalFault):
                assert await reading == b""
            await a.stop()
            with pytest.raises(HostDown):
                await a.dial(b.addresses[0], timeout_s=1)

    run(main)


def test_a_crash_is_contained_and_the_host_comes_back_at_the_same_address() -> None:
    async def main() -> None:
        def crash() -> None:
            raise RuntimeError("planted crash")

        async with started("a", ignore) as a, started("b") as b:
            address = a.addresses[0]
            stream = await a.dial(b.addresses[0], timeout_s=HANG_S)
            reading = asyncio.create_task(stream.read(timeout_s=HANG_S))
            with socket.create_server(("127.0.0.1", 0)) as silent:
                dead_end = f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}/p2p/{b.cell_id}"
                dialling = asyncio.create_task(a.dial(dead_end, timeout_s=HANG_S))
                await asyncio.sleep(0.1)
                a._bridge._token.run_sync_soon(crash)  # type: ignore[union-attr]  # the host is started
                with pytest.raises(HostDown):
                    await dialling
                with pytest.raises(OperationalFault):
                    await reading
            await stream.close()
            await eventually(lambda: a.restarts == 1)
            assert a.addresses[0] == address
            async with await a.dial(b.addresses[0], timeout_s=HANG_S) as again:
                await again.write(b"back", timeout_s=HANG_S)
                assert await read_all(again, 4) == b"back"
            back = await b.dial(address, timeout_s=HANG_S)
            assert back.cell_id == a.cell_id
            await back.abort()

    run(main)


CHILD = """
import asyncio, sys
from gossip.host import Host, HostConfig
async def hold(stream):
    while await stream.read(timeout_s=None):
        pass
async def main():
    host = Host(HostConfig(b"k" * 32, ("/ip4/127.0.0.1/tcp/0",), sys.argv[1]), hold)
    print((await host.start())[0], flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def test_a_killed_peer_ends_reads_and_a_frozen_one_ends_writes() -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            CHILD,
            PROTOCOL,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert child.stdout is not None
        try:
            address = (await child.stdout.readline()).decode().strip()
            async with started("a") as a:
                stream = await a.dial(address, timeout_s=HANG_S)
                frozen = await a.dial(address, timeout_s=HANG_S)
                child.send_signal(signal.SIGSTOP)
                with pytest.raises(MyceldError):
                    await frozen.write(bytes(32 << 20), timeout_s=0.5)
                reading = asyncio.create_task(stream.read(timeout_s=HANG_S))
                await asyncio.sleep(0.05)
                child.kill()
                with contextlib.suppress(StreamLost):
                    assert await reading == b""
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
            await child.wait()

    run(main)
