"""Thousands of mixed transactions come to what plain sums in dicts come to, after every round.

Beside the ledger goes `sim.law`, which reads the rules a second time: it must come to the same
outcomes, with the same codes, and to the same state roots. Another cell restarts in between, and
one replays everything at the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.errors import check
from ledger.accounts import ACCOUNT_PREFIX, decode_account
from ledger.genesis import Genesis
from ledger.header import APPLIED
from ledger.machine import Applied
from ledger.market_token import (
    HOLDING_PREFIX,
    TOKEN_PREFIX,
    decode_holding,
    decode_token,
    symbol_of_holding,
)
from ledger.supply import SUPPLY_KEY, decode_supply
from ledger.transaction import transaction_id
from sim.law import Law
from tests.ledger.money_town import Town, genesis, rounds_of
from tests.ledger.world import START_NS, Cell, candidates
from tests.sim.test_law import rows_of

ROOT = Path(__file__).resolve().parents[2]
THOUSANDS = int(os.environ.get("MYCELD_MONEY_THOUSANDS", "4"))
"""Transactions of the long run, in thousands."""


class Run:
    """A ledger, a second one that restarts, and the rules read a second time."""

    def __init__(self, place: Genesis, chance: Random) -> None:
        self.genesis = place
        self.town = Town(place, chance)
        self.steady, self.restarting = Cell(place), Cell(place)
        self.raws: dict[bytes, bytes] = {}
        self.law = Law(place, self.raws.get)
        self.history: list[list[bytes]] = []
        self.outcomes: dict[str, int] = {}
        self.round(self.town.opening())

    def round(self, raws: list[bytes]) -> Applied:
        """Apply a round at both cells and by the law; all come to the same."""
        self.raws |= {transaction_id(raw): raw for raw in raws}
        self.history.append(raws)
        items = candidates(
            raws,
            time_ns=START_NS + 1_000 * len(self.history),
            network_id=self.genesis.network_id,
        )
        applied = self.steady.apply(items)
        assert self.restarting.apply(items).header == applied.header
        self.law.apply(applied.header, rows_of(applied), frozenset())
        assert self.law.problems == []
        self.town.round = applied.header.round + 1
        for entry in applied.entries:
            outcome = entry.receipt.outcome
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
            assert (entry.refusal is None) == (outcome == APPLIED)
        return applied

    def check(self) -> None:
        """The root is that of the law's state, and nothing was made or lost."""
        header = self.steady.headers[-1]
        self.law.check_root(header)
        assert self.law.problems == []
        check_conserved(self.steady.state)


def check_conserved(state: dict[bytes, bytes]) -> None:
    """All balances are what was issued and not burned, of PRANA and of each token."""
    balances, held, supplies = 0, dict[str, int](), dict[str, int]()
    for key, value in state.items():
        if key.startswith(ACCOUNT_PREFIX):
            balances += decode_account(value).balance
        elif key.startswith(HOLDING_PREFIX):
            symbol = symbol_of_holding(key)
            held[symbol] = held.get(symbol, 0) + decode_holding(value)
        elif key.startswith(TOKEN_PREFIX):
            token = decode_token(value)
            supplies[token.symbol] = token.supply
    assert balances == decode_supply(state.get(SUPPLY_KEY)).total
    assert {symbol: held.get(symbol, 0) for symbol in supplies} == supplies


class Money(RuleBasedStateMachine):
    """Rounds of anything, of any size, with restarts in between."""

    def __init__(self) -> None:
        super().__init__()
        self.run: Run | None = None

    @rule(
        chance=st.randoms(use_true_random=False),
        count=st.integers(1, 12),
        fee=st.sampled_from((0, 1)),
        minimum=st.sampled_from((0, 100)),
    )
    def act(self, chance: Random, count: int, fee: int, minimum: int) -> None:
        """Anybody does anything; the first call says in which network."""
        if self.run is None:
            self.run = Run(genesis(fee=fee, minimum=minimum, epoch_rounds=16), chance)
        self.run.town._chance = chance  # the draw of this step
        self.run.round([self.run.town.step() for _ in range(count)])

    @rule()
    def restart(self) -> None:
        """One of the cells starts again from its disk."""
        if self.run is not None:
            self.run.restarting = self.run.restarting.restarted()

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        """State, roots and sums are those of the rules."""
        if self.run is not None:
            self.run.check()

    def teardown(self) -> None:
        """A cell that replays everything comes to the same."""
        if self.run is not None:
            check_replay(self.run)


def check_replay(run: Run) -> None:
    """A third cell comes to the same last header by the same rounds."""
    third = Cell(run.genesis)
    for number, raws in enumerate(run.history, 1):
        third.apply(
            candidates(raws, time_ns=START_NS + 1_000 * number, network_id=run.genesis.network_id)
        )
    assert third.headers == run.steady.headers


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)


@pytest.mark.parametrize("fee", [0, 1])
def test_thousands_of_transactions_come_to_what_the_rules_say(fee: int) -> None:
    run = Run(genesis(fee=fee, minimum=5), Random(f"money {fee}"))  # noqa: S311 - not a secret
    while len(run.raws) < 500 * THOUSANDS:
        run.round([run.town.step() for _ in range(25)])
        if len(run.history) % 8 == 0:
            run.restarting = run.restarting.restarted()
            run.check()
    run.check()
    check_replay(run)
    assert run.outcomes[APPLIED] > len(run.raws) / 4
    seen = {outcome.split("#", maxsplit=1)[0] for outcome in run.outcomes}
    wanted = {"201", "311", "313", "321", "323", "324", "325", "332", "341", "343", "345"}
    assert wanted | ({"211"} if fee else set()) <= {code[-3:] for code in seen}
    assert any("#" in outcome for outcome in run.outcomes)


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
)
@settings(max_examples=12, deadline=None)
def test_the_same_order_in_other_rounds_comes_to_the_same_state(
    seed: int, sizes: list[int]
) -> None:
    # But for what names a round: an expiry, and the round that a value or a token is noted with.
    place = genesis(fee=1)
    town = Town(place, Random(seed), is_timeless=True)  # noqa: S311 - not a secret
    opening, raws = town.opening(), [town.step() for _ in range(100)]
    roots = set()
    for split in ([100], [1], sizes):
        cell = Cell(place)
        cell.apply(candidates(opening, network_id=place.network_id))
        for part in rounds_of(raws, split):
            applied = cell.apply(candidates(part, network_id=place.network_id))
        roots.add(applied.header.state_root)
        check_conserved(cell.state)
    assert len(roots) == 1


_PROGRAM = """
from random import Random
from tests.ledger.money_town import Town, genesis, rounds_of
from tests.ledger.world import Cell, candidates
place = genesis(fee=1)
town, cell = Town(place, Random(7)), Cell(place)
for raws in [town.opening(), *rounds_of([town.step() for _ in range(200)], [9, 1, 30])]:
    cell.apply(candidates(raws, network_id=place.network_id))
print(cell.headers[-1].hash.hex())
"""


def test_processes_with_other_hash_seeds_come_to_the_same_amounts() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("0", "4711")
    ]
    printed = {process.communicate(timeout=300)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(printed) == 1
    check(len(printed.pop().strip()) == 64, "a hash was printed")
