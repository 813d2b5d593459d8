"""hypha.yaml and gateway addresses: what is wrong is refused before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypha.config import HyphaConfig, dump, load
from hypha.errors import BadGateway, BadHyphaConfig, NoHypha, TokenFileUnusable
from hypha.gateway_address import GatewayAddress, parse_gateway
from hypha.limits import CONFIG_SIZE_BYTES_MAX, GATEWAYS_MAX

HERE = GatewayAddress("http://127.0.0.1:8710", "ada.token")


def test_what_is_dumped_is_loaded_again(tmp_path: Path) -> None:
    config = HyphaConfig(
        (HERE, GatewayAddress("https://ada.example/cell", "t", "ca.pem")),
        "phone",
        8720,
        60,
        "debug",
    )
    path = tmp_path / "hypha.yaml"
    path.write_text(dump(config))
    assert load(path) == config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 2\nhypha: {}", "version: 1"),
        ("version: 1\nhypha: []", "hypha"),
        ("version: 1\nhypha:\n  gatways: []", "gatways"),
        ("version: 1\nhypha:\n  gateways: []", "1 to"),
        ("version: 1\nhypha:\n  gateways: [{url: 'http://127.0.0.1:1', x: y}]", "'x'"),
        ("version: 1\nhypha:\n  gateways: [{token_file: a}]", "url"),
        ("version: 1\nhypha:\n  gateways: ['http://127.0.0.1:1']", "gateways"),
        ("version: 1\nhypha:\n  gateways: [{url: 'ftp://a'}]", "ftp"),
        ("version: 1\nhypha:\n  stale_after_s: true\n  gateways: []", "stale_after_s"),
        ("version: 1\nhypha: &a {gateways: *a}", "line 2"),
        ("version: [", "YAML"),
        (
            "version: 1\nhypha:\n  gateway_port: 70000\n  gateways: [{url: 'http://[::1]:1'}]",
            "port",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "hypha.yaml"
    path.write_text(text)
    with pytest.raises(BadHyphaConfig, match=words):
        load(path)


def test_too_many_gateways_or_one_twice_are_refused() -> None:
    many = tuple(GatewayAddress(f"http://127.0.0.1:{at + 1}") for at in range(GATEWAYS_MAX + 1))
    with pytest.raises(BadHyphaConfig):
        HyphaConfig(many)
    with pytest.raises(BadHyphaConfig):
        HyphaConfig((HERE, HERE))


def test_a_file_that_is_missing_or_huge_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hypha.yaml"
    with pytest.raises(NoHypha):
        load(path)
    path.write_bytes(b"#" * (CONFIG_SIZE_BYTES_MAX + 1))
    with pytest.raises(BadHyphaConfig):
        load(path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8710",
        "ftp://127.0.0.1",
        "http://",
        "http://user:secret@127.0.0.1",
        "http://127.0.0.1?token=a",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nHost: other",
        "http://" + "a" * 600,
    ],
)
def test_a_url_that_no_gateway_has_is_refused(url: str) -> None:
    with pytest.raises(BadGateway):
        GatewayAddress(url)


def test_a_token_does_not_go_over_an_open_line() -> None:
    with pytest.raises(BadGateway):
        GatewayAddress("http://ada.example", "ada.token")
    GatewayAddress("http://ada.example")
    GatewayAddress("https://ada.example", "ada.token")
    GatewayAddress("http://[::1]:8710", "ada.token")
    with pytest.raises(BadGateway):
        GatewayAddress("http://127.0.0.1", ca_file="ca.pem")


def test_a_gateway_is_written_in_one_argument() -> None:
    assert parse_gateway("https://a.example/,token=t,ca=c") == GatewayAddress(
        "https://a.example", "t", "c"
    )
    for text in ("http://127.0.0.1,tok=a", "http://127.0.0.1,token=", "http://[::1],ca=a,ca=b"):
        with pytest.raises(BadGateway):
            parse_gateway(text)


def test_a_token_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "ada.token"
    with pytest.raises(TokenFileUnusable):
        HERE.read_token(tmp_path)
    path.write_text("abc\n")
    path.chmod(0o640)
    with pytest.raises(TokenFileUnusable, match="0600"):
        HERE.read_token(tmp_path)
    path.chmod(0o600)
    assert HERE.read_token(tmp_path) == "abc"
    assert GatewayAddress("http://127.0.0.1").read_token(tmp_path) == ""
    for text in ("", " \n", "a b", "a\r\nX: y", "a" * 2000, "\u00e9"):
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(TokenFileUnusable):
            HERE.read_token(tmp_path)
