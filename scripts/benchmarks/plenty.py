"""Fills a network with much of all that the explorer lists: some minutes of real work."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from network import BenchFailed, Network

from identity.keys import KeyPair
from myceld import Client
from myceld.state_calls import write

KEYS_PER_WRITE: Final = 64
STRANGERS: Final = 1000
"""Cells that each member vouches for; a member's words are limited to some more."""
ROUNDS_MAX: Final = 20


def fill(network: Network, wanted: int) -> dict[str, int]:
    """Put, pay, vouch and write messages until there is enough; return how much there is."""
    first = network.clients[0].status()["name"]
    each = max(100, wanted // len(network.clients) // 4)
    for turn in range(ROUNDS_MAX):
        status = network.clients[0].status()
        have = min(status["events_total"], status["transactions_ordered"])
        print(f"filling: {have} of {wanted}", file=sys.stderr)
        if have >= wanted:
            network.settled()
            return amounts(network.clients[0])
        with ThreadPoolExecutor(len(network.clients)) as pool:
            works = [
                pool.submit(_work, client, first, turn * each, each) for client in network.clients
            ]
            for work in works:
                work.result()
    raise BenchFailed(f"after {ROUNDS_MAX} turns there is still too little")


def amounts(cell: Client) -> dict[str, int]:
    """Return how much a cell has of what the explorer shows."""
    status = cell.status()
    return {
        "events": status["events_total"],
        "transactions": status["transactions_ordered"],
        "rounds": status["round_applied"],
        "keys": _keys(cell),
        "trusted cells": cell.trust_graph(limit=1)["cells_known"],
        "messages": cell.message_list(limit=1)["total"],
        "blocks": sum(one["length"] for one in cell.journals()["items"]),
    }


def _keys(cell: Client) -> int:
    found, after = 0, ""
    while True:
        page = cell.state_values(after=after, limit=1000)
        found += len(page["items"])
        if page["next"] is None:
            return found
        after = page["next"]


def _work(cell: Client, first: str, begin: int, count: int) -> None:
    """Do so many things one after the other, as a busy program would."""
    own = cell.status()["name"]
    acts: list[Callable[[int], object]] = [
        lambda n: cell.put(f"plenty/{own}/{n % 100:02}/{n}", f"value {n}".encode()),
        lambda n: cell.attest(_stranger(own, n // 4 % STRANGERS), 0.5),
        lambda n: cell.put(f"plenty/{own}/{n}", b"x" * 100),
        lambda n: _message(cell, own, first, n) if n % 8 == 3 else cell.pay(first, 1 + n),
    ]
    for n in range(begin, begin + count):
        acts[n % len(acts)](n)
        if n % KEYS_PER_WRITE == 0:
            keys = [f"plenty/{own}/batch/{n}/{at}" for at in range(KEYS_PER_WRITE)]
            cell.write_state([write(key, b"one of many") for key in keys], wait="stored")


def _message(cell: Client, own: str, first: str, number: int) -> None:
    if own != first:
        cell.send_message(to=first, text=f"This is message {number} of {own}.")


def _stranger(own: str, number: int) -> str:
    """Return the id of a cell that nobody runs."""
    return KeyPair(hashlib.sha256(f"{own}/{number}".encode()).digest()).cell_id
