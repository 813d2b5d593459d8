"""By which rules an epoch is run: its roster says it, and so whoever has the roster knows.

Three numbers are versions, of the voting rules, of what cells say to each other, and of signed
transactions. A build knows some of each (`Support`); which ones hold in an epoch, the members
choose (`ledger.upgrades`). The others are parameters (`ledger.parameters`), and begin with the
genesis's. A network of today's genesis format begins with FIRST_WIRE_VERSION and
FIRST_TRANSACTION_VERSION.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.codec import Value, as_array, as_int, as_text
from ledger.limits import RELEASE_LENGTH_MAX, VERSION_MAX, VERSIONS_SUPPORTED_MAX

RULE_SETS: Final = (1, 2)
"""Voting rules (ARCHITECTURE.md, hashgraph): Baird 2016, and the same with weak voters copying."""

FIRST_WIRE_VERSION: Final = 2
FIRST_TRANSACTION_VERSION: Final = 2
TRANSACTION_VERSIONS: Final = (FIRST_TRANSACTION_VERSION, 3)
"""Which kinds of transactions there are (`ledger.kinds`): those of the first, and with 3 those that
are marked with it. In an epoch of an earlier version they are unknown, as to a build without."""


@dataclass(frozen=True, slots=True, order=True)
class Versions:
    """What a cell has to know to take part in an epoch."""

    rule_set: int
    wire: int
    transaction: int

    def to_value(self) -> list[Value]:
        """Return the encodable array."""
        return [self.rule_set, self.wire, self.transaction]

    def words(self) -> str:
        """Return them as people read them."""
        return (
            f"rule set {self.rule_set}, wire version {self.wire}, "
            f"transaction version {self.transaction}"
        )


@dataclass(frozen=True, slots=True)
class Support:
    """Which versions a build knows, each list in rising order."""

    rule_sets: tuple[int, ...]
    wires: tuple[int, ...]
    transactions: tuple[int, ...]
    release: str
    """What the build is called; says nothing to the rules."""

    def knows(self, versions: Versions) -> bool:
        """Return whether a cell of this build can take part under these versions."""
        return (
            versions.rule_set in self.rule_sets
            and versions.wire in self.wires
            and versions.transaction in self.transactions
        )

    def knows_as_much_as(self, other: Support) -> bool:
        """Return whether both know the same, whatever they are called."""
        ours = (self.rule_sets, self.wires, self.transactions)
        return ours == (other.rule_sets, other.wires, other.transactions)

    def to_value(self) -> list[Value]:
        """Return the encodable array."""
        lists = (self.rule_sets, self.wires, self.transactions)
        return [*(list[Value](numbers) for numbers in lists), self.release]


@dataclass(frozen=True, slots=True)
class EpochRules:
    """All that the order of an epoch depends on, beside its members."""

    rule_set: int = 2
    coin_period: int = 10
    epoch_rounds: int = 2048
    wire_version: int = FIRST_WIRE_VERSION
    transaction_version: int = FIRST_TRANSACTION_VERSION

    @property
    def versions(self) -> Versions:
        """What a cell has to know."""
        return Versions(self.rule_set, self.wire_version, self.transaction_version)

    def to_value(self) -> list[Value]:
        """Return the encodable array."""
        return [self.coin_period, self.epoch_rounds, *self.versions.to_value()]


FIRST_RULES: Final = EpochRules()
"""Of a network whose genesis says nothing else."""


def supported(release: str) -> Support:
    """Return what this build knows."""
    return Support(RULE_SETS, (FIRST_WIRE_VERSION,), TRANSACTION_VERSIONS, release)


def rules_from(value: Value) -> EpochRules:
    """Return the rules in a decoded array; raises WrongShape."""
    coin, rounds, *versions = as_array(value, length=5)
    found = versions_from(versions)
    return EpochRules(found.rule_set, as_int(coin), as_int(rounds), found.wire, found.transaction)


def versions_from(value: Value) -> Versions:
    """Return the versions in a decoded array; raises WrongShape."""
    numbers = [as_int(item, low=1, high=VERSION_MAX) for item in as_array(value, length=3)]
    return Versions(*numbers)


def support_from(value: Value) -> Support:
    """Return what a build knows, from a decoded array; raises WrongShape."""
    rule_sets, wires, transactions, release = as_array(value, length=4)
    return Support(
        _numbers(rule_sets),
        _numbers(wires),
        _numbers(transactions),
        as_text(release, length_max=RELEASE_LENGTH_MAX),
    )


def _numbers(value: Value) -> tuple[int, ...]:
    items = as_array(value, length_max=VERSIONS_SUPPORTED_MAX)
    return tuple(as_int(item, low=1, high=VERSION_MAX) for item in items)
