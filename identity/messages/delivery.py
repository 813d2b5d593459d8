"""Delivery between two cells as a state machine: in order, exactly once, nothing lost in silence.

Sender: an `Outbox` for each receiver. Messages are numbered from 1; they go out in order, within a
window, again and again until the receiver's signed receipt covers them, or they expire. What is
given up is *failed*, and the floor rises over it: the receiver is told to wait for it no longer.

Receiver: an `Inbox` for each sender. Only the next number is taken; it is journaled and noted in
one transaction, and only after that is durable `receipt` covers it. So a message that comes again,
by whatever way, is confirmed again and nothing else.

Neither side sleeps, sends or stores: times come in as milliseconds, and what has to be noted comes
out as changes, which may be lost in a crash (they are learned again) but for the floor: it must be
durable before it is told. `next_number` is durable with the message that used it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias

from core.errors import check
from core.ids import CellId
from identity.messages.errors import MessageExpired, NumberUsed, OutboxFull
from identity.messages.limits import (
    NUMBER_MAX,
    RETRY_MS_MAX,
    RETRY_MS_MIN,
    WAITING_COUNT_MAX,
    WINDOW_COUNT_MAX,
    WINDOW_SIZE_BYTES_MAX,
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that its receiver has not confirmed."""

    number: int
    replay_id: bytes
    id: int
    """Index of its block in the sender's journal; of the newest, if it was sealed anew."""
    size_bytes: int
    expires_ms: int
    """By the wall clock. Never before that of a message with a smaller number."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """All messages to a receiver up to this number that have not failed are delivered."""

    receiver: CellId
    through: int


@dataclass(frozen=True, slots=True)
class Read:
    """Of those, up to this number were read."""

    receiver: CellId
    through: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A message was given up, for the reason with this code."""

    receiver: CellId
    number: int
    code: str


Change: TypeAlias = Delivered | Read | Failed


