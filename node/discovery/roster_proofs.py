"""Proofs that a roster is the present one, from this cell's own records.

Read from the store step by step: the rounds that sealed an epoch and changed its members, and the
newest certified round. A cell that followed old epochs from other cells lacks their certificates;
then there is no proof, unless the later ones suffice without them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from core.ids import Epoch, Round
from gossip.discovery.limits import SPORE_PROOF_SIZE_BYTES_MAX
from journal import Store
from ledger.certificate import Certificate
from ledger.genesis import Genesis
from ledger.header import RoundHeader
from ledger.roster import Roster
from ledger.roster_proof import RosterStep, encode_proof, shortest
from node.errors import NotInHistory
from node.headers import Headers
from node.tables import certificate_of_round, epochs_from, newest_certificate, seal_header

_PAGE: Final = 256
_STEPS_KEPT_MAX: Final = 512
"""Changes of members that are remembered; of more, only the newest can be used."""


class RosterProofs:
    """Makes proofs; remembers the steps it read, as epochs that are sealed never change."""

    def __init__(self, store: Store, headers: Headers, genesis: Genesis) -> None:
        self._store = store
        self._headers = headers
        self._genesis = genesis
        self._steps: list[RosterStep] = []
        self._last: Roster = genesis.roster

    async def proof(self) -> tuple[bytes, Roster] | None:
        """Return a proof of the newest certified roster, None if it can not be made.

        Before anything is certified it is the empty proof: the genesis speaks for itself.
        """
        await self._read_changes()
        certificate = newest_certificate(self._store, self._headers.last_round)
        if certificate is None:
            return encode_proof([]), self._genesis.roster
        newest = await self._step(certificate)
        if newest is None:
            return None
        earlier = [step for step in self._steps if step.header.round < newest.header.round]
        way = shortest(self._genesis.roster, [*earlier, newest])
        proof = encode_proof(way)
        if not way or len(proof) > SPORE_PROOF_SIZE_BYTES_MAX:
            return None
        return proof, newest.roster

    async def steps_to(self, epoch: Epoch, start: Roster) -> list[RosterStep] | None:
        """Return steps to the roster of an epoch, None if this cell's records hold no way.

        They lead on from `start`, the roster of that epoch or an earlier one: the genesis's for
        whoever knows nothing else.
        """
        if epoch == start.epoch:
            return []
        await self._read_changes()
        for certificate in self._naming(epoch):
            last = await self._step(certificate)
            if last is not None and last.roster.epoch == epoch:
                between = range(start.first_round, last.header.round)
                earlier = [one for one in self._steps if one.header.round in between]
                way = shortest(start, [*earlier, last])
                if way:
                    return way
        return None

    def _naming(self, epoch: Epoch) -> Iterator[Certificate]:
        """Yield certificates of headers that name the roster of an epoch after the first."""
        around = epochs_from(self._store, self._genesis, epoch, 2)
        roster = _with_epoch(around, epoch)
        if roster is None:
            return
        seal = certificate_of_round(self._store, Round(roster.first_round - 1))
        if seal is not None:
            yield seal
        newest = newest_certificate(self._store, self._headers.last_round)
        if newest is not None and newest.epoch == epoch:
            yield newest

    async def _read_changes(self) -> None:
        while True:
            page = epochs_from(self._store, self._genesis, Epoch(self._last.epoch + 1), _PAGE)
            for roster, _ in page:
                seal = Round(roster.first_round - 1)
                if seal > self._headers.last_round:
                    return  # the tables show what the writer has just committed: next time
                if roster.members != self._last.members:
                    certificate = certificate_of_round(self._store, seal)
                    step = None if certificate is None else await self._step(certificate)
                    self._steps += [] if step is None else [step]
                self._last = roster
            del self._steps[:-_STEPS_KEPT_MAX]
            if len(page) < _PAGE:
                return
            await asyncio.sleep(0)  # others get their turn between two pages

    async def _step(self, certificate: Certificate) -> RosterStep | None:
        """Return the step of a certified round, None if this cell's records do not hold it."""
        header = await self._header(certificate)
        if header is None:
            return None
        around = epochs_from(self._store, self._genesis, certificate.epoch, 2)
        signers = _with_epoch(around, certificate.epoch)
        named = next((roster for roster, _ in around if roster.hash == header.roster), None)
        if signers is None or named is None or header.hash != certificate.header_hash:
            return None
        return RosterStep(
            header, certificate, tuple(member.public_key for member in signers.members), named
        )

    async def _header(self, certificate: Certificate) -> RoundHeader | None:
        try:
            return await self._headers.get(certificate.round)
        except NotInHistory:
            # A jump left it out, and has kept those that seal an epoch.
            return seal_header(self._store, certificate.epoch, certificate.round)


def _with_epoch(rosters: Sequence[tuple[Roster, int]], epoch: Epoch) -> Roster | None:
    return next((roster for roster, _ in rosters if roster.epoch == epoch), None)
