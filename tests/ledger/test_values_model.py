"""The state service against a dict with rounds: conditions, namespaces, deletes, restarts."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.ids import Hash, PublicKey, Round
from identity.keys import KeyPair
from ledger import errors
from ledger.batch import Batch
from ledger.header import APPLIED
from ledger.kinds import Arguments
from ledger.namespaces import Access, NamespaceClaim, NamespaceRelease, NamespaceSet, Rules
from ledger.values import (
    VALUE_PREFIX,
    Condition,
    Delete,
    IfAbsent,
    IfHash,
    IfRound,
    Put,
    PutIf,
    decode_stored,
)
from tests.ledger.world import ALL_KEYS, KEYS, NEWCOMERS, Cell, at_version_3, candidates, signed

KEY_NAMES = ("k", "a", "a/k", "a/b", "a/b/k", "a/b/c", "c/k")
NAMES = ("a", "a/b", "c")
PAIRS = st.sampled_from(KEYS[:2] + NEWCOMERS[:3])
CONTENTS = st.sampled_from((b"", b"one", b"two"))
_CODE = {
    "forbidden": errors.WriteForbidden.code,
    "condition": errors.ConditionFailed.code,
    "none": errors.NoSuchValue.code,
    "taken": errors.NamespaceTaken.code,
    "owner": errors.NotAnOwner.code,
    "unclaimed": errors.NoSuchNamespace.code,
}


class Refused(Exception):
    """The model says no."""


class Model:
    """Keys with values and rounds, and what they were at each round."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[bytes, int, PublicKey]] = {}
        self.rules: dict[str, Rules] = {}
        self.past: list[dict[str, tuple[bytes, int, PublicKey]]] = [{}]

    def act(self, act: Arguments, sender: PublicKey, now: int) -> str:
        """Do what a transaction says, or nothing; return its outcome."""
        values, rules = dict(self.values), dict(self.rules)
        items = act.items if isinstance(act, Batch) else (act,)
        for number, item in enumerate(items):
            try:
                self._do(item, sender, now)
            except Refused as why:
                self.values, self.rules = values, rules
                code = _CODE[str(why)]
                return f"{code}#{number}" if isinstance(act, Batch) else code
        return APPLIED

    def _do(self, act: Arguments, sender: PublicKey, now: int) -> None:
        match act:
            case Put(key, value):
                self._may(key, sender)
                self.values[key] = (value, now, sender)
            case PutIf(key, value, condition):
                self._may(key, sender)
                self._expect(key, condition)
                self.values[key] = (value, now, sender)
            case Delete(key, condition):
                self._may(key, sender)
                if key not in self.values:
                    raise Refused("none")
                self._expect(key, condition)
                del self.values[key]
            case _:
                self._rule(act, sender)

    def _rule(self, act: Arguments, sender: PublicKey) -> None:
        match act:
            case NamespaceClaim(name, rules):
                if name in self.rules:
                    raise Refused("taken")
                around = self._around(name)
                if around is not None and sender not in around.owners:
                    raise Refused("owner")
                self.rules[name] = rules
            case NamespaceSet(name, rules):
                if name not in self.rules:
                    raise Refused("unclaimed")
                if sender not in self.rules[name].owners:
                    raise Refused("owner")
                self.rules[name] = rules
            case NamespaceRelease(name):
                if name not in self.rules:
                    raise Refused("unclaimed")
                if sender not in self.rules[name].owners:
                    raise Refused("owner")
                del self.rules[name]

    def _around(self, name: str) -> Rules | None:
        parts = name.split("/")
        names = ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
        return next((self.rules[one] for one in names if one in self.rules), None)

    def _may(self, key: str, sender: PublicKey) -> None:
        rules = self._around(key)
        if rules is None or rules.access is Access.ANYONE or sender in rules.owners:
            return
        members = {pair.public_key for pair in KEYS}
        allowed = {
            Access.OWNERS: set[PublicKey](),
            Access.WRITERS: set(rules.writers),
            Access.MEMBERS: members,
        }
        if sender not in allowed[rules.access]:
            raise Refused("forbidden")

    def _expect(self, key: str, condition: Condition) -> None:
        found = self.values.get(key)
        holds = {
            "NoneType": True,
            "IfAbsent": found is None,
            "IfRound": found is not None and found[1] == getattr(condition, "round", 0),
            "IfHash": found is not None
            and hashlib.sha256(found[0]).digest() == getattr(condition, "hash", b""),
        }
        if not holds[type(condition).__name__]:
            raise Refused("condition")


