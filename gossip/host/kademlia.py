"""The state of a Kademlia node, pure: who is near, who provides what, how a lookup goes.

Maymounkov and Mazières, "Kademlia: A Peer-to-peer Information System Based on the XOR Metric"
(2002), with libp2p's choices (specs/kad-dht): positions are SHA-256 of the peer id's or key's
bytes, k = 20, α = 3. Time is an argument, in seconds. Everything that a stranger can make grow is
bounded: see `limits`.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import base58

from core.ids import CellId
from gossip.host.limits import (
    DHT_ADDRESSES_MAX,
    DHT_BUCKET_HINTS_MAX,
    DHT_BUCKET_MAX,
    DHT_CANDIDATES_MAX,
    DHT_KEYS_MAX,
    DHT_KEYS_PER_PROVIDER_MAX,
    DHT_LOOKUP_PARALLEL,
    DHT_LOOKUP_QUERIES_MAX,
    DHT_PROVIDERS_PER_KEY_MAX,
    DHT_RECORD_LIFE_S,
)


@dataclass(frozen=True, slots=True)
class Contact:
    """A node of the DHT and where it may be dialled: multiaddrs with its id, checked."""

    cell_id: CellId
    addresses: tuple[str, ...]


class RoutingTable:
    """Contacts by the length of the prefix that their position shares with ours.

    A contact that answered us stays as long as it answers; hints (contacts that others named) fill
    at most DHT_BUCKET_HINTS_MAX places of a bucket and yield to those that answered.
    """

    def __init__(self, own: CellId) -> None:
        self._own = own
        self._answered: dict[int, OrderedDict[CellId, Contact]] = {}
        self._hinted: dict[int, OrderedDict[CellId, Contact]] = {}

    def __len__(self) -> int:
        return sum(map(len, (*self._answered.values(), *self._hinted.values())))

    def hint(self, contact: Contact) -> None:
        """Note a contact that nobody has tried; a newer hint pushes out the oldest."""
        bucket = self._bucket(contact.cell_id)
        if contact.cell_id in self._answered.get(bucket, ()) or not _usable(contact, self._own):
            return
        hinted = self._hinted.setdefault(bucket, OrderedDict())
        hinted[contact.cell_id] = contact
        if len(hinted) > DHT_BUCKET_HINTS_MAX:
            hinted.popitem(last=False)

    def answered(self, contact: Contact) -> None:
        """Note a contact that answered; when its bucket is full, the old ones stay."""
        if not _usable(contact, self._own):
            return
        bucket = self._bucket(contact.cell_id)
        self._hinted.get(bucket, OrderedDict()).pop(contact.cell_id, None)
        answered = self._answered.setdefault(bucket, OrderedDict())
        if contact.cell_id in answered or len(answered) < DHT_BUCKET_MAX:
            answered[contact.cell_id] = contact
            answered.move_to_end(contact.cell_id)

    def failed(self, cell_id: CellId) -> None:
        """Forget a contact that did not answer."""
        bucket = self._bucket(cell_id)
        for contacts in (self._answered, self._hinted):
            contacts.get(bucket, OrderedDict()).pop(cell_id, None)

    def closest(self, target: int, count: int) -> list[Contact]:
        """Return the contacts nearest to a position, the nearest first."""
        held = (*self._answered.values(), *self._hinted.values())
        contacts = [contact for bucket in held for contact in bucket.values()]
        return _sorted(contacts, target)[:count]

    def _bucket(self, cell_id: CellId) -> int:
        return (position_of(self._own) ^ position_of(cell_id)).bit_length()


class ProviderRecords:
    """Who said that it provides a key, each for DHT_RECORD_LIFE_S."""

    def __init__(self) -> None:
        self._records: dict[bytes, OrderedDict[CellId, tuple[Contact, float]]] = {}
        self._due_s = float("-inf")
        """No record expires earlier."""

    def __len__(self) -> int:
        return sum(map(len, self._records.values()))

    def add(self, key: bytes, provider: Contact, now_s: float) -> bool:
        """Keep a record, in place of the provider's earlier one; False when there is no room."""
        self._expire(now_s)
        keys = sum(provider.cell_id in providers for providers in self._records.values())
        providers = self._records.get(key, OrderedDict())
        if provider.cell_id not in providers and (
            keys >= DHT_KEYS_PER_PROVIDER_MAX
            or len(providers) >= DHT_PROVIDERS_PER_KEY_MAX
            or (key not in self._records and len(self._records) >= DHT_KEYS_MAX)
        ):
            return False
        providers[provider.cell_id] = (provider, now_s)
        providers.move_to_end(provider.cell_id)
        self._records[key] = providers
        return True

    def get(self, key: bytes, now_s: float) -> list[Contact]:
        """Return who provides a key, the newest first."""
        self._expire(now_s)
        return [provider for provider, _ in reversed(self._records.get(key, {}).values())]

    def _expire(self, now_s: float) -> None:
        if now_s < self._due_s:
            return
        self._due_s = now_s + DHT_RECORD_LIFE_S
        for key, providers in tuple(self._records.items()):
            while providers:
                _, since_s = next(iter(providers.values()))
                if now_s - since_s < DHT_RECORD_LIFE_S:
                    self._due_s = min(self._due_s, since_s + DHT_RECORD_LIFE_S)
                    break
                providers.popitem(last=False)
            if not providers:
                del self._records[key]


