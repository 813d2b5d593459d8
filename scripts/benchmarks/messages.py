"""Measures messages between two fresh cells on this machine, from one client to the other.

    scripts/bench-messages                   2,000 messages for the rate, 200 for the latency
    scripts/bench-messages --messages 10000

Each message is handed to a cell by HTTP, journaled and fsynced there, sealed, sent over libp2p,
checked, journaled and fsynced at the other cell, and fetched there by a client that waits for it.
Latency is of one message at a time, rate of eight clients that send as fast as they are answered.
Bars: 400 messages/s, and half of them in 10 ms. Exit status 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time

from network import Network, fresh_network

from myceld import Client

SENDERS = 8
RATE_MIN = 400.0
P50_MS_MAX = 10.0


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--messages", type=int, default=2000, help="for the rate")
    parser.add_argument("--singles", type=int, default=200, help="for the latency")
    options = parser.parse_args()
    with fresh_network(2) as network:
        receiver = network.clients[1].status()["cell_id"]
        network.clients[0].send_message(to=receiver, text="first", wait="delivered", timeout_s=60)
        spans_ms = latency(network, receiver, options.singles)
        before = network.usage()
        rate, is_whole = throughput(network, receiver, options.messages)
        after = network.usage()
    p50_ms, p99_ms = statistics.median(spans_ms), sorted(spans_ms)[len(spans_ms) * 99 // 100]
    used = [end - begin for begin, end in zip(before.cells_s, after.cells_s, strict=True)]
    print(f"rate      {rate:8.0f} messages/s   (bar {RATE_MIN:.0f})")
    print(f"p50       {p50_ms:8.1f} ms           (bar {P50_MS_MAX:.0f})")
    print(f"p99       {p99_ms:8.1f} ms")
    print(
        f"processor {1000 * used[0] / options.messages:8.2f} ms a message at the sender, with HTTP"
    )
    print(f"processor {1000 * used[1] / options.messages:8.2f} ms a message at the receiver")
    print(f"all {options.messages} arrived once and in order of each sender: {is_whole}")
    return 0 if is_whole and rate >= RATE_MIN and p50_ms <= P50_MS_MAX else 1


def latency(network: Network, receiver: str, count: int) -> list[float]:
    """Return how long single messages take from the sender's client to the receiver's, in ms."""
    sender, waiting = network.clients[0], network.clients[1].twin()
    after = max(item["id"] for item in waiting.message_list(limit=1)["messages"])
    arrived: list[float] = []
    came = threading.Event()

    def listen() -> None:
        nonlocal after
        while len(arrived) < count:
            page = waiting.next_messages(after=after, timeout_s=30, way="received")
            arrived.append(time.perf_counter())
            after = page["messages"][-1]["id"]
            came.set()

    thread = threading.Thread(target=listen)
    thread.start()
    spans_ms = []
    for number in range(count):
        time.sleep(0.005)  # the listener is back at its wait
        began = time.perf_counter()
        sender.send_message(to=receiver, text=f"single {number}")
        came.wait(30)
        came.clear()
        spans_ms.append(1000 * (arrived[number] - began))
    thread.join()
    waiting.close()
    return spans_ms


def throughput(network: Network, receiver: str, count: int) -> tuple[float, bool]:
    """Return messages/s from the first send to the last arrival, and whether all was right."""
    waiting = network.clients[1].twin()
    after = max(item["id"] for item in waiting.message_list(limit=1)["messages"])
    texts: list[str] = []
    began = time.perf_counter()
    threads = [
        threading.Thread(target=_send, args=(network.clients[0].twin(), receiver, number, count))
        for number in range(SENDERS)
    ]
    for thread in threads:
        thread.start()
    while len(texts) < count:
        page = waiting.next_messages(after=after, limit=1000, timeout_s=60, way="received")
        texts += [item["text"] or "" for item in page["messages"]]
        after = page["messages"][-1]["id"]
    took_s = time.perf_counter() - began
    for thread in threads:
        thread.join()
    waiting.close()
    whole = len(set(texts)) == count
    for number in range(SENDERS):
        mine = [int(text.split()[1]) for text in texts if text.startswith(f"{number}: ")]
        whole = whole and mine == sorted(mine)
    return count / took_s, whole


def _send(cell: Client, receiver: str, number: int, count: int) -> None:
    for at in range(number, count, SENDERS):
        cell.send_message(to=receiver, text=f"{number}: {at} the quick brown fox jumps")
    cell.close()


if __name__ == "__main__":
    sys.exit(main())
