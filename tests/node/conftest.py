"""Cells that are patient on machines that stand still for seconds, and cheap passphrases."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from importlib import import_module

import pytest

from gossip.host import HostConfig
from gossip.host.loading import load_libp2p
from identity import sealed_seed
from tests.waiting import PATIENCE_S

_IN_MS = (
    *("DIAL_TIMEOUT_MS", "HANDSHAKE_TIMEOUT_MS", "WRITE_TIMEOUT_MS", "PEER_SILENCE_MS_MAX"),
    *("TRANSFER_ANSWER_MS", "TRANSFER_IDLE_MS", "PROOF_PATIENCE_MS", "STOP_TIMEOUT_MS"),
    *("REQUEST_TIMEOUT_MS", "SILENCE_MS_MAX"),
)
_IN_S = (
    *("CONTENT_TIMEOUT_S", "DIAGNOSIS_ANSWER_S", "INTERACTIONS_ASK_S", "INVITE_TIMEOUT_S"),
    *("NEGOTIATION_TIMEOUT_S", "SERVICE_TIMEOUT_S", "CONNECTION_IDLE_S", "START_TIMEOUT_S"),
    *("CLOSE_LINGER_S", "DROP_TIMEOUT_S", "CLOSE_TIMEOUT_S", "STOP_TIMEOUT_S"),
)
_OF = ("gossip.host.", "journal.replication.", "node.")


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow passphrases that cost next to nothing to guess."""
    monkeypatch.setattr(sealed_seed, "KDF_MEMORY_KIB_MIN", 64)


@pytest.fixture
def patient() -> Iterator[None]:
    """Have cells wait for each other for as long as the test itself would.

    A test of a deadline sets that one itself; no other one shall end what the test is about.
    """
    load_libp2p()
    import_module("gossip.host.engine")  # loaded by the first start of a host otherwise
    wanted = {**dict.fromkeys(_IN_MS, int(PATIENCE_S * 1000)), **dict.fromkeys(_IN_S, PATIENCE_S)}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in tuple(sys.modules.items()):
            # What is loaded later takes a bound from where it is defined: that stays as it is.
            if name.startswith(_OF) and not name.endswith(".limits"):
                for bound in wanted.keys() & vars(module).keys():
                    patch.setattr(module, bound, wanted[bound])
        defaults = {one.name: one.default for one in fields(HostConfig)}
        defaults["upgrade_timeout_s"] = PATIENCE_S
        given = tuple(value for value in defaults.values() if value is not MISSING)
        patch.setattr(HostConfig.__init__, "__defaults__", given)
        yield
