"""What scripts/bench-hashgraph measures, each in a process of its own; numbers go out as JSON."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from random import Random

import psutil
from nacl.signing import SigningKey

from core.ids import Epoch, EventId, MemberIndex, NetworkId, PublicKey, Sequence, Signature
from hashgraph import (
    Engine,
    Event,
    Places,
    UnresolvedEvent,
    decode_event,
    encode_event,
    make_event,
)
from identity.keys import verify_all

NETWORK = NetworkId(bytes(32))
START_NS = 1_700_000_000_000_000_000
BODY_SIZE_BYTES = 300
BATCH = 64  # signatures that go to a thread together
ROUNDS = 2_048  # of an epoch

Numbers = dict[str, float]
Check = tuple[PublicKey, bytes, bytes]


def gossip(
    members: int, parents: int, *, seed: int = 1, epoch: int = 0, body_bytes: int = BODY_SIZE_BYTES
) -> Iterator[Event]:
    """Yield random gossip for ever: a random member hears the newest events of random others."""
    rng = Random(seed)  # noqa: S311 - a benchmark that repeats, no secret
    tips: list[tuple[EventId, int] | None] = [None] * members
    known: list[int] = []
    body = bytes(body_bytes)
    step = 0
    while True:
        creator = rng.randrange(members)
        others = [member for member in known if member != creator]
        picked = others if parents >= len(others) else rng.sample(others, parents)
        own = tips[creator]
        digest = sha256(b"%d/%d/%d" % (seed, epoch, step)).digest()
        event = Event(
            id=EventId(digest),
            creator=MemberIndex(creator),
            sequence=Sequence(0 if own is None else own[1] + 1),
            self_parent=None if own is None else own[0],
            other_parents=tuple(tip[0] for tip in (tips[m] for m in picked) if tip is not None),
            time_ns=START_NS + step * 1_000_000,
            payload=(),
            signature=Signature(digest + digest),
            body=body + digest,
        )
        if own is None:
            known.append(creator)
        tips[creator] = (event.id, event.sequence)
        yield event
        step += 1


def speed(members: int, parents: int, count: int) -> Numbers:
    """Order random gossip on one thread: events a second, by the clock and of processor time."""
    source = gossip(members, parents, body_bytes=0)
    events = [next(source) for _ in range(count)]
    gc.collect()
    engine = Engine([1] * members)
    ordered = 0
    began, began_cpu = time.perf_counter(), time.process_time()
    for event in events:
        for decided in engine.add(event).decided:
            ordered += len(decided.ordered)
    took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return {
        "value": count / took,
        "of_processor_time": count / took_cpu,
        "ordered": ordered,
        "events_a_round": count / max(1, engine.last_round),
    }


def live_bytes(members: int, parents: int, count: int) -> Numbers:
    """Return what an event takes that is not ordered: no quorum gossips, so none is.

    The event itself is counted, with a body of 300 bytes.
    """
    quorumless = 2 * members // 3
    source = gossip(quorumless, parents)
    engine = Engine([1] * members)
    return {"value": _traced(engine, source, count), "ordered": 0}


def kept_bytes(members: int, parents: int, count: int) -> Numbers:
    """Return what an event leaves behind until the epoch ends: the slope over the second half."""
    source = gossip(members, parents)
    engine = Engine([1] * members)
    tracemalloc.start()
    sizes = []
    for _ in range(2):
        for _ in range(count // 2):
            engine.add(next(source))
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return {"value": (sizes[1] - sizes[0]) / (count // 2), "unordered": engine.unordered_count}


def epochs(members: int, parents: int, count: int) -> Numbers:
    """Order `count` events over many epochs; return how flat the memory is at their ends."""
    process = psutil.Process()
    engine = Engine([1] * members, epoch_rounds=ROUNDS)
    at_end: list[int] = []
    done = 0
    began = time.perf_counter()
    while done < count:
        source = gossip(members, parents, seed=len(at_end), epoch=len(at_end))
        while engine.sealed is None:
            engine.add(next(source))
            done += 1
        at_end.append(process.memory_info().rss)
        following = Engine.start(engine.sealed, [1] * members, epoch_rounds=ROUNDS)
        engine.close()
        engine = following
    took = time.perf_counter() - began
    settled = at_end[1:] or at_end
    middle = (max(settled) + min(settled)) / 2
    return {
        "value": 100 * (max(settled) - middle) / middle,
        "epochs": len(at_end),
        "events": done,
        "mb_at_ends_min": min(settled) / 1e6,
        "mb_at_ends_max": max(settled) / 1e6,
        "events_a_second": done / took,
    }


def intake(members: int, parents: int, count: int) -> Numbers:
    """Take in signed events from bytes, with the signatures checked on two threads.

    Beside the bare rate of the same checks on the same pool, and the rest of the work alone.
    """
    keys = [SigningKey(sha256(b"%d" % member).digest()) for member in range(members)]
    public = [PublicKey(bytes(key.verify_key)) for key in keys]
    blocks = _signed(keys, parents, count)
    events = [decode_event(block, network_id=NETWORK, epoch=Epoch(0)) for block in blocks]
    checks: list[Check] = [(public[e.creator], e.body, e.signature) for e in events]
    with ThreadPoolExecutor(2) as pool:
        bare = _rate(lambda: _check_all(pool, checks), count)
        alone = _rate(lambda: _take_in(None, blocks, public, members), count)
        whole = _rate(lambda: _take_in(pool, blocks, public, members), count)
        again = _rate(lambda: _check_all(pool, checks), count)
    bare = (bare + again) / 2
    return {
        "value": 1e6 / alone,
        "signatures_bare": bare,
        "events_taken_in": whole,
        "share_of_bare": whole / bare,
        # Two processors share the checks and the rest: more than this can not be.
        "share_possible": (2 / bare) / (2 / bare + 1 / alone),
    }


CASES: dict[str, Callable[[int, int, int], Numbers]] = {
    "speed": speed,
    "live": live_bytes,
    "kept": kept_bytes,
    "epochs": epochs,
    "intake": intake,
}


def _traced(engine: Engine, source: Iterator[Event], count: int) -> float:
    tracemalloc.start()
    for _ in range(count):
        engine.add(next(source))
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size / count


def _signed(keys: list[SigningKey], parents: int, count: int) -> list[bytes]:
    """Return real events of 100 bytes of payload, encoded."""
    source = gossip(len(keys), parents)
    made: dict[EventId, Event] = {}
    blocks = []
    for plan in (next(source) for _ in range(count)):
        event = make_event(
            network_id=NETWORK,
            epoch=Epoch(0),
            creator=plan.creator,
            sequence=plan.sequence,
            self_parent=None if plan.self_parent is None else made[plan.self_parent].id,
            other_parents=[made[other] for other in plan.other_parents],
            time_ns=plan.time_ns,
            payload=[bytes(100)],
            sign=lambda body, key=keys[plan.creator]: key.sign(body).signature,  # type: ignore[misc]  # the default is its type
        )
        made[plan.id] = event
        blocks.append(encode_event(event))
    return blocks


def _check_all(pool: ThreadPoolExecutor, checks: list[Check]) -> None:
    batches = [checks[place : place + BATCH] for place in range(0, len(checks), BATCH)]
    for verdicts in pool.map(verify_all, batches):
        if not all(verdicts):
            raise SystemExit("a good signature was refused")


def _take_in(
    pool: ThreadPoolExecutor | None, blocks: list[bytes], public: list[PublicKey], members: int
) -> None:
    """Decode, hash, drop what is known, check signatures, resolve, and add.

    Signatures are checked on the pool if there is one.
    """
    engine, places = Engine([1] * members), Places(members)
    under_way: list[tuple[list[UnresolvedEvent], Future[list[bool]] | None]] = []
    seen: set[EventId] = set()
    for place in range(0, len(blocks), BATCH):
        events = []
        for block in blocks[place : place + BATCH]:
            event = decode_event(block, network_id=NETWORK, epoch=Epoch(0))
            if event.id not in seen and event.id not in engine:
                seen.add(event.id)
                events.append(event)
        checks = [(public[e.creator], e.body, e.signature) for e in events]
        under_way.append((events, None if pool is None else pool.submit(verify_all, checks)))
        if len(under_way) > 8:
            _add(engine, places, *under_way.pop(0))
    for events, verdicts in under_way:
        _add(engine, places, events, verdicts)


def _add(
    engine: Engine,
    places: Places,
    events: list[UnresolvedEvent],
    verdicts: Future[list[bool]] | None,
) -> None:
    if verdicts is not None and not all(verdicts.result()):
        raise SystemExit("a good signature was refused")
    for event in events:
        resolved = places.resolve(event)
        if resolved is None:
            raise SystemExit("an event is not resolved")
        engine.add(resolved)
        places.add(resolved)


def _rate(work: Callable[[], None], count: int) -> float:
    gc.collect()
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)
