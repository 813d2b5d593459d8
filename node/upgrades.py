"""Upgrades at one cell: it stops before an epoch that it can not run, and says what it knows.

A member announces what its build knows when it matters: while an upgrade is proposed or decided,
and what the state has of it is something else. A network that plans none has no such transactions.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from core.errors import LocalMisuse, OperationalFault
from core.ids import PublicKey, TransactionId
from journal import Store
from ledger.epoch_rules import Support
from ledger.governance import PROPOSAL_PREFIX, decode_proposal
from ledger.machine import Applied
from ledger.roster import Roster
from ledger.succession import Read
from ledger.upgrades import UPGRADE_KEY, Upgrade, decode_planned, planned_upgrade, support_of
from node.errors import UpgradeNeeded
from node.keyring import reader_of
from node.limits import ANNOUNCE_AGAIN_S
from node.tables import open_proposals

_LOG = structlog.get_logger("upgrades")


def check_epoch(roster: Roster, support: Support, read: Read) -> None:
    """Raise UpgradeNeeded if the epoch of a roster is run by versions that this build lacks."""
    versions = roster.rules.versions
    if support.knows(versions):
        return
    value = read(UPGRADE_KEY)
    release = "a newer release" if value is None else decode_planned(value).upgrade.release
    raise UpgradeNeeded(
        f"epoch {roster.epoch} is run by {versions.words()}, which {support.release} does not "
        f"know: install {release}"
    )


class Upgrades:
    """What one cell has to do with upgrades. `applied` is told of each round."""

    def __init__(
        self,
        store: Store,
        support: Support,
        public_key: PublicKey,
        roster: Callable[[], Roster],
    ) -> None:
        """`roster` returns the one in force."""
        self.support = support
        self._store = store
        self._public_key = public_key
        self._roster = roster
        self._woken = asyncio.Event()
        self._woken.set()

    def check(self, roster: Roster) -> None:
        """Raise UpgradeNeeded if this build can not run the epoch of a roster."""
        check_epoch(roster, self.support, reader_of(self._store))

    def applied(self, applied: Applied) -> None:
        """Look again whether there is something to announce, if a round may have changed that."""
        changed = any(
            key == UPGRADE_KEY or key.startswith(PROPOSAL_PREFIX) for key, _ in applied.changes
        )
        if changed or applied.sealed is not None:
            self._woken.set()

    async def run(
        self,
        *,
        is_under_way: Callable[[TransactionId], bool],
        announce: Callable[[Support], Awaitable[TransactionId]],
    ) -> None:
        """Announce what is due, until cancelled."""
        made: TransactionId | None = None
        while True:
            wait_s: float | None = None
            if self.is_due():
                if made is None or not is_under_way(made):
                    made = await self._announce(announce)
                wait_s = ANNOUNCE_AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            self._woken.clear()

    def is_due(self) -> bool:
        """Return whether this cell is to announce what its build knows."""
        roster, read = self._roster(), reader_of(self._store)
        me = roster.index_of(self._public_key)
        if me is None or not (planned_upgrade(read) or self._is_proposed()):
            return False
        known = support_of(read, roster.members[me])
        return known is None or not known.knows_as_much_as(self.support)

    def _is_proposed(self) -> bool:
        return any(
            isinstance(action, Upgrade)
            for _, value in open_proposals(self._store)
            for action in decode_proposal(value).actions
        )

    async def _announce(
        self, announce: Callable[[Support], Awaitable[TransactionId]]
    ) -> TransactionId | None:
        """Submit an announcement; what fails now is tried again."""
        try:
            transaction = await announce(self.support)
        except (LocalMisuse, OperationalFault) as error:
            _LOG.warning("support not announced", reason=str(error))
            return None
        _LOG.info("support announced", transaction=transaction.hex())
        return transaction
