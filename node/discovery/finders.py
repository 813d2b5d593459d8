"""What every way of finding other cells has in common, whatever is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from core.ids import CellId
from gossip.discovery.spore import Spore

SEED: Final = "seed"
"""The name of the finder that reads seeds."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search brought: whole spores, unverified, or addresses that nobody signed for."""

    spores: Sequence[Spore] = field(default=())
    hints: Sequence[tuple[CellId, tuple[str, ...]]] = field(default=())


class Finder(Protocol):
    """A way to find cells of the network. Finders are asked in order, the surest first."""

    @property
    def name(self) -> str:
        """For the log and the address book: `seed`, `mdns` or `dht`."""
        ...

    async def find(self) -> Findings:
        """Return what can be found now, within a deadline of its own.

        Raises MyceldError when the search failed; what is found is checked by the caller.
        """
        ...

    async def announce(self, addresses: Sequence[str]) -> None:
        """Make these addresses of ours findable in place of the earlier ones, if it can."""
        ...

    async def close(self) -> None:
        """Stop, within a deadline."""
        ...
