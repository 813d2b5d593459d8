"""scripts/setup: quick when nothing changed, plain about what is missing, never destructive."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = Path(sys.base_prefix, "bin", "python3")
WAIT_S = 600
"""For a run that makes an environment; it takes a few seconds."""
TOOLS = (
    *("cat", "cksum", "date", "dirname", "env", "find", "grep", "head", "id", "ls", "mkdir"),
    *("mktemp", "mv", "rm", "sh", "tail", "tr", "uname"),
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a copy of what scripts/setup reads, with locks and a project that need no network."""
    return copied(tmp_path)


@dataclass(frozen=True)
class Made:
    """A repository with an environment, and what the run said that made it: that takes seconds."""

    root: Path
    run: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return one with an environment that was made over what an interrupted run had left."""
    root = copied(tmp_path_factory.mktemp("made"))
    venv = root / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("/nowhere/python")
    (venv / "pyvenv.cfg").touch()
    (venv / "myceld-stamp").touch()
    return Made(root, run_setup(root, PYTHON=str(BASE)))


def copied(folder: Path) -> Path:
    """Copy the script there, beside what it reads."""
    root = folder / "repository"
    (root / "scripts").mkdir(parents=True)
    (root / "requirements").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", root / "scripts" / "setup")
    for name in ("build", "runtime", "dev"):
        (root / "requirements" / f"{name}.lock").write_text("# a lock of nothing\n")
    (root / "pyproject.toml").write_text(
        '[project]\nname = "myceld"\nversion = "0"\n[build-system]\nrequires = []\n'
        'build-backend = "backend"\nbackend-path = ["."]\n'
    )
    (root / "backend.py").write_text(BACKEND)
    return root


BACKEND = '''
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    """A wheel with a command and nothing else; it takes no build dependency."""
    info = "myceld-0.dist-info/"
    with zipfile.ZipFile(folder + "/myceld-0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: myceld\\nVersion: 0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\n"
                       "Root-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\nmyceld = os:getcwd\\n")
        wheel.writestr(info + "RECORD", "")
    return "myceld-0-py3-none-any.whl"
'''


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a folder with the plain tools and Python, but no compiler and no package manager."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    python = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    # A link would not do: an interpreter looks for its library beside its own path.
    stub(folder / "python3", f'exec "{python}" "$@"')
    return folder


def stub(path: Path, script: str) -> None:
    """Put a program there that runs a few lines of shell."""
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run_setup(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/setup without touching the system."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MYCELD_", "PYTHON", "CC"))}
    return subprocess.run(
        [str(root / "scripts" / "setup"), *arguments],
        env={**kept, "MYCELD_NO_INSTALL": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def os_release(folder: Path, text: str) -> str:
    """Return the path of a file that says which system this is."""
    path = folder / "os-release"
    path.write_text(text)
    return str(path)


def last_line(result: subprocess.CompletedProcess[str]) -> str:
    return result.stderr.rstrip().splitlines()[-1]


def test_it_repairs_what_an_interrupted_run_left_then_has_nothing_to_do(
    made: Made, tmp_path: Path
) -> None:
    repository, venv = made.root, made.root / ".venv"
    assert made.run.returncode == 0, made.run.stderr
    assert "ready in" in made.run.stderr
    assert made.run.stdout == ""
    assert (venv / "bin" / "myceld").exists()

    # Quick: what it asks of the two interpreters are their versions, and nothing else.
    python, log = venv / "bin" / "python", tmp_path / "asked"
    target = python.readlink()
    for path in (python, tmp_path / "python3"):
        stub(path, f'echo "$*" >>"{log}"\nexec "{BASE}" "$@"')
    again = run_setup(repository, PYTHON=str(tmp_path / "python3"))
    assert (again.returncode, again.stderr) == (0, "")
    one, other = log.read_text().splitlines()
    assert one == other
    assert "sys.version_info" in one
    python.unlink()
    python.symlink_to(target)

    # A project file that changed: the project is installed again, the environment stays.
    with (repository / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    changed = run_setup(repository)
    assert changed.returncode == 0, changed.stderr
    assert "installing myceld itself" in changed.stderr
    assert "making" not in changed.stderr


def test_without_a_compiler_it_names_the_command_for_this_system(
    repository: Path, tools: Path, tmp_path: Path
) -> None:
    result = run_setup(
        repository,
        PATH=str(tools),
        MYCELD_OS_RELEASE=os_release(tmp_path, 'ID=ubuntu\nID_LIKE="debian"\n'),
    )
    assert result.returncode == 3
    assert last_line(result).startswith("MYC-SETUP-003: missing: a working C compiler")
    assert "sudo apt-get install -y gcc libc6-dev" in result.stderr
    assert not (repository / ".venv").exists()


def test_on_an_unknown_system_it_names_the_commands_of_all(
    repository: Path, tools: Path, tmp_path: Path
) -> None:
    result = run_setup(
        repository, PATH=str(tools), MYCELD_OS_RELEASE=os_release(tmp_path, "ID=plan9\n")
    )
    assert result.returncode == 3
    for command in ("apt-get", "dnf", "pacman", "apk", "xcode-select"):
        assert command in result.stderr


@pytest.mark.parametrize(("library", "code"), [("gmp.h", "005"), ("Python.h", "004")])
def test_a_missing_header_is_found_by_compiling(
    repository: Path, tools: Path, tmp_path: Path, library: str, code: str
) -> None:
    stub(tools / "cc", f'! grep -q "{library}" "$1"')
    result = run_setup(
        repository,
        PATH=str(tools),
        CC="cc",
        MYCELD_OS_RELEASE=os_release(tmp_path, "ID=fedora\n"),
    )
    assert result.returncode == 3
    assert last_line(result).startswith(f"MYC-SETUP-{code}: missing: {library}")
    assert "sudo dnf install -y" in result.stderr


def test_root_on_debian_gets_what_is_missing_and_no_more(
    repository: Path, tools: Path, tmp_path: Path
) -> None:
    log = tmp_path / "apt.log"
    stub(tools / "id", "echo 0")
    stub(
        tools / "apt-get",
        f'echo "$*" >>"{log}"\n'
        f'[ "$1" = update ] || {{ printf "#!/bin/sh\\n" >"{tools}/gcc"; chmod +x "{tools}/gcc"; }}',
    )
    (tools / "chmod").symlink_to(shutil.which("chmod") or "")
    blocked = tmp_path / "blocked"  # ends the run right after the check of the machine
    blocked.mkdir()
    (blocked / "file").touch()
    result = run_setup(
        repository,
        PATH=str(tools),
        MYCELD_NO_INSTALL="",
        MYCELD_VENV=str(blocked),
        MYCELD_OS_RELEASE=os_release(tmp_path, "ID=debian\n"),
    )
    assert last_line(result).startswith("MYC-SETUP-007"), result.stderr
    update, install = log.read_text().splitlines()
    assert update.startswith("update")
    assert "gcc libc6-dev" in install
    assert "python3" not in install


def test_a_python_that_exists_but_fails_is_passed_over(repository: Path, tools: Path) -> None:
    for name in ("python3.13", "python3.12", "python3.11", "python3"):
        stub(tools / name, 'echo "not installed" >&2\nexit 127')
    result = run_setup(repository, PATH=str(tools))
    assert result.returncode == 3
    assert last_line(result).startswith("MYC-SETUP-001: no Python 3.11, 3.12 or 3.13 found")
    assert "not installed" not in result.stderr


def test_an_unsuitable_choice_of_python_is_refused(repository: Path) -> None:
    result = run_setup(repository, PYTHON="/bin/false")
    assert result.returncode == 3
    assert last_line(result).startswith("MYC-SETUP-001: PYTHON=/bin/false does not run as")


def test_a_folder_that_is_no_environment_is_left_alone(repository: Path, tmp_path: Path) -> None:
    precious = tmp_path / "home" / "letter"
    precious.parent.mkdir()
    precious.write_text("dear")
    compiler = tmp_path / "cc"
    stub(compiler, "exit 0")
    result = run_setup(
        repository, PYTHON=sys.executable, CC=str(compiler), MYCELD_VENV=str(precious.parent)
    )
    assert result.returncode == 3
    assert last_line(result).startswith("MYC-SETUP-007: ")
    assert precious.read_text() == "dear"


def test_other_arguments_are_refused(repository: Path) -> None:
    result = run_setup(repository, "everything")
    assert result.returncode == 2
    assert "usage: scripts/setup [dev]" in result.stderr


def test_developers_get_chromium_where_it_is_a_package_and_are_told_how_elsewhere(
    made: Made, tools: Path, tmp_path: Path
) -> None:
    repository = made.root
    ready = run_setup(repository, "dev", PYTHON=str(BASE))
    assert ready.returncode == 0, ready.stderr
    log = tmp_path / "apt.log"
    stub(tools / "id", "echo 0")
    stub(
        tools / "apt-get",
        f'echo "$*" >>"{log}"\n'
        f'[ "$1" = update ] || {{ printf "#!/bin/sh\\n" >"{tools}/chromium"; }}\n'
        f'[ "$1" = update ] || chmod +x "{tools}/chromium"',
    )
    (tools / "chmod").symlink_to(shutil.which("chmod") or "")
    options = {"PATH": str(tools), "MYCELD_NO_INSTALL": ""}

    options["MYCELD_OS_RELEASE"] = os_release(tmp_path, "ID=ubuntu\nID_LIKE=debian\n")
    told = run_setup(repository, "dev", **options)
    assert told.returncode == 0, told.stderr
    assert "setup: no Chromium" in told.stderr
    assert "sudo apt-get install -y chromium" in told.stderr
    assert run_setup(repository, **options).stderr == ""  # running cells takes no browser
    assert not log.exists()

    options["MYCELD_OS_RELEASE"] = os_release(tmp_path, "ID=debian\n")
    installed = run_setup(repository, "dev", **options)
    assert installed.returncode == 0, installed.stderr
    assert log.read_text().rstrip().endswith(" chromium")
    assert run_setup(repository, "dev", **options).stderr == ""