class Lookup:
    """One search towards a position: ask `next`, report `answered` or `failed`, until `done`.

    At most DHT_LOOKUP_PARALLEL questions are open and DHT_LOOKUP_QUERIES_MAX are asked in all, so a
    peer that names ever nearer contacts can't lead it on for ever.
    """

    def __init__(self, own: CellId, target: int, start: Iterable[Contact]) -> None:
        self._own = own
        self._target = target
        self._candidates: dict[CellId, Contact] = {}
        self._seen: set[CellId] = {own}
        self._asking: set[CellId] = set()
        self._answered: dict[CellId, Contact] = {}
        self._asked_count = 0
        self._add(start)

    @property
    def done(self) -> bool:
        """True when nobody is being asked and nobody is left to ask."""
        return not self._asking and self._pick() is None

    @property
    def closest(self) -> list[Contact]:
        """Those that answered, the nearest first, at most DHT_BUCKET_MAX."""
        return _sorted(self._answered.values(), self._target)[:DHT_BUCKET_MAX]

    def next(self) -> Contact | None:
        """Return whom to ask now; None when enough questions are open, or nobody is left."""
        if len(self._asking) >= DHT_LOOKUP_PARALLEL:
            return None
        contact = self._pick()
        if contact is not None:
            del self._candidates[contact.cell_id]
            self._asking.add(contact.cell_id)
            self._asked_count += 1
        return contact

    def answered(self, contact: Contact, closer: Sequence[Contact]) -> None:
        """Take an answer with the contacts that it named."""
        self._asking.discard(contact.cell_id)
        self._answered[contact.cell_id] = contact
        self._add(closer[:DHT_BUCKET_MAX])

    def failed(self, contact: Contact) -> None:
        """Note that there was no answer."""
        self._asking.discard(contact.cell_id)

    def _add(self, contacts: Iterable[Contact]) -> None:
        for contact in contacts:
            if contact.cell_id not in self._seen and _usable(contact, self._own):
                self._seen.add(contact.cell_id)
                self._candidates[contact.cell_id] = contact
        if len(self._candidates) > DHT_CANDIDATES_MAX:
            nearest = _sorted(self._candidates.values(), self._target)[:DHT_CANDIDATES_MAX]
            self._candidates = {contact.cell_id: contact for contact in nearest}

    def _pick(self) -> Contact | None:
        if not self._candidates or self._asked_count >= DHT_LOOKUP_QUERIES_MAX:
            return None
        nearest = _sorted(self._candidates.values(), self._target)[0]
        answered = self.closest
        full = len(answered) >= DHT_BUCKET_MAX
        if full and _distance(nearest, self._target) > _distance(answered[-1], self._target):
            return None
        return nearest


def position(key: bytes) -> int:
    """Return where a key lies: 256 bits."""
    return int.from_bytes(hashlib.sha256(key).digest(), "big")


@lru_cache(maxsize=4096)
def position_of(cell_id: CellId) -> int:
    """Return where a node lies."""
    return position(id_bytes_of(cell_id))


def id_bytes_of(cell_id: CellId) -> bytes:
    """Return the binary peer id."""
    data: bytes = base58.b58decode(cell_id)
    return data


def _usable(contact: Contact, own: CellId) -> bool:
    return contact.cell_id != own and 0 < len(contact.addresses) <= DHT_ADDRESSES_MAX


def _distance(contact: Contact, target: int) -> int:
    return position_of(contact.cell_id) ^ target


def _sorted(contacts: Iterable[Contact], target: int) -> list[Contact]:
    return sorted(contacts, key=lambda contact: _distance(contact, target))
