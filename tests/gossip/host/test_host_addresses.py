"""Multiaddrs: what is accepted to dial and to listen on, and what is refused."""

from __future__ import annotations

import pytest

from gossip.host.addresses import parse_dial_address, parse_listen_address
from gossip.host.errors import NotAMultiaddr

CELL = "12D3KooWMbbPVGsZYh3ChQjue712NHHGNybRRXwnuSpezYjGbCDS"


@pytest.mark.parametrize(
    "text",
    [
        f"/ip4/127.0.0.1/tcp/4001/p2p/{CELL}",
        f"/ip6/::1/tcp/1/p2p/{CELL}",
        f"/dns4/cell.example.org/tcp/65535/p2p/{CELL}",
    ],
)
def test_an_address_to_dial_reads_back_as_it_was(text: str) -> None:
    assert str(parse_dial_address(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:4001",
        "/ip4/127.0.0.1/tcp/4001",
        "/ip4/127.0.0.1/tcp/4001/p2p/",
        "/ip4/127.0.0.1/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        f"/ip4/127.0.0.1/tcp/0/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/65536/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/¹/p2p/{CELL}",
        f"/ip4/127.0.0.1/udp/4001/quic-v1/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/4001/ws/p2p/{CELL}",
        f"/ip4/300.0.0.1/tcp/4001/p2p/{CELL}",
        f"/ip4/::1/tcp/4001/p2p/{CELL}",
        f"/ip5/127.0.0.1/tcp/4001/p2p/{CELL}",
        f"/dns4/bad host/tcp/4001/p2p/{CELL}",
        "/" * 2000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(NotAMultiaddr):
        parse_dial_address(text)


def test_a_name_is_no_address_to_listen_on() -> None:
    assert parse_listen_address("/ip4/0.0.0.0/tcp/0").port == 0
    for text in ("/dns4/localhost/tcp/1", "/ip4/127.0.0.1/tcp/1/p2p/x", "/ip4/127.0.0.1/udp/1"):
        with pytest.raises(NotAMultiaddr):
            parse_listen_address(text)
