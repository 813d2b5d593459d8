"""What cells of a run compute once for all of them."""

from __future__ import annotations

import pytest

from identity import keys
from identity.keys import KeyPair, verify
from sim import once


def test_a_right_signature_is_worked_on_once_and_a_wrong_one_is_wrong_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worked_on = list[bytes]()
    open_signed = keys.crypto_sign_open  # type: ignore[attr-defined]  # not exported

    def counted(signed: bytes, key: bytes) -> bytes:
        worked_on.append(signed)
        message: bytes = open_signed(signed, key)
        return message

    monkeypatch.setattr(keys, "crypto_sign_open", counted)
    pair, other = KeyPair(bytes(32)), KeyPair(bytes([1]) * 32)
    signature = pair.sign(b"said")
    with once.verifying():
        for _ in range(3):
            assert verify(pair.public_key, b"said", signature)
            assert not verify(pair.public_key, b"not said", signature)
            assert not verify(other.public_key, b"said", signature)
            assert not verify(pair.public_key, b"said", other.sign(b"said"))
    assert len(worked_on) == 1 + 3 * 3
    assert keys.crypto_sign_open is counted  # type: ignore[attr-defined]  # not exported
