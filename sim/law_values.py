"""The rules about values and namespaces read once more, for `sim.law`: plain dicts.

Shares only argument types and encodings with `ledger.values` and `ledger.namespaces`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, TypeAlias

from core.codec import Value, encode
from core.ids import PublicKey, Round
from ledger.kinds import Arguments, Put
from ledger.namespaces import NamespaceClaim, NamespaceRelease, NamespaceSet
from ledger.values import Condition, Delete, IfAbsent, IfHash, IfRound, PutIf
from sim.law_errors import Refused

VALUE_KINDS: Final = (Put, PutIf, Delete, NamespaceClaim, NamespaceSet, NamespaceRelease)


Copied: TypeAlias = (
    "tuple[dict[str, tuple[bytes, Round]], dict[str, NamespaceClaim | NamespaceSet]]"
)


class Values:
    """Who set what, and who may. `is_member` and `today` tell of keys."""

    def __init__(
        self,
        state: dict[bytes, bytes],
        today: Callable[[PublicKey], PublicKey],
        is_member: Callable[[PublicKey], bool],
    ) -> None:
        self._state = state
        self._today = today
        self._is_member = is_member
        self._values: dict[str, tuple[bytes, Round]] = {}
        self._namespaces: dict[str, NamespaceClaim | NamespaceSet] = {}

    def copied(self) -> Copied:
        """Return everything as it is now, for `go_back`; the state is copied elsewhere."""
        return dict(self._values), dict(self._namespaces)

    def go_back(self, copied: Copied) -> None:
        """Be as it was."""
        self._values, self._namespaces = copied

    def change(self, what: Arguments, sender: PublicKey, now: Round) -> None:
        """Do what a transaction about values says."""
        match what:
            case Put():
                self._check_writer(what.key, sender)
                self._set(what.key, what.value, sender, now)
            case PutIf():
                self._check_writer(what.key, sender)
                self._check(what.key, what.condition)
                self._set(what.key, what.value, sender, now)
            case Delete():
                self._check_writer(what.key, sender)
                if what.key not in self._values:
                    raise Refused("there is no value", "MYC-LEDGER-222")
                self._check(what.key, what.condition)
                del self._values[what.key]
                del self._state[b"value/" + what.key.encode()]
            case NamespaceClaim():
                self._claim(what, sender, now)
            case NamespaceSet():
                if what.name not in self._namespaces:
                    raise Refused("nobody claimed it", "MYC-LEDGER-225")
                self._check_owner(what.name, sender)
                self._keep(what, now)

            case NamespaceRelease():
                if what.name not in self._namespaces:
                    raise Refused("nobody claimed it", "MYC-LEDGER-225")
                self._check_owner(what.name, sender)
                del self._namespaces[what.name]
                del self._state[b"namespace/" + what.name.encode()]

    def _set(self, key: str, value: bytes, sender: PublicKey, now: Round) -> None:
        self._values[key] = (value, now)
        self._state[b"value/" + key.encode()] = encode([value, now, sender])

    def _check(self, key: str, condition: Condition) -> None:
        found = self._values.get(key)
        match condition:
            case None:
                return
            case IfAbsent():
                holds = found is None
            case IfRound():
                holds = found is not None and found[1] == condition.round
            case IfHash():
                holds = found is not None and hashlib.sha256(found[0]).digest() == condition.hash
        if not holds:
            raise Refused("the condition does not hold", "MYC-LEDGER-221")

    def _around(self, name: str) -> str | None:
        found = [one for one in self._namespaces if name.startswith(f"{one}/")]
        return max(found, key=len, default=None)

    def _check_writer(self, key: str, sender: PublicKey) -> None:
        name = self._around(key)
        if name is None:
            return
        rules = self._namespaces[name].rules
        writers = {*map(self._today, rules.owners), *map(self._today, rules.writers)}
        is_let = rules.access == "anyone" or sender in writers
        if not is_let and not (rules.access == "members" and self._is_member(sender)):
            raise Refused("it may not be written by the sender", "MYC-LEDGER-223")

    def _check_owner(self, name: str, sender: PublicKey) -> None:
        if sender not in map(self._today, self._namespaces[name].rules.owners):
            raise Refused("the sender is no owner", "MYC-LEDGER-226")

    def _claim(self, what: NamespaceClaim, sender: PublicKey, now: Round) -> None:
        if what.name in self._namespaces:
            raise Refused("it was claimed before", "MYC-LEDGER-224")
        around = self._around(what.name)
        if around is not None:
            self._check_owner(around, sender)
        self._keep(what, now)

    def _keep(self, what: NamespaceClaim | NamespaceSet, now: Round) -> None:
        self._namespaces[what.name] = what
        rules = what.rules
        owners: list[Value] = list(rules.owners)
        writers: list[Value] = list(rules.writers)
        key = b"namespace/" + what.name.encode()
        self._state[key] = encode([owners, rules.access.value, writers, now])