class Outbox:
    """What one cell has for another. `taken` and `read` are what its receipts said so far."""

    def __init__(
        self,
        receiver: CellId,
        *,
        next_number: int = 1,
        floor: int = 1,
        taken: int = 0,
        read: int = 0,
    ) -> None:
        """Begin empty, at what is stored; then `add` what waits, in order."""
        self.receiver = receiver
        self.next_number = next_number
        self.floor = floor
        """Everything below is confirmed or given up."""
        self.taken = taken
        self.read = read
        self.retries = 0
        """How often all was sent again because nothing was confirmed."""
        self._waiting: OrderedDict[int, Waiting] = OrderedDict()
        self._reserved: deque[int] = deque()
        self._used_through = 0
        """Numbers that another life of this cell's directory has used."""
        self._expires_ms = 0
        self._sent_through = 0
        self._retry_at_ms: int | None = None
        self._retry_ms = RETRY_MS_MIN

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting.values())

    @property
    def needs_floor(self) -> bool:
        """Whether the receiver waits for a message that was given up."""
        return self.floor > self.taken + 1

    @property
    def last_number(self) -> int:
        """Return the number of the last message that waits; 0 without any."""
        return next(reversed(self._waiting), 0)

    def check_room(self) -> None:
        """Raise OutboxFull if nothing more may wait."""
        if len(self._waiting) + len(self._reserved) >= WAITING_COUNT_MAX:
            raise OutboxFull(f"{len(self._waiting)} messages wait for {self.receiver}")
        if self.next_number > NUMBER_MAX:
            raise OutboxFull(f"{self.receiver} claims to have taken more than was ever sent")

    def reserve(self, expires_ms: int) -> tuple[int, int]:
        """Return the number of the next message, and when it expires: not before those in front.

        Each number that was reserved must be added, in order, once it is durable.
        """
        number = self.next_number
        self.next_number += 1
        self._reserved.append(number)
        self._expires_ms = max(self._expires_ms, expires_ms)
        return number, self._expires_ms

    def add(self, waiting: Waiting) -> list[Change]:
        """Take a message that is durable here; its number is above all others.

        It has failed already if meanwhile the number turned out to be used in another life.
        """
        last = next(reversed(self._waiting.values()), None)
        check(waiting.number >= self.floor, "what waits is not below the floor")
        check(last is None or waiting.number > last.number, "messages are added in order")
        check(last is None or waiting.expires_ms >= last.expires_ms, "they expire in order")
        if self._reserved:
            check(self._reserved.popleft() == waiting.number, "what was reserved is added in order")
        if waiting.number <= self._used_through:
            self._raise_floor()
            return [Failed(self.receiver, waiting.number, NumberUsed.code)]
        self._waiting[waiting.number] = waiting
        self.next_number = max(self.next_number, waiting.number + 1)
        self._expires_ms = max(self._expires_ms, waiting.expires_ms)
        return []

    @property
    def is_reserved(self) -> bool:
        """Whether messages are on their way to the disk."""
        return bool(self._reserved)

    def waiting(self, number: int) -> Waiting | None:
        """Return a message that waits, None once it is confirmed or given up."""
        return self._waiting.get(number)

    def rewritten(self, number: int, message_id: int) -> None:
        """Note that a message was signed and sealed anew, in another block; it is the same one."""
        before = self._waiting.get(number)
        if before is not None:
            self._waiting[number] = replace(before, id=message_id)

    def hand_over(self, to: Outbox) -> list[tuple[Waiting, Waiting]]:
        """Give all that waits to another outbox, which turned out to be of the same cell.

        Returns each message as it was here, and as it is there. Nothing may be reserved in either.
        """
        check(not self._reserved and not to._reserved, "nothing is on its way to the disk")
        moved: list[tuple[Waiting, Waiting]] = []
        for before in self._waiting.values():
            number, expires_ms = to.reserve(before.expires_ms)
            after = replace(before, number=number, expires_ms=expires_ms)
            to.add(after)
            moved.append((before, after))
        self._waiting.clear()
        self._raise_floor()
        return moved

    def connected(self) -> None:
        """Begin anew: there is a way to the receiver, and what was sent before may be lost."""
        self._sent_through = 0
        self._retry_at_ms = None
        self._retry_ms = RETRY_MS_MIN

    def take_due(self, now_ms: int) -> list[Waiting]:
        """Return what is to be sent to the connected receiver now, in order; it counts as sent.

        When nothing was confirmed for too long, that begins at the first message again.
        """
        if self._retry_at_ms is not None and now_ms >= self._retry_at_ms:
            self._sent_through = 0
            self.retries += 1
            self._retry_ms = min(2 * self._retry_ms, RETRY_MS_MAX)
            self._retry_at_ms = None
        due: list[Waiting] = []
        size_bytes = 0
        for count, waiting in enumerate(self._waiting.values()):
            size_bytes += waiting.size_bytes
            if count >= WINDOW_COUNT_MAX or (count and size_bytes > WINDOW_SIZE_BYTES_MAX):
                break
            if waiting.number > self._sent_through:
                due.append(waiting)
        if due:
            self._sent_through = due[-1].number
        if (self._waiting or self.needs_floor) and self._retry_at_ms is None:
            self._retry_at_ms = now_ms + self._retry_ms
        return due

    def due_in_ms(self, now_ms: int) -> int | None:
        """Return when `take_due` has something again by itself; None if nothing is on its way."""
        return None if self._retry_at_ms is None else max(0, self._retry_at_ms - now_ms)

    def confirmed(self, taken: int, replay_id: bytes, read: int) -> list[Change]:
        """Take what a receipt says.

        A receipt for a number that was never used here, or for another message than ours, means
        that this cell's directory is an older copy: what it has under such numbers has failed,
        and it goes on above them.
        """
        if self._is_of_another_life(taken, replay_id):
            changes = self._give_up_through(taken, NumberUsed.code)
            self._used_through = max(self._used_through, taken)
            self.next_number = max(self.next_number, taken + 1)
            self._raise_floor()
            self.taken, self.read = max(self.taken, taken), max(self.read, read)
            return changes
        news: list[Change] = []
        if taken > self.taken:
            self.taken = taken
            while self._waiting and next(iter(self._waiting)) <= taken:
                self._waiting.popitem(last=False)
            self._raise_floor()
            self._retry_ms = RETRY_MS_MIN
            self._retry_at_ms = None
            news.append(Delivered(self.receiver, taken))
        if read > self.read:
            self.read = read
            news.append(Read(self.receiver, read))
        return news

    def refused(self, number: int, replay_id: bytes, code: str) -> list[Change]:
        """Take the receiver's word that it does not take a message: it has failed."""
        waiting = self._waiting.get(number)
        if waiting is None or waiting.replay_id != replay_id:
            return []
        del self._waiting[number]
        self._raise_floor()
        return [Failed(self.receiver, number, code)]

    def expire(self, wall_ms: int) -> list[Change]:
        """Give up what was not delivered in its time."""
        changes: list[Change] = []
        while self._waiting and next(iter(self._waiting.values())).expires_ms <= wall_ms:
            number, _ = self._waiting.popitem(last=False)
            changes.append(Failed(self.receiver, number, MessageExpired.code))
        self._raise_floor()
        return changes

    def expires_ms(self) -> int | None:
        """Return when the next message expires, by the wall clock."""
        first = next(iter(self._waiting.values()), None)
        return None if first is None else first.expires_ms

    def _is_of_another_life(self, taken: int, replay_id: bytes) -> bool:
        if taken >= (self._reserved[0] if self._reserved else self.next_number):
            return True  # what is on its way to the disk was never sent
        ours = self._waiting.get(taken)
        return ours is not None and ours.replay_id != replay_id

    def _give_up_through(self, number: int, code: str) -> list[Change]:
        given_up = [waiting for waiting in self._waiting if waiting <= number]
        for gone in given_up:
            del self._waiting[gone]
        return [Failed(self.receiver, gone, code) for gone in given_up]

    def _raise_floor(self) -> None:
        unconfirmed = self._reserved[0] if self._reserved else self.next_number
        self.floor = max(self.floor, next(iter(self._waiting), unconfirmed))


