"""`myceld config` and `logs`: what is shown, set and refused, and in which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import run

FILE = """\
version: 1
extends: profile:server
cell:
  name: ada  # me
  commands: ["${TOOL_TOKEN:-disk=df}"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a configuration."""
    (tmp_path / "config.yaml").write_text(FILE)
    return tmp_path


def _told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def test_what_is_in_force_is_shown_with_its_origin_and_without_secrets(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "show", "--home", str(home), "--origins"]) == 0
    shown = capsys.readouterr().out
    assert f"  name: ada  # {home}/config.yaml, line 4" in shown
    assert "  format: json  # profile:server, line" in shown
    assert "listen" not in shown
    assert "df" not in shown
    assert run(["config", "show", "--home", str(home), "--effective", "--json"]) == 0
    values = {one["key"]: one for one in json.loads(capsys.readouterr().out)["values"]}
    assert values["cell.commands"]["is_masked"]
    assert values["cell.listen"]["origin"] == "default"


def test_a_key_is_set_and_the_rest_stays(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "set", "--home", str(home), "cell.name", "bob"]) == 0
    assert run(["config", "set", "--home", str(home), "discovery.dht", "true", "--json"]) == 0
    text = (home / "config.yaml").read_text()
    assert text == FILE.replace("ada", "bob") + "discovery:\n  dht: true\n"
    assert (home / "config.yaml").stat().st_mode & 0o777 == 0o600
    assert '"value": true' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cell.nam", "x", "did you mean cell.name?"),
        ("sell.name", "x", "did you mean cell?"),
        ("cell.gateway_port", "99999", "0 to 65535"),
        ("logging.level", "loud", "one of debug, info, warning, error"),
        ("discovery.seeds", "ftp://a/b", "a seed is a path or an https URL"),
    ],
)
def test_what_can_not_be_set_is_told_and_nothing_is_written(
    home: Path, capsys: pytest.CaptureFixture[str], name: str, value: str, words: str
) -> None:
    assert run(["config", "set", "--home", str(home), name, value]) != 0
    assert words in capsys.readouterr().err
    assert (home / "config.yaml").read_text() == FILE


def test_all_mistakes_of_a_file_are_listed_at_once(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "validate", "--home", str(home)]) == 0
    wrong = home / "wrong.yaml"
    wrong.write_text("version: 1\ncell:\n  nam: x\n  gateway_port: ${PORT}\nlogging: {level: x}\n")
    assert run(["config", "validate", str(wrong)]) != 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.partition(": ")[0] for line in lines] == [
        f"{wrong}, line {number}" for number in (3, 4, 5)
    ]
    assert run(["config", "validate", str(wrong), "--json"]) != 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])["problems"][0]
    assert (first["line"], first["key"]) == (3, "cell.nam")


def test_profiles_and_the_schema_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "profiles", "--json"]) == 0
    profiles = _told(capsys)["profiles"]
    assert isinstance(profiles, list)
    assert [one["name"] for one in profiles] == ["default", "server", "lowpower", "test"]
    assert [bool(one["values"]) for one in profiles] == [False, True, True, True]
    assert run(["config", "schema"]) == 0
    assert "properties" in _told(capsys)


def test_logs_are_read_from_their_files_and_sifted(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def line(event: str, level: str, component: str, when: str) -> str:
        content = {"event": event, "level": level, "component": component, "timestamp": when}
        return json.dumps(content) + "\n"

    (home / "logs").mkdir()
    old, new = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
    (home / "logs" / "cell.log.1").write_text(line("first", "info", "peers", old))
    (home / "logs" / "cell.log").write_text(
        line("second", "warning", "peers", new) + line("third\x1b", "error", "cell", new) + "{cut"
    )
    at = ["logs", "--home", str(home)]
    assert run(at) == 0
    assert "first" in (shown := capsys.readouterr().out)
    assert "third\\x1b" in shown
    for words, events in (
        (["--level", "warning"], ["second", "third\x1b"]),
        (["--component", "peers"], ["first", "second"]),
        (["--since", "10m"], ["second", "third\x1b"]),
        (["--level", "error", "--component", "peers"], []),
    ):
        assert run([*at, *words, "--json"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [json.loads(one)["event"] for one in lines] == events
    assert run([*at, "--since", "yesterday"]) != 0


def test_a_hypha_is_configured_by_the_same_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, home = tmp_path / "hypha.yaml", str(tmp_path)
    path.write_text("version: 1\nhypha:\n  gateways:  # of ada\n  - {url: http://127.0.0.1:1}\n")
    assert run(["config", "show", "--home", home, "--origins"]) == 0
    shown = "hypha:\n  gateways: ['http://127.0.0.1:1']  # "
    assert capsys.readouterr().out == f"{shown}{path}, line 3\n"
    assert run(["config", "set", "--home", home, "logging.level", "debug"]) == 0
    assert "from the next start of the hypha on" in capsys.readouterr().out
    assert run(["config", "set", "--home", home, "hypha.gateways", "http://a"]) == 0
    assert run(["config", "set", "--home", home, "hypha.name", ""]) != 0
    assert run(["config", "set", "--home", home, "cell.name", "x"]) != 0
    assert run(["config", "validate", "--home", home]) == 0
    text = path.read_text()
    assert "# of ada" in text
    assert "http://a" in text
    path.write_text(text.replace("gateways:", "gatways:"))
    assert run(["config", "validate", "--home", home]) != 0
    problems = capsys.readouterr().out
    assert "line 3: hypha.gatways: unknown key, did you mean gateways?" in problems
