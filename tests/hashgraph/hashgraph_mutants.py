"""Wrong engines, made by hand: each changes one rule of the real one, and the tests must notice.

A mutant is a copy of the package with one text replaced, loaded beside the real one. The list is
data for `test_hashgraph_mutants.py`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

import hashgraph

FOLDER = Path(hashgraph.__file__).parent


@dataclass(frozen=True)
class Mutant:
    """One replaced text, which must be in the file exactly once, and the rule that it breaks."""

    what: str
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Package:
    """The modules of a mutated package."""

    engine: ModuleType
    event: ModuleType
    evidence: ModuleType
    replay: ModuleType


class _Finder(MetaPathFinder, Loader):
    """Loads `hashgraph` with one changed file, from its source."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname.partition(".")[0] != "hashgraph":
            return None
        return spec_from_loader(fullname, self, is_package=fullname == "hashgraph")

    def exec_module(self, module: ModuleType) -> None:
        file = FOLDER / f"{module.__name__.partition('.')[2] or '__init__'}.py"
        text = file.read_text()
        if file.name == self._mutant.file:
            assert text.count(self._mutant.old) == 1, f"{self._mutant.what}: text not there once"
            text = text.replace(self._mutant.old, self._mutant.new)
        exec(compile(text, str(file), "exec"), module.__dict__)  # noqa: S102 - our own source, on purpose


@contextmanager
def mutated(mutant: Mutant) -> Iterator[Package]:
    """Load the mutated package; the real one is back afterwards."""
    names = [name for name in sys.modules if name.split(".")[0] == "hashgraph"]
    real = {name: sys.modules.pop(name) for name in names}
    finder = _Finder(mutant)
    sys.meta_path.insert(0, finder)
    try:
        modules = ("engine", "event", "evidence", "replay")
        yield Package(*(importlib.import_module(f"hashgraph.{name}") for name in modules))
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] == "hashgraph"]:
            del sys.modules[name]
        sys.modules.update(real)


