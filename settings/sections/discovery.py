"""Section `discovery`: how other cells are found, beside what connected ones tell."""

from __future__ import annotations

from dataclasses import dataclass

from settings.checks import wrong_seeds
from settings.keys import key
from settings.limits import SEEDS_MAX


@dataclass(frozen=True, slots=True)
class DiscoveryConfig:
    """The values of the section."""

    mdns: bool = key(
        True,
        "announce this cell on the LAN and note others of its network there; never done by a cell"
        " that listens on loopback only",
    )
    dht: bool = key(
        False,
        "take part in the cells' distributed hash table, and look for the network in it. That"
        " table is shared by the cells of all networks that enable it: they see a hash of the"
        " network id, and this cell's addresses",
    )
    seeds: tuple[str, ...] = key(
        (),
        "files of `myceld spore export`: paths, relative to the cell's directory, or `https` URLs"
        " (`http` on loopback only), at most 3 MiB, read within 10 s whenever members are missing",
        items="paths and URLs",
        most=SEEDS_MAX,
        check=wrong_seeds,
        reload=True,
    )
