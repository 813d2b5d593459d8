"""A variable is put in, or told to be missing; none is left as it is, and none changes the YAML."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settings import BadConfig, Config, inspect, load
from settings.documents import assemble, layer_of
from settings.keys import Wrong
from settings.limits import SUBSTITUTED_LENGTH_MAX, VARIABLES_MAX
from settings.substitution import Substituted, escape, substitute

_NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
_VALUES = st.text(st.characters(blacklist_characters="\0"), max_size=30)


@given(st.text(max_size=40))
def test_what_is_escaped_comes_back_as_it_was(text: str) -> None:
    assert substitute(escape(text), {}) == Substituted(text)


@given(st.text("${}:-ABab \n", max_size=30), st.dictionaries(_NAMES, _VALUES, max_size=3))
def test_any_text_is_substituted_or_refused(text: str, environment: dict[str, str]) -> None:
    made = substitute(text, environment)
    assert isinstance(made, Wrong) or "${" not in text or made.variables or "$$" in text


@given(_NAMES, _VALUES, st.text("abc", max_size=3))
def test_what_a_variable_says_is_put_in_once_and_not_looked_into(
    name: str, value: str, around: str
) -> None:
    made = substitute(f"{around}${{{name}}}{around}", {name: value})
    assert made == Substituted(around + value + around, (name,))


@given(_VALUES.filter(lambda text: len(text) > 0), st.sampled_from(["name", "passphrase_file"]))
@settings(deadline=None)
def test_no_variable_can_add_a_key_or_a_line(value: str, key: str) -> None:
    text = f"version: 1\ncell:\n  {key}: ${{INJECTED}}\n"
    layer = layer_of(Config, text.encode(), "c", {"INJECTED": value})
    reading = assemble(Config, [layer], {})
    assert reading.problems == ()
    assert getattr(reading.document.cell, key) == value
    assert list(reading.found["cell"]) == [key]


@pytest.mark.parametrize(
    ("text", "environment", "made"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A:-b}", {"A": "x"}, "x"),
        ("${A:-b}", {}, "b"),
        ("${A:-b}", {"A": ""}, "b"),
        ("${A}", {"A": ""}, ""),
        ("${A:-}", {}, ""),
        ("${A}/${B}", {"A": "x", "B": "y"}, "x/y"),
        ("${A}", {"A": "${B}", "B": "no"}, "${B}"),
        ("$${A}", {"A": "x"}, "${A}"),
        ("$$$${A}", {}, "$${A}"),
        ("$HOME 5$", {"HOME": "x"}, "$HOME 5$"),
    ],
)
def test_variables_mean_what_they_mean_in_a_shell(
    text: str, environment: dict[str, str], made: str
) -> None:
    found = substitute(text, environment)
    assert isinstance(found, Substituted)
    assert found.text == made


@pytest.mark.parametrize(
    "text", ["${A", "${}", "${A-b}", "${1}", "${ A }", "${A:-${B}}", "${A:b}", "${a b}", "a${"]
)
def test_what_only_looks_like_a_variable_is_refused(text: str) -> None:
    made = substitute(text, {"A": "x", "B": "y"})
    assert isinstance(made, Wrong)
    assert "a variable is written" in made.message


def test_a_value_has_bounds() -> None:
    assert isinstance(substitute("${A}", {"A": "x" * (SUBSTITUTED_LENGTH_MAX + 1)}), Wrong)
    assert isinstance(substitute("${A}" * (VARIABLES_MAX + 1), {"A": "x"}), Wrong)


def test_a_missing_variable_is_told_with_file_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("version: 1\n\ncell:\n  listen:\n    - /a\n    - ${PLACE}\n  name: ${NAME}\n")
    with pytest.raises(BadConfig) as refusal:
        load(path, {}, Config)
    first, second = refusal.value.problems
    assert (
        str(first) == f"{path}, line 6: cell.listen: the variable PLACE is not set, and has no"
        " default"
    )
    assert str(second).startswith(f"{path}, line 7: cell.name: the variable NAME is not set")


@pytest.mark.parametrize(
    ("line", "value", "found"),
    [
        ("gateway_port: ${X}", "8710", 8710),
        ("gateway_port: 8${X}", "0", 80),
        ("listen: ${X}", "/a, /b", ("/a", "/b")),
        ("listen: ['${X}']", "/a, /b", ("/a, /b",)),
        ("name: ${X}", "7", "7"),
    ],
)
def test_a_value_with_variables_is_read_in_the_type_of_its_key(
    tmp_path: Path, line: str, value: str, found: object
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"version: 1\ncell:\n  {line}\n")
    reading = inspect(path, {"X": value}, Config)
    key = line.partition(":")[0]
    assert getattr(reading.must().cell, key) == found
    assert reading.found["cell"][key].variables == ("X",)


def test_no_message_shows_what_a_variable_says(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("version: 1\ncell:\n  gateway_port: ${X}\n")
    with pytest.raises(BadConfig) as refusal:
        load(path, {"X": "a secret"}, Config)
    assert "expected a number" in refusal.value.detail
    assert "secret" not in refusal.value.detail
    with pytest.raises(BadConfig) as refusal:
        load(path, {"X": "1", "MYCELD_CELL__GATEWAY_PORT": "a secret"}, Config)
    assert "secret" not in refusal.value.detail
