"""`myceld token` and the calls behind it."""

from __future__ import annotations

from collections import Counter

from click.testing import CliRunner

from cli.token import token
from myceld import Client


def test_no_two_families_of_calls_have_the_same_name() -> None:
    names = Counter(
        name
        for family in Client.__mro__[1:]
        for name in vars(family)
        if not name.startswith("_") and family is not object
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_a_key_is_64_digits_or_the_id_of_a_cell() -> None:
    terms = ["--name", "ada", "--scope", "read", "--home", "/nonexistent"]
    outcome = CliRunner().invoke(token, ["allow-key", "abc", *terms])
    assert outcome.exit_code != 0
    assert CliRunner().invoke(token, ["create", "--name", "x"]).exit_code == 2
    wrong = CliRunner().invoke(token, ["create", *terms, "--scope", "everything"])
    assert "everything" in wrong.output
