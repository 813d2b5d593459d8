"""Multiaddrs: what is accepted to dial and to listen on, and what is refused."""

from __future__ import annotations

import pytest

from gossip.host.addresses import parse_dial_address, parse_listen_address
from gossip.host.errors import NotAMultiaddr, TransportNotSpoken

CELL = "12D3KooWMbbPVGsZYh3ChQjue712NHHGNybRRXwnuSpezYjGbCDS"


@pytest.mark.parametrize(
    "text",
    [
        f"/ip4/127.0.0.1/tcp/4001/p2p/{CELL}",
        f"/ip6/::1/tcp/1/p2p/{CELL}",
        f"/dns4/cell.example.org/tcp/65535/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/4001/ws/p2p/{CELL}",
        f"/ip6/::1/tcp/4001/ws/p2p/{CELL}",
        f"/dns/udp/tcp/80/p2p/{CELL}",
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
        "/",
        "/p2p",
        f"/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/4001/ws/ws/p2p/{CELL}",
        f"/ip4/127.0.0.1/tcp/4001/http/p2p/{CELL}",
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


@pytest.mark.parametrize(
    ("transport", "missing"),
    [
        ("udp/4001/quic-v1", "quic-v1"),
        ("tcp/443/tls/ws", "tls"),
        ("tcp/443/wss", "wss"),
        ("udp/4001/webrtc-direct", "udp"),
    ],
)
def test_a_transport_that_is_not_spoken_has_an_error_of_its_own(
    transport: str, missing: str
) -> None:
    for parse, text in (
        (parse_listen_address, f"/ip4/127.0.0.1/{transport}"),
        (parse_dial_address, f"/ip4/127.0.0.1/{transport}/p2p/{CELL}"),
    ):
        with pytest.raises(TransportNotSpoken, match=missing) as caught:
            parse(text)
        assert caught.value.code == "MYC-HOST-018"


def test_a_name_is_no_address_to_listen_on() -> None:
    assert parse_listen_address("/ip4/0.0.0.0/tcp/0").port == 0
    assert str(parse_listen_address("/ip6/::/tcp/1/ws")) == "/ip6/::/tcp/1/ws"
    for text in ("/dns4/localhost/tcp/1", "/ip4/127.0.0.1/tcp/1/p2p/x", "/ip4/127.0.0.1/udp/1"):
        with pytest.raises(NotAMultiaddr):
            parse_listen_address(text)
