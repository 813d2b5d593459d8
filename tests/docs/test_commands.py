"""What our documents tell people to type exists, and the way in really works."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.main import root
from myceld import Client
from tests.docs.pages import Block, blocks, calls, mentions, pages
from tests.network.devnet import WAIT_S, wait_until

CALLS = [
    (f"{page.name}: {' '.join(call)}", call)
    for page in pages()
    for block in blocks(page)
    for call in calls(block)
]


def test_documents_have_commands() -> None:
    assert len(CALLS) > 60


@pytest.mark.parametrize("call", [call for _, call in CALLS], ids=[name for name, _ in CALLS])
def test_a_command_that_is_written_exists_with_these_options_and_arguments(call: list[str]) -> None:
    _parse(root, list(call), None)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_commands_within_the_text_exist_with_these_options_and_arguments(page: Path) -> None:
    for mention in mentions(page):
        for call in calls(mention):
            _parse(root, list(call), None)


def _parse(command: click.Command, arguments: list[str], parent: click.Context | None) -> None:
    """Parse as the command line does; values that stand for others may be none."""
    try:
        context = command.make_context(command.name, arguments, parent=parent)
    except click.exceptions.Exit:
        return  # --help, --version
    except (click.MissingParameter, click.NoSuchOption):
        raise
    except click.BadParameter:
        return  # ADDRESS, N and the like
    if isinstance(command, click.Group) and context.args:
        name, found, rest = command.resolve_command(context, context._protected_args + context.args)
        assert found is not None, name
        _parse(found, rest, context)


class Reader:
    """Somebody who types what a page says, in a home of his own."""

    def __init__(self, home: Path) -> None:
        programs = Path(sys.executable).parent
        self.environment = os.environ | {
            "HOME": str(home),
            "PATH": f"{programs}:{os.environ['PATH']}",
        }
        self.environment.pop("MYCELD_HOME", None)
        self._home = home
        self._running: dict[Path, subprocess.Popen[bytes]] = {}
        self._variables = home / ".variables"
        self._variables.touch()

    def type_in(self, block: Block) -> None:
        """Run a block of the page; what is to run in a terminal of its own goes on running."""
        text = block.text.strip()
        if text.startswith("myceld run"):
            self._start(text)
            return
        # What is exported here is there in the next block, as in a terminal.
        script = f'. "$VARIABLES"\n{text}\nexport -p > "$VARIABLES"\n'
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env=self.environment | {"VARIABLES": str(self._variables)},
            cwd=self._home,
            capture_output=True,
            text=True,
            timeout=4 * WAIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"

    def _start(self, text: str) -> None:
        """Run a cell, and let it fetch what the others have, as it does while somebody reads on."""
        home = Path(shlex.split(text)[-1].replace("~", str(self._home), 1))
        path = self._home / f"run-{len(self._running)}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {text}"],
                env=self.environment,
                cwd=self._home,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running[home] = process

        def is_ready() -> bool:
            assert process.poll() is None, path.read_text()
            return "\nready\n" in path.read_text()

        wait_until(is_ready, "the cell never was ready")
        wait_until(self._are_equal, "the cell never had what the others have")

    def _are_equal(self) -> bool:
        heads = set()
        for home in self._running:
            with Client.from_home(home, timeout_s=WAIT_S) as cell:
                status = cell.status()
                heads.add((status["round_certified"], status["state_root"]))
        return len(heads) == 1

    def leave(self) -> None:
        """Stop what still runs, also when a step failed before the one that does."""
        if (self._home / "try" / "net").exists():
            self.type_in(Block("", "", "myceld devnet down --dir ~/try/net"))
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait(timeout=WAIT_S)


@pytest.mark.slow
def test_whoever_types_what_getting_started_says_gets_there(tmp_path: Path) -> None:
    (page,) = [page for page in pages() if page.name == "getting-started.md"]
    reader = Reader(tmp_path)
    try:
        for block in blocks(page):
            if block.info != "install":  # that, the tests of scripts/setup do
                reader.type_in(block)
    finally:
        reader.leave()


def test_the_documents_are_built_as_a_site_that_asks_nobody_outside(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("mkdocs"), "build", "--quiet", "--site-dir", tmp_path],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in pages():
        if page.name != "README.md":
            text = (tmp_path / page.with_suffix(".html").name).read_text(encoding="utf-8")
            assert 'src="http' not in text
            assert 'rel="stylesheet" href="http' not in text
