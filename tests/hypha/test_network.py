"""A hypha among gateways of which some lie: it goes on with the honest one, and says who lied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import MyceldError
from core.ids import Round
from gateway.errors import NoSuchKey, NoSuchReceipt, NotReachedInTime
from gateway.views import Stage
from hypha import limits
from hypha.cell import HyphaCell
from hypha.daemon import open_heads
from hypha.errors import (
    GatewayRefuses,
    HeadUnreadable,
    NoGatewayAnswers,
    NotHandedOn,
)
from hypha.gateway_address import GatewayAddress
from hypha.handing import HandingOn
from hypha.home import HyphaHome
from hypha.limits import HAND_ON_AGAIN_S
from hypha.line import Line
from hypha.network import Network as Seen
from hypha.questions import RoundQuestion, of_value
from ledger.errors import Malformed, WrongSignature
from ledger.genesis import to_json
from ledger.kinds import Put, cost_of_arguments
from ledger.parameters import FEE_PER_COST
from ledger.proof import HeaderClaim, encode_proof, from_text, to_text
from ledger.transaction import parse
from ledger.verify import verify_text
from tests.hypha.fake_gateway import (
    Answer,
    FakeGateway,
    Json,
    as_http,
    honest,
    refusal,
    story,
    tail,
    told,
    truth,
)
from tests.hypha.wired_loop import run_wired
from tests.ledger.proof_world import Network
from tests.ledger.test_roster_proof import SHORT
from tests.ledger.world import ALL_KEYS, candidates, signed

OWN = ALL_KEYS[7]


class Hypha:
    """What a test has in its hands."""

    def __init__(self, folder: Path, gateways: list[FakeGateway]) -> None:
        self.home = HyphaHome(folder)
        self.home.make()
        if not self.home.genesis.exists():
            self.home.write_text(self.home.genesis, to_json(SHORT))
        lines = [Line(GatewayAddress(one.url), "") for one in gateways]
        self.network = Seen(self.home, open_heads(self.home), lines)
        handing = HandingOn(self.network, self.home, OWN)
        self.cell = HyphaCell(
            self.network,
            handing,
            cell_id=OWN.cell_id,
            name="tests",
            stale_after_s=100,
            now_ns=lambda: SHORT.time_ns,
        )

    @property
    def round(self) -> Round:
        return self.network.heads.round

    def standing(self, at: int) -> str:
        return self.network.gateways[at].standing.state

    async def look(self, until: Callable[[], bool]) -> None:
        """Follow the gateways until something holds."""
        following = asyncio.create_task(self.network.follow())
        try:
            async with asyncio.timeout(20):
                while not until():  # noqa: ASYNC110 - of anything that a test looks at
                    await asyncio.sleep(0.01)
        finally:
            following.cancel()

    async def look_once(self) -> None:
        """Follow until every gateway was asked."""
        await self.look(self.network._seen.is_set)


@asynccontextmanager
async def hypha(folder: Path, *gateways: FakeGateway) -> AsyncIterator[Hypha]:
    async with AsyncExitStack() as stack:
        for gateway in gateways:
            await stack.enter_async_context(gateway.served())
        made = Hypha(folder, list(gateways))
        stack.callback(made.network.close)
        async with asyncio.timeout(40):
            yield made


def altered(change: Callable[[Json], Json]) -> Answer:
    """A gateway that changes what an honest one says."""

    async def answer(gateway: FakeGateway, path: str, query: Json) -> bytes:
        return as_http(change(honest(gateway.network, path, query)))

    return answer


def _flip(answer: Json) -> Json:
    if answer.get("proof") is None:
        return {**answer, "certified_round": answer.get("certified_round", 0) + 1}
    data = bytearray(from_text(answer["proof"]))
    data[-3] ^= 1
    return {**answer, "proof": to_text(bytes(data))}


async def never(gateway: FakeGateway, path: str, query: Json) -> bytes:
    await asyncio.sleep(3600)
    return await truth(gateway, path, query)


async def half(gateway: FakeGateway, path: str, query: Json) -> bytes:
    return (await truth(gateway, path, query))[:-200] + b"}"


async def other_key(gateway: FakeGateway, path: str, query: Json) -> bytes:
    """Proven, but not what was asked."""
    if path == "/api/light/state":
        query = {**query, "key": b"value/newest".hex()}
    return await truth(gateway, path, query)


async def other_network(gateway: FakeGateway, path: str, query: Json) -> bytes:
    answer = honest(gateway.network, path, query)
    if answer.get("proof") is not None:
        proof = tail(gateway.network, HeaderClaim(), 0)
        answer["proof"] = to_text(encode_proof(replace(proof, genesis=OTHER)))
    return as_http(answer)


OTHER = replace(SHORT, name="another network")
ODD = {
    "lies": altered(_flip),
    "another network": other_network,
    "no rounds": altered(lambda answer: {"proof": answer.get("proof")}),
    "words for numbers": altered(lambda answer: {**answer, "begins_at": "0"}),
    "begins elsewhere": altered(lambda answer: {**answer, "begins_at": 7}),
    "no proof": altered(lambda answer: {**answer, "proof": None, "certified_round": 2**40}),
    "a number for a proof": altered(lambda answer: {**answer, "proof": 7}),
}


@pytest.mark.parametrize("name", ODD)
def test_a_liar_is_named_and_does_no_harm(tmp_path: Path, name: str) -> None:
    async def run() -> None:
        liar, good = FakeGateway(story(4), ODD[name]), FakeGateway(story(4))
        async with hypha(tmp_path, liar, good) as made:
            await made.look_once()
            assert made.round == good.round
            assert (made.standing(0), made.standing(1)) == ("lies", "good")
            value = await made.cell.state_value("key-1")
            assert (value.value, value.round) == ("value", good.round)
            status = made.cell.status()
            assert status.gateways[0].lies == 1
            assert [text for text in status.warnings if liar.url in text]

    run_wired(run())


def test_the_silent_the_slow_and_the_old_hold_up_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        slow, broken, old = (
            FakeGateway(story(4), never),
            FakeGateway(story(4), half),
            FakeGateway(story(2)),
        )
        good = FakeGateway(story(4))
        async with hypha(tmp_path, slow, broken, old, good) as made:
            await made.look_once()
            await made.look(lambda: made.standing(2) == "behind")
            assert made.round == good.round
            assert made.standing(0) == "silent"
            assert made.standing(3) == "good"
            assert made.network.gateways[2].standing.lies == 0
            began_s = asyncio.get_running_loop().time()
            value = await made.cell.state_value("newest")
            assert value.value_hex == "03"
            assert asyncio.get_running_loop().time() - began_s < limits.ASK_TIMEOUT_S
            assert made.cell.status().confirmed_by == 1

    run_wired(run())


def test_an_old_state_is_not_shown_once_a_newer_head_is_known(tmp_path: Path) -> None:
    async def run() -> None:
        good, old = FakeGateway(story(5)), FakeGateway(story(3))
        async with hypha(tmp_path, good, old) as made:
            await made.look_once()
            assert (await made.cell.state_value("newest")).value_hex == "04"
            good.answer = never  # only the old one answers now
            made.network.gateways[0].standing.failures = 9
            with pytest.raises(NoGatewayAnswers, match="round 4 only"):
                await made.network.ask(of_value("newest"), 0.5)

    run_wired(run())


def test_an_old_value_under_a_newer_signature_is_old(tmp_path: Path) -> None:
    """Headers lead from any round to the newest: what counts is the round that the value is of."""

    async def run() -> None:
        past = story(3)
        claim, now = past.value_claim(b"value/newest"), story(5)
        good = FakeGateway(now)

        async def answer(gateway: FakeGateway, path: str, query: Json) -> bytes:
            if path != "/api/light/state":
                return await truth(gateway, path, query)
            at = next(i for i, one in enumerate(now.headers) if one.round == past.headers[-1].round)
            proof = tail(now, claim, 0)
            return as_http(told(now, replace(proof, headers=tuple(now.headers[at:])), 0))

        async with hypha(tmp_path, FakeGateway(now, answer), good) as made:
            await made.look_once()
            made.network.gateways[1].standing.latency_s = 9.0
            assert (await made.cell.state_value("newest")).value_hex == "04"
            assert made.standing(0) == "behind"

    run_wired(run())


def test_absence_is_proven_or_not_said(tmp_path: Path) -> None:
    async def run() -> None:
        liar, good = FakeGateway(story(3), other_key), FakeGateway(story(3))
        async with hypha(tmp_path, liar, good) as made:
            await made.look_once()
            made.network.gateways[1].standing.latency_s = 9.0
            with pytest.raises(NoSuchKey, match="proven"):
                await made.cell.state_value("nothing")
            assert made.standing(0) == "lies"
            file = await made.cell.value_proof("nothing")
            assert verify_text(file.proof, SHORT.network_id).header.round == good.round

    run_wired(run())


def test_a_file_of_the_hypha_proves_from_the_genesis_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with hypha(tmp_path, FakeGateway(story(3, epochs=3))) as made:
            await made.look_once()
            assert made.network.heads.anchor.epoch == 3
            file = await made.cell.value_proof("newest")
            assert file.steps == 1
            verify_text(file.proof, SHORT.network_id)
            head = await made.cell.round_proof(None)
            assert verify_text(head.proof, SHORT.network_id).certified.round == made.round

    run_wired(run())


def test_two_histories_are_kept_as_evidence_and_the_first_is_believed(tmp_path: Path) -> None:
    async def run() -> None:
        ours, theirs = FakeGateway(story(4)), FakeGateway(story(4, other_from=2))
        async with hypha(tmp_path, ours, theirs) as made:
            theirs.answer = never
            await made.look(lambda: made.round == ours.round)
            theirs.answer = truth
            made.network.gateways[1].standing.next_s = 0
            await made.look(lambda: bool(made.network.contradictions))
            assert made.standing(1) == "contradicts"
            believed, other = (
                verify_text(_text_of(path), SHORT.network_id)
                for path in made.network.contradictions
            )
            assert believed.header.round == other.header.round
            assert believed.header.hash != other.header.hash
            status = made.cell.status()
            assert status.phase == "contradicted"
            assert made.cell.services()[0].status == "unhealthy"
            made.network._seen.set()
            assert (await made.cell.state_value("key-3")).value == "value"
        again = Hypha(tmp_path, [ours, theirs])
        assert again.cell.status().phase == "contradicted"
        assert again.round == ours.round

    run_wired(run())


def _text_of(path: str) -> str:
    return Path(path).read_text("ascii")


def test_a_restart_goes_on_from_the_newest_head(tmp_path: Path) -> None:
    async def run() -> None:
        good = FakeGateway(story(6, epochs=2))
        async with hypha(tmp_path, good) as made:
            await made.look_once()
        old = FakeGateway(story(3, epochs=2))
        async with hypha(tmp_path, old) as made:
            assert made.round == good.round
            await made.look_once()
            assert made.round == good.round
            assert made.standing(0) == "behind"

    run_wired(run())


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_head_is_said_and_not_begun_anew(tmp_path: Path, damage: bytes | None) -> None:
    async def run() -> None:
        async with hypha(tmp_path, FakeGateway(story(2))) as made:
            await made.look_once()
            data = made.home.head.read_bytes()
        made.home.head.write_bytes(data.replace(b"A", b"B", 1) if damage is None else damage)
        with pytest.raises(HeadUnreadable):
            open_heads(made.home)

    run_wired(run())


def test_a_head_that_can_not_be_written_is_not_believed(tmp_path: Path) -> None:
    async def run() -> None:
        async with hypha(tmp_path, FakeGateway(story(2))) as made:
            made.home.head.mkdir()  # nothing can take its place
            with pytest.raises(BaseExceptionGroup):
                await made.network.follow()
            assert made.round == 0

    run_wired(run())


def test_what_all_refuse_is_refused(tmp_path: Path) -> None:
    async def no(gateway: FakeGateway, path: str, query: Json) -> bytes:
        del gateway, path, query
        return as_http(refusal("MYC-GATEWAY-010", "the token is wrong"), 401)

    async def run() -> None:
        async with hypha(tmp_path, FakeGateway(story(2), no), FakeGateway(story(2), no)) as made:
            await made.look_once()
            assert made.standing(0) == "refuses"
            with pytest.raises(GatewayRefuses, match="MYC-GATEWAY-010"):
                await made.network.ask(RoundQuestion(Round(1)))
            assert made.cell.status().phase == "starting"

    run_wired(run())


def test_a_network_where_all_lie_gives_no_answer(tmp_path: Path) -> None:
    async def run() -> None:
        async with hypha(tmp_path, FakeGateway(story(2), ODD["lies"])) as made:
            await made.look_once()
            with pytest.raises(NoGatewayAnswers):
                await made.cell.state_value("newest")
            assert made.network.heads.newest is None

    run_wired(run())


def test_a_quiet_network_is_told_from_a_fresh_one(tmp_path: Path) -> None:
    async def run() -> None:
        good = FakeGateway(story(2))
        async with hypha(tmp_path, good) as made:
            await made.look_once()
            newest = good.network.headers[-1].consensus_time_ns
            made.cell._now_ns = lambda: newest + 50 * 10**9
            assert made.cell.status().phase == "following"
            made.cell._now_ns = lambda: newest + 101 * 10**9
            status = made.cell.status()
            assert status.phase == "stale"
            assert status.head_age_s == 101
            assert "hold back" in status.warnings[0]
            assert made.cell.services()[0].status == "degraded"
            made.network.gateways[0].standing.answered_s = None
            assert made.cell.status().phase == "alone"
            assert made.cell.services()[0].status == "unhealthy"

    run_wired(run())


Work = Callable[[Hypha, FakeGateway, FakeGateway], Awaitable[None]]


def handing(tmp_path: Path, work: Work, first: Answer = truth) -> None:
    """Run `work` with two gateways that take transactions; the first answers as told."""

    def taking(inner: Answer) -> Answer:
        async def answer(gateway: FakeGateway, path: str, query: Json) -> bytes:
            if path == "/api/light/transactions" and inner is truth:
                return as_http({"items": [{}], "next": None})
            return await inner(gateway, path, query)

        return answer

    async def run() -> None:
        one, two = FakeGateway(story(3), taking(first)), FakeGateway(story(3), taking(truth))
        async with hypha(tmp_path, one, two) as made:
            await made.look(lambda: made.round == two.round)
            made.network._seen.set()
            made.network.gateways[1].standing.latency_s = 9.0
            await work(made, one, two)

    run_wired(run())


def _apply(gateway: FakeGateway, network: Network, raws: list[bytes]) -> None:
    """Let a transaction come into the order, as the gateway sees it."""

    items = [
        replace(item, parsed=parse(raw, SHORT.network_id))
        for item, raw in zip(candidates(raws), raws, strict=True)
    ]
    network.raws, network.entries = raws, network.apply(items).entries
    gateway.network = network


def test_a_put_is_signed_here_and_its_receipt_proven(tmp_path: Path) -> None:
    async def work(made: Hypha, one: FakeGateway, two: FakeGateway) -> None:
        stored = await made.cell.put("k", b"v", nonce=None, wait=Stage.STORED, timeout_s=5)
        assert (stored.stage, stored.position) == ("stored", None)
        raw = bytes.fromhex(one.posted[0]["transactions"][0])
        parsed = parse(raw, SHORT.network_id)
        assert parsed.id.hex() == stored.id
        waiting = asyncio.create_task(
            made.cell.receipt(parsed.id, wait=Stage.CERTIFIED, timeout_s=10)
        )
        await asyncio.sleep(0.1)
        for gateway in (one, two):
            _apply(gateway, story(3), [raw])
        receipt = await waiting
        assert (receipt.stage, receipt.outcome, receipt.kind) == ("certified", "applied", "put")
        assert receipt.sender == OWN.public_key.hex()
        assert made.round == one.round  # the proof brought a newer head
        assert (await made.cell.state_value("k")).value == "v"
        assert receipt.nonce == 0
        assert (await made.cell.account(OWN.public_key)).next_nonce == 1
        file = await made.cell.receipt_proof(parsed.id)
        verify_text(file.proof, SHORT.network_id)

    handing(tmp_path, work)


def test_a_put_offers_the_fee_that_the_network_is_proven_to_take(tmp_path: Path) -> None:
    async def work(made: Hypha, one: FakeGateway, two: FakeGateway) -> None:
        await made.cell.put("k", b"v", nonce=None, wait=Stage.STORED, timeout_s=5)
        for gateway in (one, two):
            gateway.network = story(3)
            gateway.network.set_parameter(FEE_PER_COST, 7)
        await made.look(lambda: made.round == two.round)
        await made.cell.put("k", b"v", nonce=None, wait=Stage.STORED, timeout_s=5)
        raws = [bytes.fromhex(post["transactions"][0]) for post in one.posted]
        fees = [parse(raw, SHORT.network_id).fee for raw in raws]  # type: ignore[union-attr]  # signed
        assert fees == [0, 7 * cost_of_arguments(Put("k", b"v"))]

    handing(tmp_path, work)


def test_nonces_are_never_used_twice_even_after_a_restart(tmp_path: Path) -> None:
    async def work(made: Hypha, one: FakeGateway, two: FakeGateway) -> None:
        for _ in range(3):
            await made.cell.put("k", b"v", nonce=None, wait=Stage.STORED, timeout_s=5)
        again = Hypha(tmp_path, [one, two])
        again.network._seen.set()
        await again.cell.put("k", b"v", nonce=None, wait=Stage.STORED, timeout_s=5)
        again.network.close()
        raws = [bytes.fromhex(post["transactions"][0]) for post in one.posted + two.posted]
        nonces = [parse(raw, SHORT.network_id).nonce for raw in raws]  # type: ignore[union-attr]  # signed
        assert sorted(nonces) == [0, 1, 2, 3]

    handing(tmp_path, work)


def test_a_transaction_goes_to_the_next_gateway_when_one_refuses_or_is_silent(
    tmp_path: Path,
) -> None:
    async def refusing(gateway: FakeGateway, path: str, query: Json) -> bytes:
        if path == "/api/light/transactions":
            return as_http(refusal("MYC-NODE-010", "full"), 503)
        return await truth(gateway, path, query)

    async def work(made: Hypha, one: FakeGateway, two: FakeGateway) -> None:
        raw = signed(OWN, 5, Put("k", b"v"), network_id=SHORT.network_id)
        (receipt,) = await made.cell.submit([raw], wait=Stage.ACCEPTED, timeout_s=5)
        assert receipt.stage == "accepted"
        assert len(one.posted) == len(two.posted) == 1
        two.answer = refusing
        with pytest.raises(GatewayRefuses, match="MYC-NODE-010"):
            await made.cell.submit([raw], wait=Stage.ACCEPTED, timeout_s=5)
        one.answer = half
        with pytest.raises(NotHandedOn):
            await made.cell.submit([raw], wait=Stage.ACCEPTED, timeout_s=5)

    handing(tmp_path, work, refusing)


def test_what_a_gateway_swallows_is_given_to_another(tmp_path: Path) -> None:
    async def work(made: Hypha, one: FakeGateway, two: FakeGateway) -> None:
        raw = signed(OWN, 5, Put("k", b"v"), network_id=SHORT.network_id)
        with pytest.raises(NotReachedInTime):
            await made.cell.submit([raw], wait=Stage.CERTIFIED, timeout_s=1.5 * HAND_ON_AGAIN_S)
        assert one.posted[0]["transactions"] == two.posted[0]["transactions"]
        assert len(one.posted) == 1

    handing(tmp_path, work)


def test_what_is_not_signed_well_is_not_handed_on(tmp_path: Path) -> None:
    async def work(made: Hypha, one: FakeGateway, two: FakeGateway) -> None:
        raw = signed(OWN, 5, Put("k", b"v"), network_id=SHORT.network_id)
        with pytest.raises(WrongSignature):
            await made.cell.submit([raw[:-1] + b"\0"], wait=Stage.STORED, timeout_s=5)
        with pytest.raises(Malformed):
            await made.cell.submit([b"x"], wait=Stage.STORED, timeout_s=5)
        assert one.posted + two.posted == []

    handing(tmp_path, work)


def test_a_receipt_that_nobody_can_prove_is_not_shown(tmp_path: Path) -> None:
    async def work(made: Hypha, one: FakeGateway, two: FakeGateway) -> None:
        with pytest.raises(NoSuchReceipt):
            await made.cell.receipt(bytes(32), wait=None, timeout_s=5)
        one.answer = two.answer = ODD["lies"]
        with pytest.raises(MyceldError):
            await made.cell.receipt(bytes(32), wait=None, timeout_s=5)

    handing(tmp_path, work)
