"""Liars that make honest events, but keep them back, or show them to few."""

from __future__ import annotations

from dataclasses import replace

from core.ids import CellId, EventId
from gossip.creator import Plan
from gossip.effects import Effect, Send
from gossip.wire import Have
from node.stages.active_epoch import EpochEffects
from sim.adversaries.adversary import Adversary
from sim.adversaries.stage import LyingEpoch

_END_ROUNDS = 3
"""So many rounds before the end of an epoch what was withheld is released."""
_LONG_EPOCH_ROUNDS = 200
"""In longer epochs nobody waits for the end."""


class _WithholdingEpoch(LyingEpoch):
    liar: Withholds

    def lie(self, plan: Plan) -> None:
        super().lie(plan)
        self.liar.memory.setdefault("since", self.now_ms)
        self.liar.secret[self.own[-1].id] = frozenset()
        self.liar.note("withheld")

    def pass_time(self) -> None:
        since_ms = self.liar.memory.get("since", self.now_ms)
        rounds = self.liar.world.scenario.epoch_rounds
        end = self.roster.first_round + rounds - _END_ROUNDS
        at_end = rounds <= _LONG_EPOCH_ROUNDS and self.engine.last_round >= end
        if at_end or self.now_ms - since_ms > self.liar.hold_ms:
            self.liar.memory.pop("since", None)
            self.liar.note("released", self.release())


class Withholds(Adversary):
    """Builds on what it hears, shows nobody, and releases all of it near the epoch's end, or late.

    It hopes that witnesses which come late change rounds that are decided, or that are sealed.
    """

    epoch_kind = _WithholdingEpoch

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of the base
        self.hold_ms = self.chance.choice((400, 1_500, 4_000, 10_000))


class _SelectiveEpoch(LyingEpoch):
    liar: Selective

    def lie(self, plan: Plan) -> None:
        super().lie(plan)
        friends = self.liar.friends(self.now_ms, self.honest_peers())
        self.liar.secret[self.own[-1].id] = friends
        self.liar.note("shown to few")

    def passes_on(self, peer: CellId) -> bool:
        return peer in self.liar.friends(self.now_ms, self.honest_peers())


class Selective(Adversary):
    """Shows its events to some of the members only, others after a while, and answers no others.

    It hopes for cells that wait for ever for what only a liar could give them.
    """

    epoch_kind = _SelectiveEpoch

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of the base
        self._turn_ms = self.chance.choice((150, 1_000, 10**9))
        self._count = self.chance.choice((1, 1, 2))

    def friends(self, now_ms: int, honest: list[CellId]) -> frozenset[CellId]:
        """Return who is shown what is made now."""
        if not honest:
            return frozenset()
        honest.sort()
        first = now_ms // self._turn_ms
        return frozenset(honest[(first + at) % len(honest)] for at in range(self._count))


class _MuteEpoch(LyingEpoch):
    liar: Mute

    def take_effects(self) -> EpochEffects:
        self.liar.note("silences", len(self.effects.sends))
        self.effects.sends.clear()
        return super().take_effects()


class Mute(Adversary):
    """Connects, answers pings, and says nothing: no events, no answers, not even what it has.

    It hopes for cells that wait for all members.
    """

    epoch_kind = _MuteEpoch


class _FalseVectorEpoch(LyingEpoch):
    liar: FalseVectors

    def take_effects(self) -> EpochEffects:
        effects = super().take_effects()
        effects.sends = [self._twisted(effect) for effect in effects.sends]
        return effects

    def _twisted(self, effect: Effect) -> Effect:
        chance = self.liar.chance
        if not isinstance(effect, Send) or not isinstance(effect.frame, Have):
            return effect
        vector = list(effect.frame.vector)
        at = chance.randrange(len(vector))
        entry = vector[at]
        if isinstance(entry, int):
            made_up = EventId(chance.randbytes(32))
            vector[at] = chance.choice((0, entry + 1, entry + 1_000, (made_up,)))
        yours = chance.choice((0, effect.frame.yours, 10**6))
        self.liar.note("false vectors")
        frame = replace(effect.frame, vector=tuple(vector), yours=yours)
        return Send(effect.peer, frame)


class FalseVectors(Adversary):
    """Tells that it has what nobody made, lacks what it has, and knows of others' lost events.

    It hopes that cells ask it for ever, or never make events again for fear of a self-fork.
    """

    epoch_kind = _FalseVectorEpoch
