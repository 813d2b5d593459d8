"""What several tests of real cells start with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.devnet import Devnet


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Devnet]:
    """Four running cells, stopped in the end."""
    devnet = Devnet(tmp_path / "net")
    try:
        devnet.up()
        yield devnet
    finally:
        devnet.down()
