"""A file takes over what it extends; what is no safe file, or goes in circles, is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settings import BadConfig, Config, inspect, load
from settings.limits import FILES_MAX
from settings.profiles import profile_names

_HEAD = "version: 1\n"


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(_HEAD + text)
    return path


@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional={"name": st.text("ab", min_size=1), "port": st.integers(0, 9)}
        ),
        min_size=1,
        max_size=FILES_MAX,
    )
)
@settings(deadline=None)
def test_the_nearest_file_that_says_something_wins(
    tmp_path_factory: pytest.TempPathFactory, contents: list[dict[str, object]]
) -> None:
    """The first content is the base of all."""
    place = tmp_path_factory.mktemp("chain")
    name, port = "cell", 0
    for number, content in enumerate(contents):
        lines = [f"extends: {number - 1}.yaml"] if number else []
        lines += ["cell:"]
        if "name" in content:
            name = str(content["name"])
            lines.append(f"  name: '{name}'")
        if "port" in content:
            port = int(str(content["port"]))
            lines.append(f"  gateway_port: {port}")
        path = _write(place / f"{number}.yaml", "\n".join(lines))
    cell = load(path, {}, Config).cell
    assert (cell.name, cell.gateway_port) == (name, port)


def test_a_value_says_from_which_file_and_line_it_is(tmp_path: Path) -> None:
    base = _write(tmp_path / "base.yaml", "cell:\n  name: base\n  gateway_port: 1\n")
    path = _write(tmp_path / "config.yaml", "extends: base.yaml\ncell:\n  gateway_port: 2\n")
    found = inspect(path, {"MYCELD_DISCOVERY__DHT": "true"}, Config).found
    assert str(found["cell"]["name"].origin) == f"{base}, line 3"
    assert str(found["cell"]["gateway_port"].origin) == f"{path}, line 4"
    assert str(found["discovery"]["dht"].origin) == "MYCELD_DISCOVERY__DHT"


def test_a_path_is_relative_to_the_file_that_says_it(tmp_path: Path) -> None:
    _write(tmp_path / "base.yaml", "cell:\n  name: base\n")
    _write(tmp_path / "site" / "site.yaml", "extends: ../base.yaml\n")
    path = _write(tmp_path / "cell" / "config.yaml", "extends: ${SITE:-../site/site.yaml}\n")
    assert load(path, {}, Config).cell.name == "base"


@pytest.mark.parametrize("length", [1, 2, FILES_MAX])
def test_a_circle_is_refused(tmp_path: Path, length: int) -> None:
    for number in range(length):
        _write(tmp_path / f"{number}.yaml", f"extends: {(number + 1) % length}.yaml\n")
    with pytest.raises(BadConfig, match="which extends this file"):
        load(tmp_path / "0.yaml", {}, Config)


def test_a_circle_by_a_link_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.yaml", "extends: b.yaml\n")
    (tmp_path / "b.yaml").symlink_to(path)
    with pytest.raises(BadConfig, match="which extends this file"):
        load(path, {}, Config)


def test_a_long_chain_is_refused(tmp_path: Path) -> None:
    for number in range(FILES_MAX + 1):
        _write(tmp_path / f"{number}.yaml", f"extends: {number + 1}.yaml\n")
    with pytest.raises(BadConfig, match=f"more than {FILES_MAX} files"):
        load(tmp_path / "0.yaml", {}, Config)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("extends: nowhere.yaml", "No such file"),
        ("extends: .", "is a directory"),
        ("extends: [a]", "extends: expected the path"),
        ("extends: ''", "extends: expected the path"),
        ("extends: 7", "extends: expected the path"),
        ("extends: ${NOWHERE}", "extends: the variable NOWHERE is not set"),
        ("extends: profile:bulky", "the profiles are default"),
        ("extend: a", "unknown section 'extend', did you mean extends?"),
    ],
)
def test_a_file_that_can_not_be_extended_is_told(tmp_path: Path, line: str, words: str) -> None:
    path = _write(tmp_path / "config.yaml", line)
    with pytest.raises(BadConfig) as refusal:
        load(path, {}, Config)
    assert words in refusal.value.detail
    assert str(tmp_path) in refusal.value.detail


def test_what_is_wrong_in_an_extended_file_is_told_with_its_name(tmp_path: Path) -> None:
    base = _write(tmp_path / "base.yaml", "cell:\n  gateway_port: x\n")
    path = _write(tmp_path / "config.yaml", "extends: base.yaml\n")
    with pytest.raises(BadConfig, match=f"{base}, line 3: cell.gateway_port"):
        load(path, {}, Config)


@pytest.mark.parametrize("name", ["config.yaml", "base.yaml"])
def test_a_file_that_others_can_write_is_refused(tmp_path: Path, name: str) -> None:
    _write(tmp_path / "base.yaml", "")
    path = _write(tmp_path / "config.yaml", "extends: base.yaml\n")
    (tmp_path / name).chmod(0o602)
    with pytest.raises(BadConfig, match=f"{name} can be written by others"):
        load(path, {}, Config)


def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadConfig, match="is no file"):
        load(tmp_path / "pipe", {}, Config)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_is_a_valid_configuration(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path / "config.yaml", f"extends: profile:{name}\n")
    load(path, {}, Config)