class Verdict(Enum):
    """What becomes of a message that arrives, all its proofs being good."""

    TAKE = auto()
    """It is the next: journal it."""
    AGAIN = auto()
    """It is here already: confirm it again."""
    EARLY = auto()
    """One before it is missing: it will come again."""
    CONFLICT = auto()
    """There is another one of this number: refuse it."""


class Inbox:
    """What one cell has taken from another. `taken` is durable, `accepted` on its way to the disk.

    `replay_of` finds the replay id of a message that was taken, None for one that was given up.
    """

    def __init__(
        self,
        sender: CellId,
        replay_of: Callable[[int], bytes | None],
        *,
        taken: int = 0,
        read: int = 0,
    ) -> None:
        """Begin at what is stored."""
        self.sender = sender
        self.taken = taken
        self.accepted = taken
        self.read = read
        self._replay_of = replay_of
        self._under_way: dict[int, bytes] = {}

    @property
    def receipt(self) -> tuple[int, bytes, int]:
        """Return what a receipt has to say now: taken, replay id of that one, read."""
        return self.taken, self._replay_of(self.taken) or b"", self.read

    def judge(self, number: int, replay_id: bytes) -> Verdict:
        """Return what is to become of a message; changes nothing."""
        if number > self.accepted + 1:
            return Verdict.EARLY
        if number == self.accepted + 1:
            return Verdict.TAKE
        known = self._under_way.get(number) or self._replay_of(number)
        return Verdict.AGAIN if known == replay_id else Verdict.CONFLICT

    def accept(self, number: int, replay_id: bytes) -> None:
        """Note that the next message is on its way to the disk."""
        check(number == self.accepted + 1, "messages are taken in order")
        self.accepted = number
        self._under_way[number] = replay_id

    def stored(self, number: int) -> None:
        """Note that a message is journaled, durably."""
        check(self.taken < number <= self.accepted, "what is stored was accepted before")
        self.taken = number
        self._under_way.pop(number, None)

    def skip_to(self, floor: int) -> bool:
        """Wait for nothing below `floor` any more; return whether that has to be made durable.

        Only while nothing is on its way to the disk: the sender tells its floor again.
        """
        if self._under_way or floor - 1 <= self.taken:
            return False
        self.taken = self.accepted = floor - 1
        return True

    def mark_read(self, number: int) -> bool:
        """Note that all up to this number were read; return whether that is new."""
        if number <= self.read or number > self.taken:
            return False
        self.read = number
        return True
