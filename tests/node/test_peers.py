"""What is forwarded to a member fits its frames."""

from __future__ import annotations

from gossip.limits import FRAME_SIZE_BYTES_MAX, PAYLOAD_COUNT_MAX
from gossip.wire import Forward, decode_frame, encode_frame
from ledger.limits import TRANSACTION_SIZE_BYTES_MAX
from node.peers import _in_frames


def test_many_and_large_transactions_are_cut_into_frames_in_order() -> None:
    small = [number.to_bytes(4, "big") for number in range(2 * PAYLOAD_COUNT_MAX + 1)]
    large = [bytes([number]) * TRANSACTION_SIZE_BYTES_MAX for number in range(9)]
    for transactions in (small, large, [*large, *small], small[:1]):
        parts = list(_in_frames(transactions))
        assert [raw for part in parts for raw in part] == transactions
        for part in parts:
            data = encode_frame(Forward(part))
            assert len(data) <= FRAME_SIZE_BYTES_MAX + 4
            assert decode_frame(data[4:]) == Forward(part)
    assert list(_in_frames([])) == []
