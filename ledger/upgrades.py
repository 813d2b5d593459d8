"""Upgrades: the members choose by which versions the network runs from an epoch on.

Each member announces what its build knows (`gov-announce`). Versions can be decided on only when
members with more than 2/3 of the weight announced that they know them. At the end of each epoch
from the chosen one on it is counted again, for those who are members then: the first epoch for
which more than 2/3 of the weight know the versions begins with them. So no vote, and no change of
members after it, leaves behind a network of cells that can not run it. A cell that does not know
them stops before that epoch, by itself; it is one of less than 1/3.

    "support/" ‖ key -> [[rule set, …], [wire version, …], [transaction version, …], release]
    "upgrade"        -> [epoch, [versions], release, proposal, begun epoch]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import Epoch, TransactionId
from core.limits import HASH_SIZE_BYTES, INT_MAX
from ledger.context import Context
from ledger.epoch_rules import EpochRules, Support, Versions, support_from, versions_from
from ledger.errors import BadAction, NothingNew, UpgradeTooLate, UpgradeUnsupported
from ledger.limits import RELEASE_LENGTH_MAX
from ledger.members import Changes, check_member
from ledger.names import is_text
from ledger.parameters import COIN_PERIOD, EPOCH_ROUNDS, decode_parameter, parameter_key
from ledger.roster import Member, Roster
from ledger.succession import Read

SUPPORT_PREFIX: Final = b"support/"
"""State keys of what members announced: this prefix, then the public key."""

UPGRADE_KEY: Final = b"upgrade"
"""State key of the newest upgrade that was decided."""

EPOCH_PARAMETER_KEYS: Final = (parameter_key(COIN_PERIOD), parameter_key(EPOCH_ROUNDS))
"""State keys of what belongs to the rules of an epoch."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Run by these versions from an epoch on; by those in force now: call an upgrade off."""

    epoch: Epoch
    versions: Versions
    release: str
    """Of the software that knows them: what people are to install."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Say what the sender's build knows, in place of what it said before."""

    support: Support


@dataclass(frozen=True, slots=True)
class Planned:
    """What the state keeps of the newest upgrade that was decided."""

    upgrade: Upgrade
    proposal: TransactionId
    begun: Epoch = Epoch(0)
    """The epoch that began with it, or in which it was called off; 0 while it is to come."""

    def encode(self) -> bytes:
        """Return the state value: [epoch, [versions], release, proposal, begun epoch]."""
        epoch, versions, release = build_upgrade(self.upgrade)
        return encode([epoch, versions, release, self.proposal, self.begun])


def parse_upgrade(items: list[Value]) -> Upgrade:
    """Return the checked arguments of an upgrade; raises BadAction or WrongShape."""
    epoch, versions, release = as_array(items, length=3)
    return Upgrade(Epoch(as_int(epoch, low=1)), versions_from(versions), _release(release))


def build_upgrade(upgrade: Upgrade) -> Sequence[Value]:
    """Return the encodable arguments of an upgrade."""
    return upgrade.epoch, upgrade.versions.to_value(), upgrade.release


def upgrade_changes(upgrade: Upgrade, context: Context) -> Changes:
    """Return what plans an upgrade, in place of an earlier one; raises UpgradeTooLate."""
    roster = context.roster
    if upgrade.epoch <= roster.epoch:
        raise UpgradeTooLate(f"epoch {upgrade.epoch} is not to come: this is {roster.epoch}")
    begun = roster.epoch if upgrade.versions == roster.rules.versions else Epoch(0)
    return [(UPGRADE_KEY, Planned(upgrade, context.id, begun).encode())]


def check_upgrade(upgrade: Upgrade, context: Context) -> None:
    """Raise UpgradeUnsupported unless more than 2/3 of the weight know the versions."""
    roster = context.roster
    if upgrade.versions == roster.rules.versions:
        return
    missing = without_support(roster.members, upgrade.versions, context.read)
    if not _is_supported(roster, missing):
        names = ", ".join(member.name for member in missing)
        raise UpgradeUnsupported(f"these have not announced that they know the versions: {names}")


