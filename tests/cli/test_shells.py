"""What real shells make of the completion scripts: typed on a terminal, completed by Tab.

zsh and fish are tried where they are installed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from cli.completion import script_of
from tests.cli.served import WAIT_S, serving
from tests.cli.terminal import Terminal, without_codes
from tests.gateway.fake_cell import write_home
from tests.network.devnet import ROOT

_KILL_LINE: Final = "\x15"
PATIENT: Final = f"""
from cli import limits
limits.COMPLETION_TIMEOUT_S = {WAIT_S}
from cli.main import main
main()
"""
"""The command line, which waits for the cell however busy the machine is."""
CASES: Final = (
    ("myceld doc", "myceld doctor "),
    ("myceld tx pu", "myceld tx put "),
    ("myceld tx put --as", "myceld tx put --as-curl "),
    ("myceld why al", "myceld why alpha "),
    ("myceld journal show c", "myceld journal show consensus "),
    ("myceld completion z", "myceld completion zsh "),
    ("myceld verify par", "myceld verify part.proof"),
    ("myceld status --home som", "myceld status --home somewhere/"),
)


@pytest.fixture(name="environment", scope="module")
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A home for shells, with `myceld` on the path and a cell that answers."""
    place = tmp_path_factory.mktemp("shells")
    program = place / "bin" / "myceld"
    program.parent.mkdir()
    python = f"PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)}"
    program.write_text(f'#!/bin/sh\n{python} -c {shlex.quote(PATIENT)} "$@"\n')
    program.chmod(0o755)
    (place / "part.proof").touch()
    (place / "somewhere").mkdir()
    (place / "cell").mkdir()
    with serving() as (_, url):
        write_home(place / "cell", url)
        yield {
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(place),
            "MYCELD_HOME": str(place / "cell"),
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
        }


def _installed(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"there is no {shell}")
    return found


class _Shell(Terminal):
    """An interactive shell."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        super().__init__(command, environment, Path(environment["HOME"]), (40, 160))

    def shows(self, text: str) -> None:
        """Wait until something was written."""
        self.wait(lambda: text in without_codes(self.raw), f"{text!r} was not shown")
        self.raw = ""


def _complete_all(shell: _Shell, cases: Sequence[tuple[str, str]] = CASES) -> None:
    try:
        shell.shows("ready> ")
        for typed, completed in cases:
            shell.types(f"{typed}\t")
            shell.shows(completed)
            shell.types(_KILL_LINE)
    finally:
        shell.close()


def test_bash_completes(environment: dict[str, str]) -> None:
    place = Path(environment["HOME"])
    (place / "bashrc").write_text('PS1="ready> "\neval "$(myceld completion bash)"\n')
    rc = ["--noprofile", "--rcfile", str(place / "bashrc")]
    _complete_all(_Shell([_installed("bash"), *rc, "-i"], environment))


@pytest.mark.parametrize("way", ["a file", "at once"])
def test_zsh_completes(way: str, environment: dict[str, str], tmp_path: Path) -> None:
    environment = environment | {"ZDOTDIR": str(tmp_path)}
    (tmp_path / "_myceld").write_text(script_of("zsh") + "\n")
    begin = "fpath+=($ZDOTDIR)" if way == "a file" else ""
    end = "" if way == "a file" else 'eval "$(myceld completion zsh)"'
    setup = [begin, "autoload -Uz compinit", "compinit -u", end, "PS1='ready> '", ""]
    (tmp_path / ".zshrc").write_text("\n".join(setup))
    # How the function was loaded makes no difference to what it completes.
    cases = CASES if way == "a file" else (CASES[0], CASES[3])
    _complete_all(_Shell([_installed("zsh"), "--no-global-rcs", "-i"], environment), cases)


def test_fish_completes(environment: dict[str, str]) -> None:
    fish = _installed("fish")
    folder = Path(environment["HOME"]) / ".config" / "fish" / "completions"
    folder.mkdir(parents=True)
    (folder / "myceld.fish").write_text(script_of("fish") + "\n")
    script = "".join(f"complete -C {shlex.quote(typed)}; echo END\n" for typed, _ in CASES)
    done = subprocess.run(
        [fish, "-c", script],
        cwd=environment["HOME"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_S,
    )
    found = [part.splitlines() for part in done.stdout.split("END\n")[:-1]]
    words = [[line.partition("\t")[0] for line in lines if line] for lines in found]
    assert words == [[completed.split()[-1]] for _, completed in CASES], done
    assert "Look for what is wrong, and say what to do." in done.stdout
