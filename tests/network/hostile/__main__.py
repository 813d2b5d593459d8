"""`python -m tests.network.hostile`: attack a cell for some seconds, then say what became of it.

Reads one JSON object from the standard input, see `Orders`; writes a line when it is at work, and
one JSON object in the end, see `Outcome`. Bounded in
time and in connections; attacks nothing but loopback.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import MyceldError
from core.ids import Epoch, MemberIndex
from gossip.host import Host, HostConfig, PeerStream
from identity.keys import KeyPair
from ledger.genesis import from_json
from tests.network.hostile.attacks import ATTACKS
from tests.network.hostile.below import (
    FIRST_S,
    PATIENCE_S,
    Outcome,
    half_open,
    many_streams,
    use_source,
)
from tests.network.hostile.peer import Forger, Talk, Target

DIAL_TIMEOUT_S = 5.0
AGAIN_S = 0.05
BELOW = ("half-open", "many-streams")
ANYWHERE = "/ip4/127.0.0.1/tcp/0"


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do."""

    attack: str
    address: str
    genesis: str
    """The file."""
    epoch: int
    seed: str
    """Whose key is used, in hex."""
    seconds: float
    """From the first session on, which is let live longer, see `FIRST_S`."""
    source: str | None = None


def main() -> None:
    """Attack."""
    orders = Orders(**json.load(sys.stdin))
    if "/ip4/127." not in orders.address:
        sys.exit("only loopback is attacked")
    os.nice(10)  # what it costs the attacker is not what it costs the attacked
    genesis = from_json(Path(orders.genesis).read_text(encoding="utf-8"))
    target = Target(orders.address, genesis, Epoch(orders.epoch), orders.source)
    key = KeyPair(bytes.fromhex(orders.seed))
    if orders.attack in BELOW:
        say_at_work()
    if orders.attack == "half-open":
        outcome = asyncio.run(half_open(target, orders.seconds))
    elif orders.attack == "many-streams":
        outcome = many_streams(target, key, orders.seconds)
    else:
        outcome = asyncio.run(Campaign(orders, target, key).run())
    sys.stdout.write(json.dumps(asdict(outcome)) + "\n")


class Campaign:
    """One session after the other, as fast as the target lets us."""

    def __init__(self, orders: Orders, target: Target, key: KeyPair) -> None:
        self._orders = orders
        self._target = target
        self._host = Host(HostConfig(key.seed, (ANYWHERE,), target.protocol), _refuse)
        creator = target.genesis.roster.index_of(key.public_key) or MemberIndex(0)
        self._forger = Forger(target.genesis, target.epoch, key, creator)
        self._until_s = time.monotonic() + PATIENCE_S
        self._taken = False
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        """Attack until the time is over."""
        use_source(self._target.source)
        await self._host.start()
        try:
            while time.monotonic() < self._until_s:
                await self._one_session()
                await asyncio.sleep(AGAIN_S)
        finally:
            await self._host.stop()
        return self.outcome

    async def _one_session(self) -> None:
        try:
            stream = await self._host.dial(self._target.address, timeout_s=DIAL_TIMEOUT_S)
        except MyceldError:
            self.outcome.refused += 1
            return
        talk = Talk(stream, self._target)
        try:
            await self._attack(talk)
        except TimeoutError:
            self.outcome.left_s.append(time.monotonic() - talk.began_s)
        except (MyceldError, ConnectionError):
            self.outcome.dropped_s.append(time.monotonic() - talk.began_s)
        finally:
            await stream.abort()

    async def _attack(self, talk: Talk) -> None:
        try:
            await talk.shake_hands()
        except (MyceldError, ConnectionError):
            self.outcome.refused += 1
            return
        until_s = self._until_s
        if not self._taken:
            self._taken = True
            say_at_work()
            self._until_s = time.monotonic() + self._orders.seconds
            until_s = max(self._until_s, talk.began_s + FIRST_S)
        async with asyncio.timeout(max(0.1, until_s - time.monotonic())):
            await ATTACKS[self._orders.attack](talk, self._forger)
        raise ConnectionError("the stream is closed")


def say_at_work() -> None:
    """Tell whoever started us that the attack has begun."""
    sys.stdout.write("at work\n")
    sys.stdout.flush()


async def _refuse(stream: PeerStream) -> None:
    await stream.abort()


if __name__ == "__main__":
    main()
