"""requirements/*.lock and docs/dependencies.md agree with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS: dict[str, list[str]] = {
    "runtime": PROJECT["project"]["dependencies"],
    "build": PROJECT["dependency-groups"]["build"] + PROJECT["build-system"]["requires"],
    "dev": PROJECT["dependency-groups"]["dev"],
}


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")


def locked(name: str) -> dict[str, str]:
    """Return the version of each package in a lock."""
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", lock_text(name), re.MULTILINE))


@pytest.mark.parametrize("name", GROUPS)
def test_what_the_project_asks_for_is_locked(name: str) -> None:
    versions = locked(name)
    for requirement in map(Requirement, GROUPS[name]):
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier, requirement


@pytest.mark.parametrize("name", GROUPS)
def test_every_locked_package_has_hashes_and_no_index_is_named(name: str) -> None:
    text = lock_text(name)
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    # Twice only with a marker each: one version for older Pythons, one for newer ones.
    assert {entry.partition("==")[0] for entry in entries} == set(locked(name)) != set()
    for entry in entries:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert "://" not in text


def test_a_package_in_two_locks_has_one_version() -> None:
    runtime, dev, build = locked("runtime"), locked("dev"), locked("build")
    for one, other in ((runtime, dev), (runtime, build), (dev, build)):
        shared = one.keys() & other.keys()
        assert {name: one[name] for name in shared} == {name: other[name] for name in shared}


@pytest.mark.parametrize("name", GROUPS)
def test_every_direct_dependency_says_why_it_is_here(name: str) -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for requirement in map(Requirement, GROUPS[name]):
        assert re.search(
            rf"^\| {re.escape(requirement.name)} \| .{{10,}} \|$", text, re.MULTILINE
        ), requirement.name
