"""hypha.yaml and gateway addresses: what is wrong is refused before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypha.config import addresses_in, load
from hypha.errors import BadGateway, NoHypha, TokenFileUnusable
from hypha.gateway_address import GatewayAddress, parse_gateway
from settings import BadConfig, HyphaConfig, LightConfig, LoggingConfig, dump
from settings.limits import FILE_SIZE_BYTES_MAX

HERE = GatewayAddress("http://127.0.0.1:8710", "ada.token")
THERE = GatewayAddress("https://ada.example/cell", "t", "ca.pem")


def test_what_is_dumped_is_loaded_again(tmp_path: Path) -> None:
    config = LightConfig(
        HyphaConfig((HERE.text, THERE.text), "phone", 8720, 60), LoggingConfig(level="debug")
    )
    path = tmp_path / "hypha.yaml"
    path.write_text(dump(config))
    assert "    token_file: ada.token\n" in path.read_text()
    assert load(path, {}) == config
    assert addresses_in(config.hypha) == [HERE, THERE]


def test_a_file_extends_another_and_variables_override_both(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        "version: 1\nhypha:\n  log_level: debug\n  gateways:\n"
        "    - {url: '${URL}', token_file: '${NONE:-ada.token}'}\n"
        "    - https://b.example,ca=b.pem\n"
    )
    path = tmp_path / "hypha.yaml"
    path.write_text("version: 1\nextends: site.yaml\nhypha: {name: phone}\n")
    config = load(path, {"URL": HERE.url})
    assert addresses_in(config.hypha) == [HERE, parse_gateway("https://b.example,ca=b.pem")]
    assert (config.hypha.name, config.logging.level) == ("phone", "debug")
    other = f"{THERE.text};{HERE.text}"
    told = {"URL": "x", "MYCELD_HYPHA__GATEWAYS": other, "MYCELD_HYPHA__LOG_LEVEL": "error"}
    config = load(path, told)
    assert addresses_in(config.hypha) == [THERE, HERE]
    assert config.logging.level == "error"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 2\nhypha: {}", "version is 2, expected 1"),
        ("version: 1\nhypha: []", "line 2: hypha must be a section"),
        ("version: 1", "hypha.gateways: expected a list of gateways"),
        ("version: 1\nhypha:\n  gatways: []", "line 3: hypha.gatways: .*did you mean gateways?"),
        ("version: 1\nhypha:\n  gateways: []", "at least 1 gateways"),
        (
            "version: 1\nhypha:\n  gateways:\n  - {url: 'http://127.0.0.1:1', token: y}",
            "line 4: hypha.gateways.token: unknown key, did you mean token_file?",
        ),
        ("version: 1\nhypha:\n  gateways:\n  - {token_file: a}", "line 4: .* has a key url"),
        ("version: 1\nhypha:\n  gateways: [{url: 7}]", "expected text without commas, got 7"),
        ("version: 1\nhypha:\n  gateways: [{url: 'ftp://a'}]", "line 3: .*ftp"),
        ("version: 1\nhypha:\n  gateways: ['http://[::1]:1', 'http://[::1]:1/']", "twice"),
        ("version: 1\nhypha:\n  stale_after_s: true\n  gateways: ['http://[::1]:1']", "a number"),
        ("version: 1\nhypha: &a {gateways: *a}", "line 2"),
        ("version: 1\nhypha:\n  name: ''\n  gateways: ['http://[::1]:1']", "1 to 64 characters"),
        ("version: [", "YAML"),
        ("version: 1\nhypha:\n  gateway_port: 70000\n  gateways: ['http://[::1]:1']", "0 to 65535"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "hypha.yaml"
    path.write_text(text)
    with pytest.raises(BadConfig, match=words):
        load(path, {})


def test_a_file_that_is_missing_or_huge_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hypha.yaml"
    with pytest.raises(NoHypha):
        load(path)
    path.write_bytes(b"#" * (FILE_SIZE_BYTES_MAX + 1))
    with pytest.raises(BadConfig):
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
