"""What several tests of real cells start with."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.devnet import Devnet

# A shell lets what it starts with & ignore Ctrl-C, and so would all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Devnet]:
    """Four running cells, stopped in the end."""
    devnet = Devnet(tmp_path / "net")
    try:
        devnet.up()
        yield devnet
    finally:
        devnet.down()
