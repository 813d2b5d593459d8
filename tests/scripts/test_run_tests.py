"""Parts of the tests at a time: nothing that one of them says or ends with is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.network.devnet import wait_until

ROOT = Path(__file__).resolve().parents[2]
LEFT_S = 3600
"""How long a part goes on unless it is ended, or something that it left behind."""
WAIT_S = 300
"""For what does not wait for that."""


def _run(shown: str, beside: str) -> subprocess.Popen[str]:
    code = (
        f"import signal, sys; sys.path.insert(0, {str(ROOT / 'scripts')!r}); import run_tests\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what runs behind it\n"
        "shown, beside = ((sys.executable, '-c', code) for code in sys.argv[1:])\n"
        "sys.exit(run_tests.run_at_a_time(shown, {'beside': beside}))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, shown, beside], stdout=subprocess.PIPE, text=True
    )


def _ends(status: int, line: str) -> str:
    return f"print('much'); print({line!r}); raise SystemExit({status})"


@pytest.mark.parametrize(("shown", "beside", "status"), [(0, 0, 0), (1, 0, 1), (0, 2, 2)])
def test_it_fails_when_either_part_does_and_both_closing_lines_come_last(
    shown: int, beside: int, status: int
) -> None:
    process = _run(_ends(shown, "3 passed"), _ends(beside, "4 passed"))
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == status
    assert output.count("much") == 2
    assert output.splitlines()[-2:] == ["3 passed", "4 passed"]


def test_a_part_killed_by_a_signal_is_a_failure() -> None:
    process = _run(_ends(0, ""), "import os; os.kill(os.getpid(), 9)")
    process.communicate(timeout=WAIT_S)
    assert process.returncode > 0


def test_a_process_left_behind_is_not_waited_for() -> None:
    left = f"import subprocess as s; print(s.Popen(['sleep', '{LEFT_S}']).pid); print('5 passed')"
    process = _run(left, _ends(0, "4 passed"))
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    try:
        pid = int(next(lines))
        assert process.wait(WAIT_S) == 0
    finally:
        os.kill(pid, signal.SIGKILL)
    assert list(lines)[-2:] == ["5 passed\n", "4 passed\n"]
    process.stdout.close()


def test_a_request_to_end_lets_both_parts_clean_up(tmp_path: Path) -> None:
    def part(name: str) -> str:
        return (
            "import pathlib, time\n"
            f"at = pathlib.Path({str(tmp_path)!r})\n"
            "try:\n"
            f"    (at / 'began-{name}').touch()\n"
            "    print('began', flush=True)\n"
            f"    time.sleep({LEFT_S})\n"
            f"finally: (at / 'cleaned-{name}').touch()"
        )

    process = _run(part("a"), part("b"))
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"  # it is shown once both were started
    wait_until((tmp_path / "began-b").exists, "the other did not begin", WAIT_S)
    process.terminate()
    process.communicate(timeout=WAIT_S)
    assert process.returncode > 0
    assert len(list(tmp_path.glob("cleaned-*"))) == 2


def test_every_folder_that_waits_exists() -> None:
    text = (ROOT / "scripts" / "run_tests.py").read_text(encoding="utf-8")
    folders = re.findall(r'"(tests/[\w/]+)"', text.partition("SIMULATING")[0])
    assert len(folders) > 3
    assert all((ROOT / folder).is_dir() for folder in folders)
