"""Any change of any answer, drawn by chance: the honest one wins, and nothing false is shown."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.proof import from_text, to_text
from tests.hypha.fake_gateway import FakeGateway, Json, as_http, honest, story
from tests.hypha.test_network import hypha
from tests.hypha.wired_loop import run_wired

GOOD = story(3)
ROUND = GOOD.headers[-1].round

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("flip", "cut", "double", "zero", "number", "drop", "cut answer", "noise")),
        st.integers(0, 2**16),
    ),
    min_size=1,
    max_size=3,
)


def _bytes_changed(data: bytearray, sort: str, at: int) -> bytearray:
    place = at % len(data)
    if sort == "flip":
        data[place] ^= 1 << at % 8
    elif sort == "cut":
        del data[place:]
    elif sort == "double":
        data[place:place] = data[place : place + 40]
    else:
        data[place : place + 8] = bytes(len(data[place : place + 8]))
    return data


def _changed(answer: Json, changes: list[tuple[str, int]]) -> bytes:
    text = answer.get("proof")
    data = None if text is None else bytearray(from_text(text))
    for sort, at in changes:
        if sort in ("flip", "cut", "double", "zero") and data is not None:
            data = _bytes_changed(data or bytearray(1), sort, at)
            answer["proof"] = to_text(bytes(data))
        elif sort == "number":
            answer[("certified_round", "begins_at")[at % 2]] = at - 7
        elif sort == "drop":
            answer.pop(("certified_round", "begins_at", "proof")[at % 3], None)
    whole = bytearray(as_http(answer))
    for sort, at in changes:
        if not whole:
            break
        if sort == "cut answer":
            del whole[at % len(whole) :]
        elif sort == "noise":
            whole[at % len(whole)] = at % 251
    return bytes(whole)


@settings(max_examples=40, deadline=None)
@given(CHANGES)
def test_no_change_of_an_answer_gets_through(changes: list[tuple[str, int]]) -> None:
    async def lie(gateway: FakeGateway, path: str, query: Json) -> bytes:
        task = asyncio.current_task()
        assert task is not None
        # What is cut off ends with the connection.
        asyncio.get_running_loop().call_later(0.02, task.cancel)
        return _changed(honest(gateway.network, path, query), changes)

    async def run(folder: Path) -> None:
        liar, good = FakeGateway(GOOD, lie), FakeGateway(GOOD)
        async with hypha(folder, liar, good) as made:
            await made.look(lambda: made.round == ROUND)
            made.network._seen.set()
            made.network.gateways[1].standing.latency_s = 9.0  # the liar is asked first
            value = await made.cell.state_value("newest")
            assert (value.value_hex, value.round) == ("02", ROUND)
            assert made.network.contradictions == []
            assert made.network.heads.newest is not None
            assert made.network.heads.newest.header == GOOD.headers[-1]

    with tempfile.TemporaryDirectory() as folder:
        run_wired(run(Path(folder)))
