"""Each planted breakage is named with its code, and its remedy works: the cell then is well.

A cell runs once and is copied for each. That it also starts again after each is a long test.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.doctor import examined
from cli.options import Common
from core.findings import Finding
from identity.passphrase import PassphraseSource
from node.doctor import Patient, examine
from node.doctor.fixes import mend
from node.home import Home
from tests.cli.breakages import BREAKAGES, Breakage, Ward, clear_away
from tests.network.devnet import WAIT_S, myceld
from tests.network.starting import start
from tests.ports import held_port

_IS_LONG = os.environ.get("MYCELD_LONG") == "1"
_SOUND_ENOUGH = {"MYC-DOCTOR-091", "MYC-DOCTOR-051", "MYC-DOCTOR-052"}
"""What the machine that the tests run on may have by itself."""


@pytest.fixture(name="sound", scope="module")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell that ran, put something, and stopped."""
    home = tmp_path_factory.mktemp("sound") / "cell"
    listen, gateway = f"/ip4/127.0.0.1/tcp/{held_port()}", str(held_port())
    ports = ("--listen", listen, "--gateway-port", gateway)
    myceld("init", "--home", str(home), "--network", "solo", *ports)
    assert _starts(home, put=True)
    home.chmod(0o700)
    return home


@pytest.fixture(name="ward")
def _ward(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    path = tmp_path / "cell"
    # What a remedy proposes is still free when the remedy was followed.
    monkeypatch.setattr("node.doctor.ports._free_port", lambda _: held_port())
    shutil.copytree(sound, path)
    path.chmod(0o700)
    yield Ward(Home(path), sound)
    path.chmod(0o700)


def _examined(ward: Ward) -> list[Finding]:
    now_ns = time.time_ns() + ward.now_shift_ns
    found = examine(Patient(ward.home, ward.environment), now_ns=now_ns)
    return [one for one in found if one.code not in _SOUND_ENOUGH]


def test_a_sound_cell_has_nothing_wrong(ward: Ward) -> None:
    assert _examined(ward) == []


def test_there_are_more_than_thirty_breakages() -> None:
    assert len(BREAKAGES) >= 40
    assert len({one.code for one in BREAKAGES}) >= 28


@pytest.mark.parametrize("broken", BREAKAGES, ids=lambda one: one.name)
def test_a_breakage_is_named_and_its_remedy_works(broken: Breakage, ward: Ward) -> None:
    if broken.code == "MYC-DOCTOR-012" and os.geteuid() != 0:
        pytest.skip("only the superuser gives files away")
    with broken.plant(ward):
        found = [one for one in _examined(ward) if one.code == broken.code]
        assert len(found) == 1, _examined(ward)
        (finding,) = found
        assert finding.what
        assert finding.remedy
        if broken.mend is not None:
            broken.mend(ward)
        else:
            assert finding.command, "there is a command, or words that somebody follows"
            _type(finding.command)
        clear_away(ward)
        assert _examined(ward) == []
        if _IS_LONG:
            assert _starts(ward.home.path)


@pytest.mark.parametrize(
    "code",
    ["MYC-DOCTOR-003", "MYC-DOCTOR-004", "MYC-DOCTOR-005", "MYC-DOCTOR-010", "MYC-DOCTOR-070"],
)
def test_a_safe_fix_is_said_first_and_done_when_told(code: str, ward: Ward) -> None:
    (broken,) = [one for one in BREAKAGES if one.code == code]
    with broken.plant(ward):
        patient = Patient(ward.home, {})
        findings = examine(patient)
        planned = mend(patient, findings, dry_run=True)
        assert [one.is_done for one in planned] == [False]
        assert [one.code for one in _examined(ward)] == [code]
        assert [one.is_done for one in mend(patient, findings, dry_run=False)] == [True]
        assert _examined(ward) == []


def test_nothing_that_is_not_safe_is_fixed_by_itself(ward: Ward) -> None:
    (broken,) = [one for one in BREAKAGES if one.name == "a damaged key"]
    with broken.plant(ward):
        patient = Patient(ward.home, {})
        before = _files(ward)
        assert mend(patient, examine(patient), dry_run=False) == []
        assert _files(ward) == before


def test_a_cell_that_starts_is_not_taken_for_one_that_hangs(ward: Ward) -> None:
    with ward.home.locked():
        later_s = time.time() + 2 * WAIT_S  # it has only begun, however long this test takes
        os.utime(ward.home.lock, (later_s, later_s))
        assert [(one.code, one.severity) for one in _examined(ward)] == [("MYC-DOCTOR-009", "note")]
        told = examined(Common(ward.home.path, as_json=True, timeout_s=WAIT_S), PassphraseSource())
        assert [one["code"] for one in told["findings"]] == ["MYC-DOCTOR-009"]


def test_two_breakages_are_both_named(ward: Ward) -> None:
    ward.home.key.chmod(0o644)
    ward.home.genesis.unlink()
    assert {"MYC-DOCTOR-010", "MYC-DOCTOR-020"} <= {one.code for one in _examined(ward)}


def _files(ward: Ward) -> dict[str, bytes]:
    """Everything in the directory, but what SQLite keeps beside the store for its readers."""
    paths = [path for path in ward.home.path.iterdir() if not path.name.startswith("cell.db-")]
    return {path.name: path.read_bytes() for path in paths}


def _type(command: str) -> None:
    """Do what a shell does with a command, which is one program and its arguments."""
    program, *arguments = shlex.split(command)
    if program == "myceld":
        myceld(*arguments)
        return
    assert program in {"chmod", "chown", "mkdir", "rm"}, command
    subprocess.run(["sh", "-c", command], check=True)


def _starts(home: Path, *, put: bool = False) -> bool:
    """Run the cell until it is ready, and stop it; return whether both went well."""
    with (home / "run.log").open("wb") as log:
        process = start("run", "--home", str(home), errors=log)
    too_long = threading.Timer(WAIT_S, process.kill)
    too_long.start()
    assert process.stdout is not None
    ready = any(line.strip() == "ready" for line in process.stdout)
    if ready and put:
        myceld("tx", "put", "hello", "world", "--wait", "certified", "--home", str(home))
    process.terminate()
    status = process.wait(WAIT_S)
    too_long.cancel()
    return ready and status == 0
