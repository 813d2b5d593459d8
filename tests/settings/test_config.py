"""A misspelt or impossible option never passes in silence; each mistake is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.trust import Level
from settings import (
    BadConfig,
    CellConfig,
    Config,
    DiscoveryConfig,
    LoggingConfig,
    StateConfig,
    TrustConfig,
    dump,
    load,
    parse,
)
from settings.limits import SEEDS_MAX

_TEXT = st.text(max_size=20)
CONFIGS = st.builds(
    Config,
    cell=st.builds(
        CellConfig,
        name=_TEXT,
        listen=st.lists(_TEXT, min_size=1, max_size=3).map(tuple),
        bootstrap=st.lists(_TEXT, max_size=3).map(tuple),
        gateway_host=_TEXT,
        gateway_port=st.integers(0, 65535),
        commands=st.lists(st.sampled_from(["up=uptime", "disk=df -h /"]), max_size=2).map(tuple),
    ),
    discovery=st.builds(
        DiscoveryConfig,
        mdns=st.booleans(),
        dht=st.booleans(),
        seeds=st.lists(st.sampled_from(["a.json", "https://a.example/s"]), max_size=3).map(tuple),
    ),
    trust=st.builds(
        TrustConfig,
        levels=st.lists(st.sampled_from(["full=0.95", "limited=0.6"]), max_size=2).map(tuple),
        needs=st.lists(st.sampled_from(["exec=none", "chat=full"]), max_size=2).map(tuple),
    ),
    logging=st.builds(
        LoggingConfig,
        level=st.sampled_from(["debug", "info", "warning", "error"]),
        levels=st.sampled_from([(), ("consensus=debug", "peers=error")]),
    ),
    state=st.builds(StateConfig, history_rounds=st.integers(0, 9) | st.just("all")),
)


def _cell(lines: str) -> bytes:
    return f"version: 1\ncell:\n{lines}".encode()


@given(CONFIGS)
@settings(deadline=None)
def test_what_is_written_reads_back(config: Config) -> None:
    assert parse(Config, dump(config).encode(), "c") == config


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes_give_a_configuration_or_the_declared_error(data: bytes) -> None:
    with pytest.raises(BadConfig, match="MYC-NODE-001: c"):
        parse(Config, data, "c")


def test_every_key_has_a_default() -> None:
    for text in (b"version: 1", b"version: 1\ncell:", b"version: 1\ncell: {}"):
        assert parse(Config, text, "c") == Config()
    assert Config().cell.gateway_host == "127.0.0.1"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("  gatway_port: 1", "did you mean gateway_port?"),
        ("  Name: a", "did you mean name?"),
        ("  bootstraps: []", "did you mean bootstrap?"),
        ("  zzz: 1", "known are: name, listen, bootstrap"),
        ("  1: 1", "unknown key"),
        ("  name: 7", "cell.name: expected text, got 7"),
        ("  name:", "expected text, got None"),
        ("  gateway_port: '1'", "expected a number 0 to 65535, got '1'"),
        ("  gateway_port: true", "expected a number 0 to 65535, got True"),
        ("  gateway_port: 1.0", "expected a number"),
        ("  gateway_port: -1", "0 to 65535, got -1"),
        ("  gateway_port: 65536", "0 to 65535, got 65536"),
        ("  commands: ['uptime']", "expected NAME=COMMAND, got 'uptime'"),
        ("  commands: ['a=echo \"b']", "No closing quotation"),
        ("  log_level: loud", "expected one of debug, info, warning, error"),
        ("  listen: []", "expected at least 1 multiaddrs, got 0"),
        ("  listen: /ip4/127.0.0.1/tcp/1", "expected a list of multiaddrs"),
        ("  bootstrap: [1]", "expected a list of multiaddrs"),
        ("  - name", "must be a section"),
    ],
)
def test_a_wrong_key_or_value_is_named(lines: str, words: str) -> None:
    with pytest.raises(BadConfig) as refusal:
        parse(Config, _cell(lines), "config.yaml")
    assert words in refusal.value.detail
    assert "\n" not in refusal.value.detail


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected `version: 1`"),
        ("[]", "expected `version: 1`"),
        ("cell: {}", "version is None, expected 1"),
        ("version: 2", "version is 2, expected 1"),
        ("version: 1\nsell: {}", "unknown section 'sell'"),
        ("version: 1\ncell: 0", "must be a section"),
        ("version: 1\ncell: []", "must be a section"),
        ("version: 1\ncell: ''", "must be a section"),
        ("version: 1\ncell: name", "must be a section"),
        ("[" * 5000, "nested too deeply"),
        ("version: 2020-99-99", "version is 2020-99-99, expected 1"),
        ("version: !!python/object/apply:os.system [ls]", "tags are not read"),
        ("version: 1\ncell: &a {}\ndiscovery: *a", "line 2: anchors and aliases are not read"),
        ("version: 1\ncell:\n  name: a\n  name: b", "line 4: 'name' is there twice"),
        ("version: 1\n? [a]\n: b", "a key must be a word"),
        ("version: 1\n---\nversion: 1", "there is a second document"),
        ("version: 1\ncell: [" + "a, " * 1100 + "a]", "more than 1024 values"),
        ("version: 1\ncell:\n  gateway_port: 0x10", "expected a number 0 to 65535, got 0x10"),
        ("version: 1\ncell:\n  gateway_port: 1:30", "expected a number 0 to 65535, got 1:30"),
        ("version: 1\ncell:\n  name: 1.5", "expected text, got 1.5"),
    ],
)
def test_a_file_of_another_shape_says_what_was_expected(text: str, words: str) -> None:
    with pytest.raises(BadConfig) as refusal:
        parse(Config, text.encode(), "config.yaml")
    assert words in refusal.value.detail


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ("  name: 'a\n", 4),
        ("  name: a\n  listen: [a\n", 5),
        ("  name: a: b\n", 3),
        ("\tname: a", 3),
    ],
)
def test_a_line_that_is_no_yaml_is_told_by_its_number(lines: str, number: int) -> None:
    with pytest.raises(BadConfig, match=f"config.yaml, line {number}: not readable"):
        parse(Config, _cell(lines), "config.yaml")


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(dump(Config(CellConfig(name="file", gateway_port=1))))
    environment = {
        "MYCELD_CELL__NAME": "7",
        "MYCELD_CELL__GATEWAY_PORT": "8080",
        "MYCELD_CELL__BOOTSTRAP": " /a , /b,, ",
        "MYCELD_HOME": "ignored",
        "PATH": "ignored",
    }
    assert load(path, environment, Config) == Config(
        CellConfig(name="7", gateway_port=8080, bootstrap=("/a", "/b"))
    )
    assert load(path, {"MYCELD_CELL__BOOTSTRAP": ""}, Config).cell.bootstrap == ()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MYCELD_CELL__NAM", "x", "did you mean name?"),
        ("MYCELD_CELL__", "x", "unknown key"),
        ("MYCELD_CELL____class__", "x", "unknown key"),
        ("MYCELD_CELL__GATEWAY_PORT", "http", "expected a number"),
        ("MYCELD_CELL__GATEWAY_PORT", "-1", "expected a number"),
        ("MYCELD_CELL__GATEWAY_PORT", "99999", "0 to 65535"),
        ("MYCELD_CELL__GATEWAY_PORT", "9" * 5000, "expected a number"),
        ("MYCELD_CELL__LISTEN", " , ", "expected at least 1 multiaddrs, got 0"),
        ("MYCELD_CELL__LOG_LEVEL", "INFO", "expected one of"),
        ("MYCELD_CELL__DISCOVERY", "x", "unknown key"),
        ("MYCELD_DISCOVERY__MDN", "true", "did you mean mdns?"),
        ("MYCELD_DISCOVERY__MDNS", "yes", "expected true or false"),
        ("MYCELD_DISCOVERY__SEEDS", "http://a.example/s", "a seed is a path or an https URL"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, value: str, words: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(dump(Config()))
    with pytest.raises(BadConfig) as refusal:
        load(path, {name: value}, Config)
    assert refusal.value.detail.startswith(f"{name}: ")
    assert words in refusal.value.detail


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="No such file"):
        load(tmp_path / "nowhere.yaml", {}, Config)
    with pytest.raises(BadConfig, match="directory"):
        load(tmp_path, {}, Config)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (256 * 1024 + 1))
    with pytest.raises(BadConfig, match="larger than"):
        load(large, {}, Config)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("  mdsn: true", "did you mean mdns?"),
        ("  cell: {}", "unknown key"),
        ("  mdns: 1", "discovery.mdns: expected true or false, got 1"),
        ("  dht: 'true'", "expected true or false"),
        ("  seeds: seed.json", "expected a list of paths and URLs"),
        ("  seeds: ['']", "no seed"),
        ("  seeds: ['ftp://a/b']", "discovery.seeds"),
        (f"  seeds: {['a'] * (SEEDS_MAX + 1)}", f"at most {SEEDS_MAX}"),
        ("  - mdns", "discovery must be a section"),
    ],
)
def test_a_mistake_about_discovery_is_named(lines: str, words: str) -> None:
    with pytest.raises(BadConfig) as refusal:
        parse(Config, f"version: 1\ndiscovery:\n{lines}".encode(), "c")
    assert words in refusal.value.detail


def test_discovery_is_configured_in_a_section_of_its_own(tmp_path: Path) -> None:
    text = b"version: 1\ndiscovery:\n  mdns: false\n  seeds: [a.json]"
    assert parse(Config, text, "c").discovery == DiscoveryConfig(mdns=False, seeds=("a.json",))
    path = tmp_path / "config.yaml"
    path.write_text(dump(Config()))
    environment = {"MYCELD_DISCOVERY__DHT": "TRUE", "MYCELD_DISCOVERY__SEEDS": "b.json, c.json"}
    found = load(path, environment, Config).discovery
    assert found == DiscoveryConfig(dht=True, seeds=("b.json", "c.json"))


def test_access_is_configured_in_a_section_of_its_own(tmp_path: Path) -> None:
    text = "version: 1\ntrust:\n  levels: [full=0.95, read-only=0.1]\n  needs: [exec = limited]\n"
    file = tmp_path / "config.yaml"
    file.write_text(text)
    policy = load(file, {"MYCELD_TRUST__NEEDS": "chat=none"}, Config).trust.policy()
    assert (policy.level(0.94), policy.level(0.1)) == (Level.STANDARD, Level.READ_ONLY)
    assert policy.needs["chat"] is Level.NONE
    assert load(file, {}, Config).trust.policy().needs["exec"] is Level.LIMITED
    assert parse(Config, b"version: 1", "c").trust.policy().level(0.9) is Level.FULL


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("levels: [fuller=0.9]", "'fuller' is no level"),
        ("levels: [full]", "the scores of the levels rise"),
        ("levels: [full=1.5]", "the scores of the levels rise"),
        ("levels: [full=1e0]", "the scores of the levels rise"),
        ("levels: [full=nan]", "the scores of the levels rise"),
        ("levels: [limited=0.8]", "the scores of the levels rise"),
        ("levels: 0.9", "expected a list of LEVEL=SCORE"),
        ("needs: [dance=full]", "'dance' is no kind of request"),
        ("needs: [chat]", "'' is no level"),
        ("needs: {chat: full}", "expected a list of REQUEST=LEVEL"),
        ("need: []", "did you mean needs?"),
    ],
)
def test_a_mistake_about_access_is_named(lines: str, words: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(Config, f"version: 1\ntrust:\n  {lines}\n".encode(), "c")
    assert words in caught.value.detail
    assert "\n" not in caught.value.detail
