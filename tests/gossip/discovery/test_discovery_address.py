"""What an address says of itself: whose it is, and from where it can be reached."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossip.discovery.address import Reach, parse_peer_address, reach_of
from gossip.discovery.errors import BadAddress
from tests.ledger.world import KEYS

CELL = KEYS[0].cell_id


@pytest.mark.parametrize(
    ("start", "reach"),
    [
        ("/ip4/127.0.0.1/tcp/1", Reach.LOOPBACK),
        ("/ip4/127.8.0.1/tcp/1", Reach.LOOPBACK),
        ("/ip6/::1/tcp/1", Reach.LOOPBACK),
        ("/dns/localhost/tcp/1", Reach.LOOPBACK),
        ("/ip4/10.0.0.1/tcp/1", Reach.SITE),
        ("/ip4/192.168.1.1/tcp/1", Reach.SITE),
        ("/ip4/172.31.0.1/udp/1/quic-v1", Reach.SITE),
        ("/ip4/100.64.0.1/tcp/1", Reach.SITE),
        ("/ip6/fd00::1/tcp/1", Reach.SITE),
        ("/dns4/nas.local/tcp/1", Reach.SITE),
        ("/dns4/nas/tcp/1", Reach.SITE),
        ("/ip4/8.8.8.8/tcp/65535", Reach.WORLD),
        ("/ip6/2606:4700::1/tcp/1/ws", Reach.WORLD),
        ("/dns/cell.example.org/tcp/443/tls/ws", Reach.WORLD),
    ],
)
def test_the_reach_of_an_address_follows_from_its_host(start: str, reach: Reach) -> None:
    parsed = parse_peer_address(f"{start}/p2p/{CELL}")
    assert (parsed.cell_id, parsed.reach) == (CELL, reach)
    assert reach_of(start) is reach


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        f"/ip4/127.0.0.1/tcp/1/p2p/{CELL[:-1]}",
        "/ip4/127.0.0.1/tcp/1",
        f"/ip4/0.0.0.0/tcp/1/p2p/{CELL}",
        f"/ip6/::/tcp/1/p2p/{CELL}",
        f"/ip4/224.0.0.1/tcp/1/p2p/{CELL}",
        f"/ip6/fe80::1/tcp/1/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/0/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/01/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/65536/p2p/{CELL}",
        f"/ip4/127.0.0.1/sctp/1/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/1/W S/p2p/{CELL}",
        f"/ip6/0:0::1/tcp/1/p2p/{CELL}",
        f"/ip4/127.0.0.1/p2p/{CELL}",
        f"/dns/-a-/tcp/1/p2p/{CELL}",
        f"/dns/{'a' * 250}/tcp/1/p2p/{CELL}",
        f"/unix/tmp/tcp/1/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/1{'/a' * 20}/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/١/p2p/{CELL}",
    ],
)
def test_what_another_cell_could_not_dial_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_peer_address(text)


@given(st.text(max_size=60) | st.text(alphabet="/ip46dnstcp.0:1", max_size=60))
def test_any_text_gives_an_address_or_the_declared_error(text: str) -> None:
    assert isinstance(reach_of(text), Reach)
    try:
        parse_peer_address(text)
    except BadAddress:
        return
