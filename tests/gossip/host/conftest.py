"""The product's deadlines do not end what the tests of hosts do on a busy machine."""

from __future__ import annotations

import pytest

from tests.gossip.host.host_world import lengthen_deadlines


@pytest.fixture(autouse=True)
def _long_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    lengthen_deadlines(monkeypatch.setattr)
