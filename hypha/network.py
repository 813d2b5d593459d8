"""The network as a hypha sees it: its gateways, asked side by side, and the heads they lead to.

Each gateway is followed by a task of its own, so that a slow one holds up nobody. A question goes
to the best gateway, and soon to the next ones beside it; the first answer that is proven counts.
Whatever a gateway says ends in its standing, never further.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from core.errors import MyceldError, RemoteViolation
from core.ids import Round
from hypha.errors import (
    AnswerGarbled,
    AnswerOld,
    ChainTooLong,
    GatewayRefuses,
    GatewaySilent,
    HistoriesContradict,
    HyphaHomeUnusable,
    NoGatewayAnswers,
)
from hypha.heads import Anchor, Head, Heads, Taken
from hypha.home import HyphaHome
from hypha.limits import (
    ASK_AGAIN_S,
    ASK_TIMEOUT_S,
    ASKS_AT_ONCE_MAX,
    FIRST_LOOK_S,
    HEDGE_S,
    POLL_S,
    QUESTION_TIMEOUT_S,
    STEPS_RENEWED,
)
from hypha.line import JsonObject, Line
from hypha.questions import Question
from hypha.standing import Standing
from ledger.proof import decode_proof, from_text

_LOG = structlog.get_logger("hypha")


@dataclass(slots=True)
class Gateway:
    """One gateway."""

    line: Line
    standing: Standing


class Network:
    """Owns the heads. One event loop; every method of its own is quick but those that ask."""

    def __init__(self, home: HyphaHome, heads: Heads, lines: Sequence[Line]) -> None:
        """Made in the loop that it lives in, whose clock is its clock."""
        self.now_s = asyncio.get_running_loop().time
        self.heads = heads
        self.gateways = [Gateway(line, Standing(line.address.url)) for line in lines]
        self.contradictions = home.evidence_files()
        self._home = home
        self._unseen = {gateway.standing.url for gateway in self.gateways}
        self._seen = asyncio.Event()
        """Whether all gateways were asked for their heads since the start."""
        self._asking = asyncio.Semaphore(ASKS_AT_ONCE_MAX)

    async def follow(self) -> None:
        """Follow all gateways until this is cancelled; raises HyphaHomeUnusable."""
        async with asyncio.TaskGroup() as group:
            for gateway in self.gateways:
                group.create_task(self._follow(gateway))

    async def ask(self, question: Question, timeout_s: float = QUESTION_TIMEOUT_S) -> Taken:
        """Return a proven answer; 0 seconds ask each gateway that may know once.

        Raises NoGatewayAnswers with what each said, or GatewayRefuses if all refuse alike.
        """
        if question.is_of_now:
            await self._first_look()
        until_s = self.now_s() + timeout_s
        floor = self.heads.round if question.is_of_now else Round(0)
        while True:
            found, errors = await self._ask_once(
                question, floor, max(until_s, self.now_s() + ASK_TIMEOUT_S)
            )
            if found is not None:
                return found
            worth_it = any(_may_change(error) for error in errors)
            if not worth_it or self.now_s() + ASK_AGAIN_S >= until_s:
                raise self._no_answer(errors)
            await asyncio.sleep(ASK_AGAIN_S)

    def ranked(self) -> list[Gateway]:
        """Return the gateways that may be asked now, the best first."""
        now_s = self.now_s()
        found = [one for one in self.gateways if one.standing.may_be_asked(now_s)]
        return sorted(found, key=lambda one: one.standing.rank)

    def close(self) -> None:
        """Close all connections."""
        for gateway in self.gateways:
            gateway.line.close()

    async def _follow(self, gateway: Gateway) -> None:
        standing = gateway.standing
        while True:
            wait_s = standing.next_s - self.now_s()
            if wait_s > 0:  # in short steps: a client's question may have brought it back
                await asyncio.sleep(min(wait_s, POLL_S))
                continue
            await self._told_by(gateway, None, Round(0), ASK_TIMEOUT_S)
            self._unseen.discard(standing.url)
            if not self._unseen:
                self._seen.set()

    async def _first_look(self) -> None:
        if not self._seen.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LOOK_S):
                    await self._seen.wait()
            self._seen.set()

    async def _ask_once(
        self, question: Question, floor: Round, until_s: float
    ) -> tuple[Taken | None, list[MyceldError]]:
        """Ask the gateways once each, the next one as soon as it takes too long."""
        waiting = self.ranked()
        running: set[asyncio.Task[Taken | MyceldError | None]] = set()
        errors: list[MyceldError] = []
        async with asyncio.TaskGroup() as group:
            while waiting or running:
                left_s = min(ASK_TIMEOUT_S, until_s - self.now_s())
                if waiting and left_s > 0:
                    work = self._told_by(waiting.pop(0), question, floor, left_s)
                    running.add(group.create_task(work))
                elif not running:
                    break
                done, running = await asyncio.wait(
                    running,
                    timeout=HEDGE_S if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for result in [task.result() for task in done]:
                    if isinstance(result, Taken):
                        for task in running:
                            task.cancel()
                        return result, errors
                    errors += [] if result is None else [result]
        return None, errors

    async def _told_by(
        self, gateway: Gateway, question: Question | None, floor: Round, timeout_s: float
    ) -> Taken | MyceldError | None:
        """Ask one gateway, for its head if there is no question; note how it did.

        Returns what was proven, None for a head without news, or what is wrong.
        """
        standing, began_s = gateway.standing, self.now_s()
        standing.asked += 1
        try:
            async with self._asking, asyncio.timeout(timeout_s):
                anchor = self.heads.anchor
                answer = await self._line_answer(gateway.line, question, anchor)
            taken = self._checked(answer, anchor, gateway)
            if question is not None:
                _require_answer(question, taken, floor)
        except HyphaHomeUnusable as error:
            if question is None:
                raise
            return error
        except asyncio.CancelledError:
            # Another one was quicker: the next time that one is asked first.
            standing.latency_s = max(standing.latency_s, self.now_s() - began_s)
            raise
        except TimeoutError:
            late = GatewaySilent(f"{standing.url}: no answer in {timeout_s:.0f} s")
            standing.fails(late, self.now_s(), refuses=False)
            return late
        except AnswerOld as error:
            standing.is_old(error, self.now_s())
            return error
        except ChainTooLong as error:
            standing.fails(error, self.now_s(), refuses=True)
            return error
        except GatewayRefuses as error:
            # An honest cell says so about what it does not have, or not yet.
            if question is None:
                standing.fails(error, self.now_s(), refuses=True)
            return error
        except GatewaySilent as error:
            standing.fails(error, self.now_s(), refuses=False)
            return error
        except RemoteViolation as error:
            standing.lied(error, self.now_s())
            _LOG.warning("a gateway lied", url=standing.url, code=error.code, detail=error.detail)
            return error
        now_s = self.now_s()
        told = Round(answer["certified_round"]) if taken is None else taken.verified.certified.round
        newest = told if question is None else max(told, standing.round)
        standing.answers(newest, self.heads.round, now_s - began_s, now_s)
        return taken

    async def _line_answer(
        self, line: Line, question: Question | None, anchor: Anchor
    ) -> JsonObject:
        if question is not None:
            return await line.get(question.path, {**question.query, "epoch": anchor.epoch})
        newest = self.heads.newest
        long = len(anchor.steps) > STEPS_RENEWED
        query: dict[str, object] = {"epoch": 0 if long else anchor.epoch}
        if newest is not None:
            query |= {"round": newest.header.round, "hash": newest.header.hash.hex()}
        return await line.get("/api/light/head", query)

    def _checked(self, answer: JsonObject, anchor: Anchor, gateway: Gateway) -> Taken | None:
        """Return what an answer proves, believed and durable by now; None if it proves nothing.

        Nothing awaits in here: what is written is believed, whoever is cancelled. Raises
        RemoteViolation for what is not so.
        """
        begins_at, text = answer.get("begins_at"), answer.get("proof")
        certified = answer.get("certified_round")
        if type(begins_at) is not int or type(certified) is not int or certified < 0:
            raise AnswerGarbled("an answer without its rounds")
        if text is None:
            if certified > self.heads.round:
                raise AnswerGarbled(f"round {certified} is told of, and nothing shows it")
            return None
        if not isinstance(text, str):
            raise AnswerGarbled("an answer whose proof is not text")
        proof = self.heads.whole(decode_proof(from_text(text)), begins_at, anchor)
        taken = self.heads.consider(proof)
        if taken.contradicts is not None:
            self._keep_evidence(taken, taken.contradicts, gateway)
            raise HistoriesContradict(
                f"round {taken.contradicts.header.round} as believed, and round "
                f"{taken.verified.certified.round} as shown by {gateway.standing.url}"
            )
        if taken.news is not None:
            self._home.write_head(taken.news, self.heads.genesis)
            self.heads.adopt(taken.news)
        return taken

    def _keep_evidence(self, taken: Taken, ours: Head, gateway: Gateway) -> None:
        theirs = taken.verified.certified
        name = f"{ours.header.round}-{theirs.round}-{theirs.hash.hex()[:12]}"
        proof = ours.proof(self.heads.genesis)
        if self._home.write_evidence(name, proof, taken.proof):
            self.contradictions = self._home.evidence_files()
            _LOG.error(
                "two certified headers contradict each other",
                code=HistoriesContradict.code,
                believed=ours.header.round,
                other=theirs.round,
                url=gateway.standing.url,
                evidence=str(self._home.evidence),
            )

    def _no_answer(self, errors: Sequence[MyceldError]) -> MyceldError:
        refusals = [error for error in errors if isinstance(error, GatewayRefuses)]
        if refusals and len(refusals) == len(errors) and len({one.told for one in refusals}) == 1:
            return refusals[0]
        if not errors:
            return NoGatewayAnswers("every gateway lied lately; none is asked now")
        said = "; ".join(sorted({str(error) for error in errors}))
        return NoGatewayAnswers(f"no proven answer from {len(errors)} gateways: {said}"[:800])


def _require_answer(question: Question, taken: Taken | None, floor: Round) -> None:
    if taken is None:
        raise AnswerGarbled("an answer without a proof")
    question.check(taken.verified)
    # What counts is the header that the claim is about: a later one may be what was signed.
    if taken.verified.header.round < floor:
        raise AnswerOld(f"proven as of round {taken.verified.header.round} only")


def _may_change(error: MyceldError) -> bool:
    """Tell whether a gateway that said so may have a proof in a moment."""
    if isinstance(error, GatewayRefuses):
        return error.told == "MYC-LEDGER-560"
    return isinstance(error, AnswerOld)