MUTANTS = (
    # -- supermajorities
    Mutant("quorum + 1", "quorum.py", "self.total // 3 + 1", "self.total // 3 + 2"),
    Mutant("quorum − 1", "quorum.py", "self.total // 3 + 1", "self.total // 3"),
    Mutant("a simple majority", "quorum.py", "2 * self.total // 3 + 1", "self.total // 2 + 1"),
    Mutant("members are counted, not weighed", "quorum.py", "weight // divisor", "1"),
    Mutant(
        "a heavy few are never enough",
        "matrix.py",
        "return rows if self._is_exact else self._weigh(rows, count, half)",
        "return rows",
    ),
    Mutant(
        "a row needs one member less",
        "matrix.py",
        "(bound - quorum.count_sure)",
        "(bound + 1 - quorum.count_sure)",
    ),
    Mutant(
        "a row needs one member more",
        "matrix.py",
        "(bound - quorum.count_sure)",
        "(bound - 1 - quorum.count_sure)",
    ),
    Mutant(
        "early exit one bit too early",
        "matrix.py",
        "quorum.count_min * (quorum.count_min + 1)",
        "quorum.count_min * (quorum.count_min + 1) + 1",
    ),
    # -- seeing and strongly seeing
    Mutant(
        "forkers are not masked",
        "matrix.py",
        "        if forked:\n            half &=",
        "        if not forked:\n            half &=",
    ),
    Mutant(
        "forkers still count as intermediaries",
        "matrix.py",
        "honest = ((1 << self._stride) - 1) & ~forked",
        "honest = (1 << self._stride) - 1",
    ),
    Mutant(
        "forkers' witnesses are still seen",
        "matrix.py",
        "                if not forked >> member & 1\n",
        "",
    ),
    Mutant(
        "a forker's witness is seen in a first vote",
        "matrix.py",
        "        if forked:\n            below &=",
        "        if not forked:\n            below &=",
    ),
    Mutant(
        "an event is no intermediary of its own",
        "rounds.py",
        "matrix |= (matrix & layout.known) >> layout.known_shift[creator]",
        "pass",
    ),
    Mutant(
        "a fork is known only to who has one branch and the other's parent",
        "graph.py",
        "return count != top",
        "return count > top + 1",
    ),
    Mutant(
        "vectors take the lower lane",
        "graph.py",
        "vector = other + (difference & guards - (guards >> LANE_BITS - 1))",
        "vector = other",
    ),
    # -- rounds and witnesses
    Mutant(
        "the round comes from the self-parent",
        "rounds.py",
        "            elif ahead > 0:\n",
        "            elif ahead > 0 and False:\n",
    ),
    Mutant(
        "a parent two rounds below counts",
        "rounds.py",
        "matrix >> half_bits if ahead == 1 else 0",
        "matrix >> half_bits",
    ),
    Mutant(
        "a parent one round below does not count",
        "rounds.py",
        "matrix |= parent.matrix >> half_bits\n            elif",
        "matrix |= 0\n            elif",
    ),
    Mutant(
        "every event of a new round is a witness",
        "rounds.py",
        "if before == number:",
        "if before == number + 1:",
    ),
    Mutant(
        "a matrix made again lacks the round before",
        "rounds.py",
        "for number in (node.round, node.round - 1):",
        "for number in (node.round, node.round - 9):",
    ),
    Mutant(
        "a matrix made again lacks a column",
        "rounds.py",
        "if tip and tip.has(witness))",
        "if tip and m and tip.has(witness))",
    ),
    Mutant(
        "a witness that inherits its round strongly sees nothing",
        "rounds.py",
        "entered = self._enter(node, number, matrix, below=below)",
        "entered = self._enter(node, number, matrix, below=0)",
    ),
    # -- fame
    Mutant("no coin", "fame.py", "self._coin(voter.held_event())", "True"),
    Mutant(
        "the coin is the lowest bit of the signature",
        "event.py",
        "event.signature[_COIN_BYTE] & 1",
        "event.signature[0] & 1",
    ),
    Mutant(
        "coin rounds decide",
        "fame.py",
        "if (voter.round - state.number) % self._coin_period:",
        "if voter.round:",
    ),
    Mutant(
        "coin rounds forget a supermajority",
        "fame.py",
        "state.votes[voter] = yes | (unsure",
        "state.votes[voter] = 0 | (unsure",
    ),
    Mutant(
        "the coin period is counted from the first round",
        "fame.py",
        "if (voter.round - state.number) % self._coin_period:",
        "if voter.round % self._coin_period:",
    ),
    Mutant("a tie is no", "fame.py", "(total + 1) // 2", "total // 2 + 1"),
    Mutant(
        "no supermajority is needed to decide no",
        "fame.py",
        "total - needed + 1",
        "total - needed + 2",
    ),
    Mutant(
        "a late witness of a decided round can be famous",
        "fame.py",
        "        if state.decided:\n            state.is_not_famous |= lane",
        "        if state.decided:\n            state.is_famous |= lane",
    ),
    Mutant(
        "nobody votes on a witness that comes late",
        "fame.py",
        "            self._vote_on_late(state)\n",
        "            pass\n",
    ),
    Mutant(
        "a round closes with undecided witnesses",
        "fame.py",
        "state.is_famous | state.is_not_famous == state.present",
        "state.is_famous | state.is_not_famous",
    ),
    Mutant(
        "a first vote on a forker is on its first witness",
        "rounds.py",
        "if witness is not None and voter.has(witness):",
        "if witness is not None:",
    ),
    Mutant(
        "of a forker's judges the largest id",
        "fame.py",
        "witness.id < other.id",
        "witness.id > other.id",
    ),
    Mutant(
        "all of a forker's witnesses are one judge, the last",
        "fame.py",
        "if other is None or witness.id < other.id:",
        "if True:",
    ),
    # -- weak voters
    Mutant("weak voters copy under rule set 1 too", "engine.py", "rule_set == 2", "rule_set > 0"),
    Mutant(
        "a weak voter votes by itself",
        "fame.py",
        "guide = self._rounds[top].guides.get(voter)",
        "guide = None",
    ),
    Mutant(
        "a weak voter's first votes are its own",
        "fame.py",
        "            if guide is not None:\n",
        "            if guide is not None and number < top - 1:\n",
    ),
    Mutant(
        "a weak voter's first votes are all that it copies",
        "fame.py",
        "            if guide is not None:\n",
        "            if guide is not None and number == top - 1:\n",
    ),
    Mutant(
        "a weak voter decides what it copies",
        "fame.py",
        "                state.votes[voter] = state.votes[guide]\n                continue\n",
        "                state.votes[voter] = state.votes[guide]\n"
        "                state.is_famous |= state.votes[guide]\n"
        "                continue\n",
    ),
    Mutant(
        "a weak voter counts for itself when a witness comes late",
        "fame.py",
        "if voter not in above.guides:",
        "if voter:",
    ),
    Mutant(
        "the guide is of the round below",
        "rounds.py",
        "entered.let_guide(node)",
        "entered.guides[node] = min(self[number - 1].witnesses, key=lambda w: w.id)",
    ),
    Mutant(
        "the guide has the largest id",
        "rounds.py",
        "self.guides[weak] = min(strong",
        "self.guides[weak] = max(strong",
    ),
    Mutant("the guide is no ancestor", "rounds.py", " and weak.has(w))", ")"),
    Mutant(
        "whoever inherits a round and knows of a fork is weak",
        "rounds.py",
        "and node.forked and not layout.is_super(below):",
        "and node.forked:",
    ),
    Mutant("the next epoch has rule set 1", "engine.py", "rule_set=seal.rule_set", "rule_set=1"),
    # -- order
    Mutant("the lower median", "order.py", "len(judges) // 2", "(len(judges) - 1) // 2"),
    Mutant("the earliest time", "order.py", "sorted(times)[middle]", "min(times)"),
    Mutant(
        "received as soon as one judge has it", "order.py", "map(min, reached", "map(max, reached"
    ),
    Mutant(
        "no whitening",
        "order.py",
        'whitened = int.from_bytes(event.signature, "big") ^ whitening',
        'whitened = int.from_bytes(event.signature, "big")',
    ),
    Mutant("the judges' signatures are added", "order.py", "whitening ^= int", "whitening += int"),
    Mutant("equal times stay equal", "order.py", "else last_ns + 1", "else last_ns"),
    Mutant(
        "times start anew in every round",
        "order.py",
        "        last_ns = self.last_time_ns\n",
        "        last_ns = -1\n",
    ),
    Mutant(
        "a chain saw everything when it was ordered last",
        "graph.py",
        "times[number] = [time_ns] * (reached - had)",
        "times[number] = [0] * (reached - had)",
    ),
    Mutant(
        "a fork's branch saw nothing before the fork",
        "graph.py",
        "step = step.branch.nodes[place - 1] if place else step.branch.opened_from",
        "step = step.branch.nodes[place - 1] if place else None",
    ),
    Mutant(
        "a fork's branch saw everything at its end",
        "graph.py",
        "for node in reversed(chain):",
        "for node in chain:",
    ),
    Mutant(
        "what is ordered before it was seen shifts the times",
        "graph.py",
        "                other.seen[number] = reached\n                other.seen_times_ns",
        "                other.seen_times_ns",
    ),
    # -- epochs and evidence
    Mutant(
        "the epoch lasts one round more",
        "engine.py",
        "first_round + epoch_rounds",
        "first_round + epoch_rounds + 1",
    ),
    Mutant(
        "rounds are handed out after the seal",
        "engine.py",
        "if self._seal is not None or self._next_round",
        "if self._next_round",
    ),
    Mutant(
        "the next epoch begins with the sealed round",
        "engine.py",
        "first_round=seal.last_round + 1",
        "first_round=seal.last_round",
    ),
    Mutant(
        "times start anew in every epoch",
        "engine.py",
        "last_time_ns=seal.last_time_ns",
        "last_time_ns=-1",
    ),
    Mutant(
        "two events of different places prove a fork",
        "evidence.py",
        "if first.sequence != second.sequence:",
        "if False:",
    ),
    Mutant(
        "one signature is enough for evidence",
        "evidence.py",
        "for header in (evidence.first, evidence.second):",
        "for header in (evidence.first,):",
    ),
)
