"""A hypha lists what begins with a prefix: all of it, nothing else, or it says that nobody told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from gateway.state_views import StateListView
from hypha.cell import HyphaCell
from hypha.errors import NoGatewayAnswers
from ledger.proof import RangeClaim, decode_proof, encode_proof, from_text, to_text
from ledger.values import VALUE_PREFIX
from ledger.verify import verify_text
from tests.hypha.fake_gateway import Answer, FakeGateway, Json, as_http, begun, honest, truth
from tests.hypha.test_network import hypha
from tests.hypha.wired_loop import run_wired
from tests.ledger.proof_world import Network
from tests.ledger.test_roster_proof import SHORT

CLUB = {f"club/{at:02}": b"value %d" % at for at in range(9)}


def _network() -> Network:
    made = begun()
    made.put(*CLUB.items(), ("clubs", b"beside"), ("clua", b"before"))
    return made


async def _all(cell: HyphaCell, prefix: str, limit: int) -> list[StateListView]:
    pages = [await cell.state_values(prefix, "", limit)]
    while pages[-1].next is not None:
        pages.append(await cell.state_values(prefix, pages[-1].next, limit))
    return pages


def _found(pages: list[StateListView]) -> dict[str, bytes]:
    return {one.key: bytes.fromhex(one.value_hex or "") for page in pages for one in page.items}


def test_pages_add_up_to_all_that_begins_with_a_prefix(tmp_path: Path) -> None:
    async def run() -> None:
        good = FakeGateway(_network())
        async with hypha(tmp_path, good) as made:
            await made.look_once()
            for limit, pages in ((1, 9), (4, 3), (100, 1)):
                listed = await _all(made.cell, "club/", limit)
                assert _found(listed) == CLUB
                assert len(listed) == pages
                assert {page.round for page in listed} == {good.round}
            everything = list(_found(await _all(made.cell, "", 100)))
            assert everything[:3] == ["clua", "club/00", "club/01"]
            for prefix in ("none/", "club/099", "\U0010ffff"):
                assert await _all(made.cell, prefix, 5) == [StateListView([], None, good.round)]
            assert (await made.cell.state_values("club/", "zebra", 5)).items == []
            proof = (await made.cell.range_proof("club/", 100)).proof
            claim = verify_text(proof, SHORT.network_id).claim
            assert isinstance(claim, RangeClaim)
            assert len(claim.shown.entries) == len(CLUB)

    run_wired(run())


def _with_claim(answer: Json, claim: RangeClaim) -> bytes:
    proof = decode_proof(from_text(answer["proof"]))
    return as_http({**answer, "proof": to_text(encode_proof(replace(proof, subject=claim)))})


def _claim(answer: Json) -> RangeClaim:
    claim = decode_proof(from_text(answer["proof"])).subject
    assert isinstance(claim, RangeClaim)
    return claim


async def _other_range(gateway: FakeGateway, query: Json, answer: Json) -> bytes:
    """Less than was asked for, all of it proven."""
    start, end = bytes.fromhex(query["start"]) + b"05", bytes.fromhex(query["end"])
    return _with_claim(answer, gateway.network.range_claim(start, end, 100))


async def _renamed(gateway: FakeGateway, query: Json, answer: Json) -> bytes:
    """The same, as if it were what was asked for."""
    start, end = bytes.fromhex(query["start"]), bytes.fromhex(query["end"])
    less = gateway.network.range_claim(start + b"05", end, 100)
    return _with_claim(answer, replace(less, start=start))


async def _one_changed(gateway: FakeGateway, query: Json, answer: Json) -> bytes:
    del gateway, query
    claim = _claim(answer)
    return _with_claim(answer, replace(claim, proof=claim.proof.replace(b"value 3", b"value 4")))


async def _a_value(gateway: FakeGateway, query: Json, answer: Json) -> bytes:
    del answer
    asked = {**query, "key": (VALUE_PREFIX + b"club/03").hex()}
    return as_http(honest(gateway.network, "/api/light/state", asked))


async def _other_state(gateway: FakeGateway, query: Json, answer: Json) -> bytes:
    """Entries of a network in which one key is missing."""
    start, end = bytes.fromhex(query["start"]), bytes.fromhex(query["end"])
    other = begun()
    other.put(*[pair for pair in CLUB.items() if pair[0] != "club/03"])
    del gateway
    return _with_claim(answer, other.range_claim(start, end, 100))


LIES = (_other_range, _renamed, _one_changed, _a_value, _other_state)


def _about_ranges(lie: object) -> Answer:
    async def answer(gateway: FakeGateway, path: str, query: Json) -> bytes:
        if path != "/api/light/range":
            return await truth(gateway, path, query)
        said = honest(gateway.network, path, query)
        return await lie(gateway, query, said)  # type: ignore[operator,no-any-return]  # one of LIES

    return answer


@pytest.mark.parametrize("lie", LIES)
def test_who_leaves_out_adds_or_changes_something_is_named(tmp_path: Path, lie: object) -> None:
    async def run() -> None:
        liar, good = FakeGateway(_network(), _about_ranges(lie)), FakeGateway(_network())
        async with hypha(tmp_path, liar, good) as made:
            await made.look_once()
            made.network.gateways[1].standing.latency_s = 9.0
            assert _found(await _all(made.cell, "club/", 100)) == CLUB
            assert (made.standing(0), made.standing(1)) == ("lies", "good")

    run_wired(run())


def test_no_mutation_of_what_is_told_is_believed(tmp_path: Path) -> None:
    """Nothing but the truth is listed, whatever byte is another one, or is missing."""
    random = Random(7)  # noqa: S311 - chance of a test
    told: list[StateListView] = []

    async def mutated(gateway: FakeGateway, query: Json, answer: Json) -> bytes:
        del gateway, query
        data = bytearray(from_text(answer["proof"]))
        at = random.randrange(len(data))
        if random.random() < 0.2:
            del data[at]
        else:
            data[at] ^= 1 << random.randrange(8)
        return as_http({**answer, "proof": to_text(bytes(data))})

    async def run() -> None:
        liar = FakeGateway(_network(), _about_ranges(mutated))
        async with hypha(tmp_path, liar) as made:
            await made.look_once()
            for _ in range(200):
                made.network.gateways[0].standing.shunned_s = 0
                with pytest.raises(NoGatewayAnswers):
                    told.append(await made.cell.state_values("club/", "", 100))
            assert liar.asked.count("/api/light/range") == 200

    run_wired(run())
    assert told == []