class StateService(RuleBasedStateMachine):
    """Rounds of writes by members and others, batches, and compensations of earlier rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.steady, self.restarting = at_version_3(Cell()), at_version_3(Cell())
        self.nonces = {pair.public_key: 0 for pair in ALL_KEYS}
        self.round: list[tuple[KeyPair, Arguments]] = []

    @rule(sender=PAIRS, key=st.sampled_from(KEY_NAMES), value=CONTENTS)
    def put(self, sender: KeyPair, key: str, value: bytes) -> None:
        """Anybody puts anything anywhere."""
        self.round.append((sender, Put(key, value)))

    @rule(sender=PAIRS, key=st.sampled_from(KEY_NAMES), value=CONTENTS, data=st.data())
    def put_if(self, sender: KeyPair, key: str, value: bytes, data: st.DataObject) -> None:
        """Somebody expects what is there, or something else."""
        self.round.append((sender, PutIf(key, value, self._condition(key, data, absent=True))))

    @rule(sender=PAIRS, key=st.sampled_from(KEY_NAMES), data=st.data())
    def delete(self, sender: KeyPair, key: str, data: st.DataObject) -> None:
        """Somebody deletes what is there, or is not."""
        self.round.append((sender, Delete(key, self._condition(key, data, absent=False))))

    @rule(sender=PAIRS, name=st.sampled_from(NAMES), other=PAIRS, access=st.sampled_from(Access))
    def claim(self, sender: KeyPair, name: str, other: KeyPair, access: Access) -> None:
        """Somebody claims a namespace, for himself or others."""
        self.round.append((sender, NamespaceClaim(name, _rules(sender, other, access))))

    @rule(sender=PAIRS, name=st.sampled_from(NAMES), other=PAIRS, access=st.sampled_from(Access))
    def hand_on(self, sender: KeyPair, name: str, other: KeyPair, access: Access) -> None:
        """Somebody gives a namespace other rules."""
        self.round.append((sender, NamespaceSet(name, _rules(other, sender, access))))

    @rule(sender=PAIRS, name=st.sampled_from(NAMES))
    def release(self, sender: KeyPair, name: str) -> None:
        """Somebody gives a namespace up, of his own or not."""
        self.round.append((sender, NamespaceRelease(name)))

    @precondition(lambda self: len(self.round) > 1)
    @rule()
    def together(self) -> None:
        """The last two writes become a batch of the last one's sender."""
        (_, one), (sender, other) = self.round[-2:]
        if not isinstance(one, Batch) and not isinstance(other, Batch):
            self.round[-2:] = [(sender, Batch((one, other)))]

    @precondition(lambda self: len(self.model.past) > 1)
    @rule(sender=PAIRS, data=st.data())
    def roll_back(self, sender: KeyPair, data: st.DataObject) -> None:
        """Somebody puts back what all keys had after a round, if nothing changes meanwhile."""
        number = data.draw(st.integers(0, len(self.model.past) - 1))
        then, now = self.model.past[number], self.model.values
        writes: list[Arguments] = []
        for key in sorted({*then, *now}):
            if key in now and now.get(key) != then.get(key):
                held = IfRound(Round(now[key][1]))
                if key in then:
                    writes.append(PutIf(key, then[key][0], held))
                else:
                    writes.append(Delete(key, held))
            elif key not in now:
                writes.append(PutIf(key, then[key][0], IfAbsent()))
        if len(writes) > 1:
            self.round.append((sender, Batch(tuple(writes))))

    @rule(restart=st.booleans())
    def end_round(self, restart: bool) -> None:  # noqa: FBT001 - drawn
        """All of it is ordered, at a cell that runs on and at one that starts again."""
        now = len(self.model.past)
        acts, self.round = self.round, []
        raws = [self._sign(pair, act) for pair, act in acts]
        outcomes: list[str] = []
        for cell in (self.steady, self.restarting):
            applied = cell.apply(candidates(raws))
            outcomes = [entry.receipt.outcome for entry in applied.entries]
        assert self.steady.ledger.header == self.restarting.ledger.header
        # A sender's transactions take effect in the order of nonces, which is that of the acts.
        assert outcomes == [self.model.act(act, pair.public_key, now) for pair, act in acts]
        self.model.past.append(dict(self.model.values))
        if restart:
            self.restarting = self.restarting.restarted()

    def _sign(self, pair: KeyPair, act: Arguments) -> bytes:
        nonce = self.nonces[pair.public_key]
        self.nonces[pair.public_key] += 1
        return signed(pair, nonce, act)

    def _condition(self, key: str, data: st.DataObject, *, absent: bool) -> Condition:
        found = self.model.values.get(key)
        rounds = [1, len(self.model.past)] + ([] if found is None else [found[1]] * 2)
        contents = [b"one"] + ([] if found is None else [found[0]])
        some: list[Condition] = [None, *(IfRound(Round(number)) for number in rounds)]
        some += [IfHash(Hash(hashlib.sha256(content).digest())) for content in contents]
        some += [IfAbsent()] if absent else []
        return data.draw(st.sampled_from(some))

    @invariant()
    def the_state_is_that_of_the_model(self) -> None:
        """Values, with the round and the sender of each."""
        for cell in (self.steady, self.restarting):
            size = len(VALUE_PREFIX)
            stored = {
                key[size:].decode(): decode_stored(value)
                for key, value in cell.state.items()
                if key.startswith(VALUE_PREFIX)
            }
            found = {key: (one.value, one.round, one.sender) for key, one in stored.items()}
            assert found == self.model.values


def _rules(owner: KeyPair, other: KeyPair, access: Access) -> Rules:
    writers = (other.public_key,) if access is Access.WRITERS else ()
    return Rules((owner.public_key,), access, writers)


StateService.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestStateService = pytest.mark.slow(StateService.TestCase)
