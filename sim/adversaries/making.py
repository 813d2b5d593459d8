"""Liars whose events themselves are wrong, or as odd as the rules just allow."""

from __future__ import annotations

from collections import Counter

from core.ids import CellId, EventId, Hash, MemberIndex, Round, Signature
from core.ids import Sequence as SequenceNumber
from gossip.creator import Plan
from gossip.index import NamedParent
from gossip.limits import ORPHANS_AHEAD_MAX
from gossip.wire import SignatureFrame
from hashgraph.event import Event, encode_event
from hashgraph.limits import TIME_NS_MAX
from ledger.certificate import CheckpointSignature
from sim.adversaries.adversary import Adversary
from sim.adversaries.stage import LyingEpoch

_COPIES = 5
"""How often one transaction is copied."""
_COPIES_MAX = 400
"""Copies in one run: more of them are only more work for whoever runs the simulation."""
_HOUR_NS = 3_600 * 10**9
_STALE_INTERVAL_MS = 30
"""As others do: who never sees more than before could make events all the time."""
_LIE_INTERVAL_MS = 400
"""Wrong frames are sent this often: who is banned at once does not lie much."""


class _StaleEpoch(LyingEpoch):
    liar: StaleParents

    def lie(self, plan: Plan) -> None:
        if self.now_ms < self.liar.memory.get("next", 0):
            return
        self.liar.memory["next"] = self.now_ms + _STALE_INTERVAL_MS
        index, lag = self.index, self.liar.lag
        others: list[EventId] = []
        for at in range(len(self.roster.members)):
            member = MemberIndex(at)
            sequence = index.count(member) - 1 - lag
            if member != self.me and sequence >= 0:
                others += self.engine.events_at(member, SequenceNumber(sequence))[:1]
        self.make(plan.self_parent, others, self.time_ns, self.take_payload())
        self.liar.note("stale events")


class StaleParents(Adversary):
    """Names events as parents that are long superseded, again and again, never new ones.

    Its events stay rounds behind. It hopes that something old is gone when it is asked for, or that
    rounds wait for it.
    """

    epoch_kind = _StaleEpoch

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of the base
        self.lag = self.chance.choice((3, 12, 40))


class _FalseTimesEpoch(LyingEpoch):
    liar: FalseTimes

    def lie(self, plan: Plan) -> None:
        time_ns, before_ns = self.time_ns, self.time_of(plan.self_parent)
        wanted_ns = {
            "crawls": before_ns + 1,
            "ahead": time_ns + _HOUR_NS,
            "behind": max(before_ns + 1, time_ns - _HOUR_NS),
            "leaps": max(before_ns, time_ns) + self.liar.chance.choice((1, _HOUR_NS)),
            "far ahead": TIME_NS_MAX - 10_000 + len(self.own),
        }[self.liar.style]
        if wanted_ns > TIME_NS_MAX or before_ns >= TIME_NS_MAX:
            return
        others = plan.other_parents
        self.make(plan.self_parent, others, wanted_ns, self.take_payload())
        self.liar.note("false times")

    def pass_time(self) -> None:
        """Now and then an event that is not later than the one before it."""
        if not self.own or not self.liar.is_due(self.now_ms):
            return
        tip = max(self.own, key=lambda event: event.sequence)
        event = self.forge(self.place, tip.sequence + 1, tip.id, [], tip.time_ns)
        for peer in self.liar.victims(self):
            self.push(peer, [encode_event(event)])


class _Now:
    """Tells when the next wrong frame is due."""

    def __init__(self) -> None:
        self.due_ms = 0

    def __call__(self, now_ms: int) -> bool:
        if now_ms < self.due_ms:
            return False
        self.due_ms = now_ms + _LIE_INTERVAL_MS
        return True


