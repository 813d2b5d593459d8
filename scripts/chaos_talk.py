"""Messages of a chaos run: each cell writes to the next one, to the id that it had at first.

What a cell has acknowledged has to arrive once and in order, whatever happens to the two, and
whichever keys they have by then. What was not acknowledged may arrive too, in its place.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from chaos_cell import PAGE, READ_S, Cell, wait_until
from chaos_errors import MESSAGE_LOST, MESSAGES_OUT_OF_ORDER, Finding, NetworkNotUp

from core.errors import MyceldError
from myceld import Client

ARRIVES_S: Final = 90.0
"""After the end: a pause of 30 s is the longest that a relay is given."""
MESSAGES_PER_S: Final = 8.0
"""Of all cells together: beside the transactions, they are not to be the load."""
_RETRY_S: Final = 0.05
_ANSWER_S: Final = 20.0
_WORD: Final = "chaos"


class Talk:
    """One cell's messages to another."""

    def __init__(self, sender: Cell, receiver: Cell, rate_per_s: float) -> None:
        self.sender = sender
        self.receiver = receiver
        self.told: list[int] = []
        """Numbers in the texts that were acknowledged."""
        self._to = receiver.cell_id
        self._pause_s = 1 / rate_per_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Write no more."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the answer that is under way."""
        self._stop.set()
        self._thread.join()

    def text(self, number: int) -> str:
        """Return what is written."""
        return f"{_WORD} {self.sender.number} {self.receiver.number} {number}"

    def _run(self) -> None:
        number = 0
        with Client.from_home(self.sender.home, timeout_s=_ANSWER_S) as client:
            while not self._stop.is_set():
                number += 1
                try:
                    client.send_message(to=self._to, text=self.text(number))
                except MyceldError:
                    self._stop.wait(_RETRY_S)
                    continue
                self.told.append(number)
                self._stop.wait(self._pause_s)


@contextmanager
def talking(cells: Sequence[Cell], rate_per_s: float) -> Iterator[list[Talk]]:
    """Have each cell write to the next one inside the block; the rate is of all together."""
    rate_per_s /= len(cells)
    after = [*cells[1:], cells[0]]
    talks = [Talk(one, other, rate_per_s) for one, other in zip(cells, after, strict=True)]
    try:
        yield talks
    finally:
        for talk in talks:
            talk.ask_to_stop()
        for talk in talks:
            talk.join()


def check_talks(talks: Sequence[Talk]) -> list[Finding]:
    """Wait until all that was acknowledged has arrived; return what has not, or not as it should.

    The cells run.
    """
    findings: list[Finding] = []
    for talk in talks:

        def has_all(talk: Talk = talk) -> bool:
            try:
                return set(talk.told) <= set(_arrived(talk))
            except MyceldError:
                return False

        with contextlib.suppress(NetworkNotUp):  # what is missing is found below
            wait_until(has_all, ARRIVES_S, "messages are missing")
        findings += check_talk(talk.sender.name, talk.told, _arrived(talk))
    return findings


def check_talk(name: str, told: Sequence[int], arrived: Sequence[int]) -> list[Finding]:
    """Check what one cell was told that another took against what that has."""
    findings = []
    lost = [number for number in told if number not in set(arrived)]
    if lost:
        detail = f"{name}: {len(lost)} of {len(told)} messages, number {lost[0]} first"
        findings.append(Finding(MESSAGE_LOST, detail))
    if list(arrived) != sorted(set(arrived)):
        at = next(i for i, one in enumerate(arrived) if i and one <= arrived[i - 1])
        detail = f"{name}: number {arrived[at]} arrived after {arrived[at - 1]}"
        findings.append(Finding(MESSAGES_OUT_OF_ORDER, detail))
    return findings


def _arrived(talk: Talk) -> list[int]:
    """Return the numbers of the messages that have arrived, in their order."""
    texts: list[str] = []
    after = -1
    with Client.from_home(talk.receiver.home, timeout_s=READ_S) as client:
        while True:
            page: Sequence[Mapping[str, Any]] = client.next_messages(
                after=after, limit=PAGE, timeout_s=0.5, way="received"
            )["messages"]
            if not page:
                break
            texts += [str(item["text"]) for item in page]
            after = page[-1]["id"]
    words = f"{_WORD} {talk.sender.number} {talk.receiver.number} "
    return [int(text.removeprefix(words)) for text in texts if text.startswith(words)]
