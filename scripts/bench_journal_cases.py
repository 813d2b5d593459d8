"""What `scripts/bench-journal` measures of our journal: one function a case, a process a run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from nacl.signing import SigningKey

from core.ids import PublicKey, cell_id_of
from journal import Store
from journal.checkpoint import verify_checkpoint
from journal.merkle import leaf_hash, verify_inclusion
from journal.replication import Copies, FollowSession, Servers, Shelf

Options: TypeAlias = Mapping[str, float]
Result: TypeAlias = dict[str, float]
Case: TypeAlias = Callable[[Path, Options], Awaitable[Result]]

NAME: Final = "bench"
KEY: Final = SigningKey(b"\x07" * 32)
PUBLIC_KEY: Final = PublicKey(bytes(KEY.verify_key))
CELL_ID: Final = cell_id_of(PUBLIC_KEY)
OTHER_KEY: Final = SigningKey(b"\x08" * 32)
_PUSHED_BYTES_MAX: Final = 1 << 20


async def measure(case: Case, place: Path, options: Options) -> Result:
    """Run one case in the directory `place`."""
    place.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    return await case(place, options)


async def append(place: Path, options: Options) -> Result:
    """Blocks a second, each append awaited by its writer."""
    batch, writers = int(options.get("batch", 1)), int(options.get("writers", 1))
    blocks = _blocks(int(options["size"]))
    keys = {NAME: b"\x09" * 32} if options.get("encrypted") else None
    durability = "power" if options.get("power") else "process"
    async with await _open(place, durability=durability, encryption_keys=keys) as store:
        journal = await store.journal(NAME)
        await journal.append(blocks[:10])
        at = 0

        async def work() -> None:
            nonlocal at
            at = (at + batch) % (len(blocks) - batch) if len(blocks) > batch else 0
            await journal.append(blocks[at] if batch == 1 else blocks[at : at + batch])

        return {"value": batch * await _rate(work, options["secs"], writers)}


async def multi(place: Path, options: Options) -> Result:
    """Blocks a second of 16 writers, each of its own journal."""
    blocks = _blocks(100)
    async with await _open(place) as store:
        journals = [await store.journal(f"journal{number}") for number in range(16)]
        turn = 0

        async def work() -> None:
            nonlocal turn
            turn += 1
            await journals[turn % 16].append(blocks[turn % len(blocks)])

        return {"value": await _rate(work, options["secs"], 16)}


async def get(place: Path, options: Options) -> Result:
    """Random blocks a second."""
    count = int(options["count"])
    async with await _open(place) as store:
        journal = await store.journal(NAME)

        async def work() -> None:
            await journal.get(random.randrange(count))  # noqa: S311 - not a secret

        return {"value": await _rate(work, options["secs"], int(options["readers"]))}


async def seek(place: Path, options: Options) -> Result:
    """Random byte offsets a second."""
    async with await _open(place) as store:
        journal = await store.journal(NAME)
        size = journal.byte_length

        async def work() -> None:
            await journal.seek(random.randrange(size))  # noqa: S311 - not a secret

        return {"value": await _rate(work, options["secs"])}


async def prove(place: Path, options: Options) -> Result:
    """Inclusion proofs of random blocks a second."""
    count = int(options["count"])
    async with await _open(place) as store:
        journal = await store.journal(NAME)

        async def work() -> None:
            await journal.prove_inclusion(random.randrange(count))  # noqa: S311 - not a secret

        return {"value": await _rate(work, options["secs"])}


async def consistency(place: Path, options: Options) -> Result:
    """Consistency proofs from random sizes a second."""
    count = int(options["count"])
    async with await _open(place) as store:
        journal = await store.journal(NAME)

        async def work() -> None:
            await journal.prove_consistency(random.randrange(1, count))  # noqa: S311 - not a secret

        return {"value": await _rate(work, options["secs"])}


async def verify(place: Path, options: Options) -> Result:
    """Checks of a block, its proof and the signed head a second."""
    return await _verify(place, options, heads=True)


async def verify_hashes(place: Path, options: Options) -> Result:
    """The same without the signature."""
    return await _verify(place, options, heads=False)


async def build(place: Path, options: Options) -> Result:
    """Make the log that the reading cases read; its bytes a block on disk."""
    count = int(options["count"])
    blocks = _blocks(100)
    async with await _open(place) as store:
        journal = await store.journal(NAME)
        for at in range(journal.length, count, 1000):
            await journal.append(blocks[: min(1000, count - at)])
        await store.sync()
    used = sum(file.stat().st_size for file in place.iterdir())  # noqa: ASYNC240 - nothing else runs
    return {"value": used / count}


async def reopen(place: Path, _options: Options) -> Result:
    """Milliseconds until a log that exists can be read and written."""
    began = time.perf_counter()
    async with await _open(place) as store:
        await store.journal(NAME)
        return {"value": (time.perf_counter() - began) * 1000}


async def serve(place: Path, options: Options) -> Result:
    """Serve a log over TCP until the follower has left; for `repl`, which starts it."""
    count = int(options["count"])
    left = asyncio.Event()
    await build(place, options)
    async with await _open(place) as store:
        shelf = Shelf(store, await Copies.open(store), CELL_ID)
        servers = Servers(shelf)

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await servers.serve(_Socket(reader, writer))
            writer.close()
            left.set()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await left.wait()
        server.close()
    return {"value": count}


async def repl(place: Path, options: Options) -> Result:
    """Blocks a second that a follower in another process takes over TCP, and the wire bytes."""
    count = int(options["count"])
    command = [sys.executable, sys.argv[0], "--measure", "serve", str(place / "a")]
    child = await asyncio.create_subprocess_exec(
        *command, f"count={count}", stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None  # noqa: S101 - for the type checker: it was asked for
    port = int(await child.stdout.readline())
    async with await _open(place / "b", key=OTHER_KEY) as store:
        copies, done = await Copies.open(store), asyncio.Event()

        def on_commit(_: object) -> None:
            if store.state_of("follow-1").size >= count:
                done.set()

        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        session = FollowSession(_Socket(reader, writer), copies, CELL_ID, NAME, on_commit)
        following = asyncio.create_task(session.run())
        await done.wait()
        took = time.perf_counter() - began
        following.cancel()
        writer.close()
        wire = (session.frames.bytes_in + session.frames.bytes_out) / count
    await child.wait()
    return {"value": count / took, "wire": wire}


async def live(place: Path, options: Options) -> Result:
    """Milliseconds from an append to the same block in the follower, both in this process."""
    rounds = int(options.get("rounds", 300))
    blocks = _blocks(100)
    async with (
        await _open(place / "a") as store,
        await _open(place / "b", key=OTHER_KEY) as other,
    ):
        copies, grown = await Copies.open(other), asyncio.Event()
        shelf = Shelf(store, await Copies.open(store), CELL_ID)
        journal = await store.journal(NAME)
        await journal.append(blocks[0])
        ours, theirs = _Pipe.pair()
        session = FollowSession(theirs, copies, CELL_ID, NAME, lambda _: grown.set())
        tasks = [asyncio.create_task(work) for work in (Servers(shelf).serve(ours), session.run())]
        await grown.wait()
        times = []
        for number in range(1, rounds):
            began = time.perf_counter()
            await journal.append(blocks[number])
            while "follow-1" not in other.journals() or other.state_of("follow-1").size <= number:
                grown.clear()
                await grown.wait()
            times.append((time.perf_counter() - began) * 1000)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {"value": statistics.median(times), "p99": statistics.quantiles(times, n=100)[98]}


CASES: Final[Mapping[str, Case]] = {
    "append": append,
    "multi": multi,
    "get": get,
    "seek": seek,
    "prove": prove,
    "consistency": consistency,
    "verify": verify,
    "verify_hashes": verify_hashes,
    "build": build,
    "open": reopen,
    "serve": serve,
    "repl": repl,
    "live": live,
}


class _Socket:
    """A TCP connection as replication wants it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, size_max: int, *, timeout_s: float | None) -> bytes:
        async with asyncio.timeout(timeout_s):
            return await self._reader.read(size_max)

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        self._writer.write(data)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()