def parse_announce(items: list[Value]) -> Announce:
    """Return the checked arguments of `gov-announce`; raises BadAction or WrongShape."""
    support = support_from(items)
    for numbers in (support.rule_sets, support.wires, support.transactions):
        if not numbers or list(numbers) != sorted(set(numbers)):
            raise BadAction("versions are listed in rising order, at least one of each sort")
    _release(support.release)
    return Announce(support)


def build_announce(announce: Announce) -> Sequence[Value]:
    """Return the encodable arguments of `gov-announce`."""
    return announce.support.to_value()


def announce_changes(announce: Announce, context: Context) -> Changes:
    """Return what an announcement writes; raises NotAMember or NothingNew."""
    check_member(context)
    key, value = SUPPORT_PREFIX + context.sender, encode(announce.support.to_value())
    if context.read(key) == value:
        raise NothingNew("the sender announced the same before")
    return [(key, value)]


def decode_support(value: bytes) -> Support:
    """Return what a member announced, from a state value; raises NotCanonical or WrongShape."""
    return support_from(decode(value))


def decode_planned(value: bytes) -> Planned:
    """Return an upgrade from a state value; raises NotCanonical, WrongShape or BadAction."""
    *upgrade, proposal, begun = as_array(decode(value), length=5)
    identity = TransactionId(as_bytes(proposal, size=HASH_SIZE_BYTES))
    return Planned(parse_upgrade(upgrade), identity, Epoch(as_int(begun)))


def planned_upgrade(read: Read) -> Planned | None:
    """Return the upgrade that was decided and has not begun."""
    value = read(UPGRADE_KEY)
    planned = None if value is None else decode_planned(value)
    return None if planned is None or planned.begun else planned


def support_of(read: Read, member: Member) -> Support | None:
    """Return what a member announced."""
    value = read(SUPPORT_PREFIX + member.public_key)
    return None if value is None else decode_support(value)


def without_support(members: Sequence[Member], versions: Versions, read: Read) -> list[Member]:
    """Return the members who have not announced that they know the versions."""
    supports = [(member, support_of(read, member)) for member in members]
    return [one for one, known in supports if known is None or not known.knows(versions)]


def set_rules(rules: EpochRules, read: Read) -> EpochRules:
    """Return the rules with the parameters that the members set."""
    coin, rounds = (read(key) for key in EPOCH_PARAMETER_KEYS)
    return replace(
        rules,
        coin_period=rules.coin_period if coin is None else decode_parameter(coin),
        epoch_rounds=rules.epoch_rounds if rounds is None else decode_parameter(rounds),
    )


def upgraded(following: Roster, read: Read) -> tuple[Roster, Changes]:
    """Return the roster of an epoch that is to begin, by the versions it begins with.

    Also what the state notes when an upgrade begins with it.
    """
    planned = planned_upgrade(read)
    if planned is None or planned.upgrade.epoch > following.epoch:
        return following, []
    versions = planned.upgrade.versions
    if not _is_supported(following, without_support(following.members, versions, read)):
        return following, []
    rules = replace(
        following.rules,
        rule_set=versions.rule_set,
        wire_version=versions.wire,
        transaction_version=versions.transaction,
    )
    begun = replace(planned, begun=following.epoch)
    return replace(following, rules=rules), [(UPGRADE_KEY, begun.encode())]


def _is_supported(roster: Roster, missing: Sequence[Member]) -> bool:
    lacking = sum(member.weight for member in missing)
    return roster.is_supermajority(sum(roster.weights) - lacking)


def _release(value: Value) -> str:
    release = as_text(value, length_max=INT_MAX)
    if not is_text(release, RELEASE_LENGTH_MAX):
        raise BadAction(f"a release is called by 1 to {RELEASE_LENGTH_MAX} characters")
    return release
