"""A few hundred requests made up from the document; `scripts/fuzz-api` asks thousands."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from gateway.server import Gateway
from tests.gateway.api_fuzz import Found, run
from tests.gateway.fake_cell import TOKEN, FakeCell

ROOT = Path(__file__).resolve().parents[2]


def test_what_comes_back_is_in_the_document() -> None:
    document = json.loads((ROOT / "gateway" / "reference" / "openapi.json").read_text("utf-8"))

    async def talk() -> Found:
        gateway = Gateway(FakeCell(), token=TOKEN)
        url = await gateway.start()
        try:
            return await asyncio.to_thread(run, document, url, {"owner": TOKEN}, each=1)
        finally:
            await gateway.stop()

    found = asyncio.run(talk())
    assert found.faults == []
    assert found.requests > 150