class _Pipe:
    """One end of a stream inside the process."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.wake = asyncio.Event()
        self.room = asyncio.Event()
        self.other = self

    @classmethod
    def pair(cls) -> tuple[_Pipe, _Pipe]:
        """Return two ends joined to each other."""
        one, two = cls(), cls()
        one.other, two.other = two, one
        return one, two

    async def read(self, size_max: int, *, timeout_s: float | None) -> bytes:
        async with asyncio.timeout(timeout_s):
            while not self.data:
                self.wake.clear()
                await self.wake.wait()
        data = bytes(self.data[:size_max])
        del self.data[:size_max]
        self.room.set()
        return data

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        other = self.other
        async with asyncio.timeout(timeout_s):
            while len(other.data) > _PUSHED_BYTES_MAX:
                other.room.clear()
                await other.room.wait()
        other.data += data
        other.wake.set()


async def _open(
    place: Path,
    *,
    key: SigningKey = KEY,
    durability: str = "process",
    encryption_keys: Mapping[str, bytes] | None = None,
) -> Store:
    place.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    return await Store.open(
        place / "store.db",
        signer=lambda message: key.sign(message).signature,
        cell_id=cell_id_of(PublicKey(bytes(key.verify_key))),
        durability="power" if durability == "power" else "process",
        encryption_keys=encryption_keys,
    )


async def _verify(place: Path, options: Options, *, heads: bool) -> Result:
    count = int(options["count"])
    async with await _open(place) as store:
        journal = await store.journal(NAME)
        head, root = await journal.publish(), journal.root()
        proven = []
        for _ in range(500):
            index = random.randrange(count)  # noqa: S311 - not a secret
            proven.append((index, await journal.get(index), await journal.prove_inclusion(index)))
    origin, at = f"{CELL_ID}/{NAME}/0", 0

    async def work() -> None:
        nonlocal at
        at = (at + 1) % len(proven)
        index, block, proof = proven[at]
        expected = verify_checkpoint(head, origin, PUBLIC_KEY).root if heads else root
        verify_inclusion(leaf_hash(block), index, count, proof, expected)

    return {"value": await _rate(work, options["secs"])}


async def _rate(work: Callable[[], Awaitable[None]], secs: float, workers: int = 1) -> float:
    """Run `work` again and again for the time given; return how often, per second."""
    done = 0
    began = time.perf_counter()
    until = began + secs

    async def worker() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await work()
            done += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(worker())
    return done / (time.perf_counter() - began)


def _blocks(size: int) -> list[bytes]:
    """Return random blocks: 2,000 small ones, fewer large ones."""
    return [os.urandom(size) for _ in range(2000 if size <= 4096 else 128)]
