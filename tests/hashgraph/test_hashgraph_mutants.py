"""The tests can fail: every wrong engine of the list is told from the right one."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from nacl.signing import SigningKey

from core.errors import MyceldError
from core.ids import Epoch, EventId, MemberIndex, NetworkId, PublicKey, Sequence
from hashgraph import Engine, Event, make_event
from hashgraph.event import middle_bit
from hashgraph.oracle import _Definitions
from hashgraph.vector import shuffled
from tests.hashgraph.hashgraph_attacks import all_votes, attack_case, never_closing, with_late
from tests.hashgraph.hashgraph_cases import (
    Case,
    coin_war,
    random_case,
    split_vote_case,
    twin_judges_case,
)
from tests.hashgraph.hashgraph_mutants import MUTANTS, Mutant, Package, mutated

REAL = Mutant("nothing", "engine.py", '"""The engine:', '"""The engine:')
KEY = SigningKey(b"\x05" * 32)
NETWORK = NetworkId(bytes(32))


class Killed(Exception):
    """The suite saw a difference."""


@dataclass(frozen=True)
class Known:
    """A graph, and all that the oracle says about it in plain values."""

    case: Case
    answer: tuple[object, ...]


def plain(outcome: Any) -> tuple[object, ...]:  # noqa: ANN401 - a mutant's outcome is a class of its own
    order = [(item.event.id, item.consensus_time_ns) for item in outcome.order]
    return (
        outcome.round,
        outcome.witnesses,
        outcome.famous,
        outcome.decided_rounds,
        outcome.received,
        order,
    )


@cache
def known() -> tuple[Known, ...]:
    """Return the graphs of the suite, those that tell most mutants first."""
    cases = [
        split_vote_case(coin_period=3, split_rounds=2),
        split_vote_case(coin_period=4, split_rounds=3, salt="2"),
        Case(coin_war(coin_period=3, salt="0").events, (1, 1, 1, 1), 3, 1, ()),
    ]
    cases += [twin_judges_case(str(salt)) for salt in range(6)]
    cases += [
        random_case(seed, forks=True, uneven=True, members=5, size=120, coin_period=2)
        for seed in (7, 38, 174, 226, 243)
    ]
    cases.append(random_case(197, forks=False, uneven=True, members=3, size=90, coin_period=2))
    cases += [random_case(seed, forks=True, uneven=True) for seed in (336, 660)]
    for seed in range(60):
        cases.append(random_case(seed, forks=seed % 2 == 0, uneven=seed % 4 < 2))
        cases.append(random_case(seed, forks=True, uneven=False, members=4, size=90))
    cases += [
        random_case(seed, forks=True, uneven=False, members=7, size=160) for seed in range(12)
    ]
    cases += [attack_case(8, rule_set=1), *attacks()]
    return tuple(Known(case, plain(case.by_oracle())) for case in cases)


@cache
def attacks() -> tuple[Case, ...]:
    """Return graphs with weak voters under rule set 2, some with witnesses that come late."""
    cases = [attack_case(seed) for seed in (8, 26, 110, 197, 662, 1118)]
    shuffles = [replace(case, events=shuffled(case.events, "other")) for case in cases]
    late = [with_late(attack_case(seed), place) for seed, place in ((725, 33), (1806, 74))]
    return (*cases, *shuffles, *late)


@cache
def votes_of_attacks() -> tuple[dict[tuple[EventId, EventId], bool], ...]:
    """Return all votes in those graphs, as the definitions say."""
    answers = []
    for case in attacks():
        graph = _Definitions(
            case.events,
            case.weights,
            case.coin_period,
            case.first_round,
            middle_bit,
            rule_set=case.rule_set,
        )
        voters = [y for number in graph.all_rounds for y in graph.witnesses(number)]
        pairs = [(y, x) for y in voters for x in voters if graph.round(x) < graph.round(y)]
        answers.append({(y.id, x.id): graph.vote(y, x)[0] for y, x in pairs})
    return tuple(answers)


def expect(what: bool) -> None:  # noqa: FBT001 - reads like an assert
    if not what:
        raise Killed


def kill(package: Package) -> None:
    """Raise whatever a wrong engine brings about; return if this engine seems right."""
    check_evidence(package)
    check_epochs(package)
    check_matrices(package)
    check_votes(package)
    for item in known():
        case = item.case
        outcome = package.replay.replay(
            case.events,
            case.weights,
            coin_period=case.coin_period,
            first_round=case.first_round,
            rule_set=case.rule_set,
        )
        expect(plain(outcome) == item.answer)


def check_matrices(package: Package) -> None:
    """What is made again of a matrix is what it was, but for what nobody reads."""
    for seed in range(6):
        case = random_case(seed, forks=seed > 1, uneven=False, members=4, size=60)
        engine = package.engine.Engine(case.weights)
        layout = engine._rounds.matrices
        was = {}
        for event in case.events:
            engine.insert(event)
            was[event.id] = engine._graph.node(event.id).matrix
        for event in case.events:
            node = engine._graph.node(event.id)
            mask = layout._unforked(node.forked)
            mask |= mask << layout.half_bits
            again = engine._rounds._made_again(node)
            expect((again ^ was[event.id]) & mask == 0)


def check_votes(package: Package) -> None:
    """Every vote, also one that decides nothing, is what the definitions say."""
    for case, votes in zip(attacks(), votes_of_attacks(), strict=True):
        expect(all_votes(never_closing(case, package.engine.Engine)) == votes)


def check_epochs(package: Package) -> None:
    """Two epochs of three rounds: no round more, no round twice, and times that go on."""
    events = split_vote_case(coin_period=10, split_rounds=3).events
    engine = package.engine.Engine([1] * 4, epoch_rounds=2, rule_set=2)
    taken = []
    for _ in range(2):
        for event in events:
            engine.insert(event)
        while (decided := engine.next_round()) is not None:
            taken.append(decided)
        expect(engine.sealed is not None and engine.sealed.rule_set == 2)
        engine = package.engine.Engine.start(engine.sealed, [1] * 4, epoch_rounds=2)
    expect([decided.round for decided in taken] == [1, 2, 3, 4])
    times = [item.consensus_time_ns for decided in taken for item in decided.ordered]
    expect(len(times) > 8 and all(a < b for a, b in pairwise(times)))
    engine = package.engine.Engine([1] * 4)
    for event in events:
        engine.insert(event)
    expect(engine.next_round() is not None)
    engine.seal()
    expect(engine.next_round() is None)


def check_evidence(package: Package) -> None:
    """Proof is taken, two events of one chain and a forged second one are not."""

    def event(sequence: int, text: bytes, *, signed: bool = True) -> Event:
        return make_event(
            network_id=NETWORK,
            epoch=Epoch(0),
            creator=MemberIndex(0),
            sequence=Sequence(sequence),
            self_parent=sha256(b"%d" % sequence).digest(),  # type: ignore[arg-type]  # stands for an id
            other_parents=(),
            time_ns=0,
            payload=[text],
            sign=lambda body: KEY.sign(body).signature if signed else bytes(64),
        )

    def is_proof(*events: Event) -> bool:
        first, second = sorted(events, key=lambda item: item.id)
        data = package.evidence.codec.encode(
            ["myceld/fork/2", first.body, first.signature, second.body, second.signature]
        )
        key = PublicKey(bytes(KEY.verify_key))
        try:
            package.evidence.verify_fork(data, network_id=NETWORK, epoch=Epoch(0), public_key=key)
        except MyceldError:
            return False
        return True

    expect(is_proof(event(1, b"a"), event(1, b"b")))
    expect(not is_proof(event(1, b"a"), event(2, b"b")))
    for text in range(8):  # the forged one comes first or second
        expect(not is_proof(event(1, b"a"), event(1, b"%d" % text, signed=False)))


def test_there_are_enough_mutants_and_no_two_are_the_same() -> None:
    assert len(MUTANTS) >= 25
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
    assert len({mutant.what for mutant in MUTANTS}) == len(MUTANTS)


def test_the_suite_lets_the_real_engine_live() -> None:
    began_s = time.process_time()
    with mutated(REAL) as package:
        assert package.engine.Engine is not Engine
        kill(package)
    assert time.process_time() - began_s < 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_mutant_is_killed(mutant: Mutant) -> None:
    with mutated(mutant) as package, pytest.raises(Exception):  # noqa: B017, PT011 - in whatever way
        kill(package)
