"""A cell tells its network's genesis to whoever asks, so that an address is enough to join.

The protocol `/myceld/genesis/1`: the asked side writes the genesis file's text and closes; or the
code of its reason not to, which is no JSON. A
newcomer that has only an address trusts the cell behind it, whose key the address names, for this
one answer; it should compare the network id with what it was told by other means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from core.errors import MyceldError
from core.ids import CellId
from gossip.budget import Buckets
from gossip.host import Host, HostConfig, PeerStream
from ledger.errors import BadGenesis
from ledger.genesis import Genesis, from_json, to_json
from myceld.version import AGENT
from node.errors import AccessDenied, NetworkUnreachable
from node.limits import ADDRESSES_JUDGED_MAX, DIAL_TIMEOUT_MS, GENESIS_BURST, GENESIS_PER_S
from node.session import now_ms
from node.standing import host_of

GENESIS_PROTOCOL: Final = "/myceld/genesis/1"
"""The libp2p protocol name; the same on all networks."""

_SIZE_BYTES_MAX: Final = 64 * 1024
_CODES: Final = b"MYC-"
_CODE_SIZE_BYTES_MAX: Final = 32


def serve_genesis(
    genesis: Genesis, check: Callable[[CellId], None]
) -> Callable[[PeerStream], Awaitable[None]]:
    """Return the handler of GENESIS_PROTOCOL; one IP address is answered GENESIS_PER_S at most.

    `check` raises AccessDenied for who is not to know it.
    """
    text = to_json(genesis).encode()
    answers = Buckets(GENESIS_PER_S, GENESIS_BURST, keys_max=ADDRESSES_JUDGED_MAX)

    async def serve(stream: PeerStream) -> None:
        if not answers.take(host_of(stream.remote_address) or "", now_ms()):
            await stream.abort()
            return
        answer = text
        try:
            check(stream.cell_id)
        except AccessDenied as error:
            answer = error.code.encode()
        await stream.write(answer, timeout_s=DIAL_TIMEOUT_MS / 1000)

    return serve


async def fetch_genesis(seed: bytes, addresses: Sequence[str]) -> Genesis:
    """Return the genesis that the first answering cell tells.

    Raises NotAMultiaddr for a bad address, NetworkUnreachable with what each one said, or
    BadGenesis.
    """
    here = "/ip4/127.0.0.1/tcp/0"
    host = Host(HostConfig(seed, (here,), GENESIS_PROTOCOL, agent_version=AGENT), _refuse)
    await host.start()
    failures: list[str] = []
    try:
        for address in addresses:
            try:
                return from_json(await _ask(host, address))
            except (BadGenesis, LookupError):
                raise
            except (MyceldError, TimeoutError) as error:
                failures.append(str(error) or f"{address}: no answer in time")
    finally:
        await host.stop()
    raise NetworkUnreachable("; ".join(failures))


async def _ask(host: Host, address: str) -> bytes:
    timeout_s = DIAL_TIMEOUT_MS / 1000
    text = b""
    async with asyncio.timeout(2 * timeout_s):
        stream = await host.dial(address, timeout_s=timeout_s, protocol=GENESIS_PROTOCOL)
        async with stream:
            while data := await stream.read(timeout_s=timeout_s):
                text += data
                if text.startswith(_CODES) and len(text) <= _CODE_SIZE_BYTES_MAX:
                    raise NetworkUnreachable(f"{address} does not tell it: {text!r}")
                if len(text) > _SIZE_BYTES_MAX:
                    raise BadGenesis(f"{address} sent more than {_SIZE_BYTES_MAX} bytes")
    return text


async def _refuse(stream: PeerStream) -> None:
    await stream.abort()