class WrongFrames(Adversary):
    """What those share that send something wrong now and then."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of the base
        self.is_due = _Now()

    def victims(self, epoch: LyingEpoch) -> list[CellId]:
        """Return the peers that get the next wrong frame: one, some or all."""
        honest = epoch.honest_peers()
        return self.chance.sample(honest, self.chance.randint(1, len(honest))) if honest else []


class FalseTimes(WrongFrames):
    """Gives its events times that are wrong: standing still, hours off, leaping, at the bound.

    It hopes to shift the consensus times, or to make them fall.
    """

    epoch_kind = _FalseTimesEpoch

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.style = self.chance.choice(("crawls", "ahead", "behind", "leaps", "far ahead"))


class _BadSignaturesEpoch(LyingEpoch):
    liar: BadSignatures

    def pass_time(self) -> None:
        if not self.liar.is_due(self.now_ms):
            return
        for peer in self.liar.victims(self):
            kind = self.liar.chance.choice(("broken", "another's", "another's", "checkpoint"))
            if kind == "checkpoint":
                self.tell(peer, SignatureFrame(self._checkpoint().to_value()))
            else:
                self.push(peer, [self._event(is_ours=kind == "broken")])
            self.liar.note("bad signatures")

    def _event(self, *, is_ours: bool) -> bytes:
        """Return the next event of ours with a broken signature, or of another one with ours."""
        members = range(len(self.roster.members))
        others = [MemberIndex(at) for at in members if at not in self.liars]
        creator = self.place if is_ours or not others else self.liar.chance.choice(others)
        tips = self.engine.tips(creator)
        sequence = self.index.count(creator)
        event = self.forge(creator, sequence, tips[0] if tips else None, [], self.time_ns)
        data = encode_event(event)
        if not is_ours:
            return data
        at = data.rindex(event.signature)
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    def _checkpoint(self) -> CheckpointSignature:
        chance = self.liar.chance
        return CheckpointSignature(
            self.roster.epoch,
            Round(self.engine.last_decided_round + 1),
            Hash(chance.randbytes(32)),
            MemberIndex(chance.randrange(len(self.roster.members))),
            Signature(chance.randbytes(64)),
        )


class BadSignatures(WrongFrames):
    """Sends its own events with broken signatures, others' with its own, and made-up checkpoints.

    It hopes for a place where a signature is not checked, or checked against the wrong key.
    """

    epoch_kind = _BadSignaturesEpoch


class _PhantomEpoch(LyingEpoch):
    liar: PhantomParents

    def pass_time(self) -> None:
        if not self.liar.is_due(self.now_ms):
            return
        for peer in self.liar.victims(self):
            event = self._phantom_child()
            hints = self.liar.chance.random() < 0.5
            self.push(peer, [encode_event(event, hints=hints)])
            self.liar.note("phantoms")

    def _phantom_child(self) -> Event:
        chance, index = self.liar.chance, self.index
        own = index.count(self.place)
        tips = self.engine.tips(self.place)
        tip = tips[0] if tips else None
        members = range(len(self.roster.members))
        victim = MemberIndex(chance.choice([at for at in members if at != self.me]))
        reached = index.count(victim)
        where = chance.choice(("next", "past", "far", "own", "own far"))
        made_up = EventId(chance.randbytes(32))
        if where == "own":
            return self.forge(self.place, own + 1, made_up, [], self.time_ns)
        if where == "own far":
            far = own + ORPHANS_AHEAD_MAX + 10
            return self.forge(self.place, far, made_up, [], self.time_ns)
        sequence = {
            "next": reached,
            "past": chance.randrange(reached) if reached else 0,
            "far": reached + 10_000,
        }[where]
        parent = NamedParent(made_up, victim, SequenceNumber(sequence))
        return self.forge(self.place, own, tip, [parent], self.time_ns)


class PhantomParents(WrongFrames):
    """Sends events on parents that nobody made, at places where others' events are or will be.

    It hopes that cells wait for them, ask the wrong peers, or take honest members for forkers.
    """

    epoch_kind = _PhantomEpoch


class _CopyingEpoch(LyingEpoch):
    liar: CopiesTransactions

    def lie(self, plan: Plan) -> None:
        times = self.liar.times
        waiting = [
            raw for raw in dict.fromkeys(self.waiting_transactions()) if times[raw] < _COPIES
        ]
        count = min(len(waiting), self.liar.at_once, _COPIES_MAX - times.total())
        copied = self.liar.chance.sample(waiting, max(0, count))
        times.update(copied)
        payload = [*self.take_payload(), *copied, *copied[:1]]
        self.make(plan.self_parent, plan.other_parents, self.time_ns, payload)
        self.liar.note("copied transactions", len(copied))


class CopiesTransactions(Adversary):
    """Puts what others' events carry into its own as well, even twice.

    It hopes that something is applied twice, or that the right of the first is lost.
    """

    epoch_kind = _CopyingEpoch

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of the base
        self.at_once = self.chance.choice((2, 20, 200))
        self.times: Counter[bytes] = Counter()
