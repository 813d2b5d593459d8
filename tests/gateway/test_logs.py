"""Logging waits for nothing: what finds no room is dropped and counted. Files are put aside."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from gateway.limits import LOG_LINE_LENGTH_MAX, LOG_RECENT_MAX, LOG_WAITING_MAX
from gateway.log_files import Keeping, LineWriter, RotatingFile, aside_files, put_aside
from gateway.logs import Logs
from settings import LoggingConfig
from settings.components import COMPONENTS
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    """Logs to a file and to memory."""
    config = LoggingConfig(file="logs/cell.log", level="warning")
    yield Logs(config, tmp_path, lambda _: None)
    structlog.reset_defaults()


def _written(logs: Logs, path: Path) -> list[dict[str, object]]:
    assert logs._file is not None
    logs._file.flush(PATIENCE_S)
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_sink_that_never_takes_a_line_holds_nobody_up() -> None:
    stuck = threading.Event()

    def write(_: bytes) -> None:
        stuck.wait(PATIENCE_S)

    writer = LineWriter(write, "stuck")
    for _ in range(3 * LOG_WAITING_MAX):
        writer.put(b"line\n")
    assert writer.dropped >= LOG_WAITING_MAX  # all were put while it was stuck
    stuck.set()
    writer.close(PATIENCE_S)


def test_lines_of_a_full_disk_are_counted_and_the_next_ones_are_tried_again() -> None:
    taken: list[bytes] = []

    def write(data: bytes) -> None:
        if not taken:
            taken.append(b"")
            raise OSError(28, "No space left on device")
        taken.append(data)

    writer = LineWriter(write, "full")
    writer.put(b"lost\n")
    writer.flush(PATIENCE_S)
    writer.put(b"kept\n")
    writer.flush(PATIENCE_S)
    assert (writer.dropped, taken) == (1, [b"", b"kept\n"])
    writer.close(PATIENCE_S)


def test_a_full_file_is_put_aside_and_old_ones_go(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "cell.log"
    file = RotatingFile(path, Keeping(10, 2, 30))
    for number in range(5):
        file.write(f"line {number} is long\n".encode())
    file.close()
    assert path.read_text() == "line 4 is long\n"
    assert [(number, one.read_text()) for number, one in aside_files(path)] == [
        (1, "line 3 is long\n"),
        (2, "line 2 is long\n"),
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    day_s = 86_400
    os.utime(tmp_path / "logs" / "cell.log.1", (0, 31 * day_s))
    put_aside(path, Keeping(10, 9, 30), 62 * day_s)
    assert [number for number, _ in aside_files(path)] == [1, 3]


def test_levels_are_changed_at_run_time_for_one_part_and_for_all(
    logs: Logs, tmp_path: Path
) -> None:
    one, other = structlog.get_logger("consensus"), structlog.get_logger("peers")
    one.info("not yet")
    logs.configure(replace(logs.config, levels=("consensus=debug", "peers=error")))
    one.debug("seen", number=1)
    other.warning("not seen")
    logs.configure(replace(logs.config, level="error", levels=()))
    one.warning("not seen")
    one.error("seen too")
    lines = _written(logs, tmp_path / "logs" / "cell.log")
    assert [(one["component"], one["level"], one["event"]) for one in lines] == [
        ("consensus", "debug", "seen"),
        ("consensus", "error", "seen too"),
    ]
    assert logs.levels()["consensus"] == "error"


def test_the_newest_lines_stay_in_memory_and_are_bounded(logs: Logs) -> None:
    log = structlog.get_logger("cell")
    for number in range(LOG_RECENT_MAX + 10):
        log.warning("line", number=number)
    log.warning("x" * 2 * LOG_LINE_LENGTH_MAX)
    lines, count = logs.after(0, 5)
    assert count == LOG_RECENT_MAX + 11
    assert [line.number for line in lines] == list(range(11, 16))
    last, _ = logs.after(count - 1, 5)
    assert len(last[0].text) == LOG_LINE_LENGTH_MAX
    assert logs.after(count, 5) == ([], count)


def test_every_part_that_logs_can_be_named() -> None:
    used = {
        text.split('get_logger("', 1)[1].split('"', 1)[0]
        for package in ("node", "gateway", "hypha", "gossip", "journal")
        for path in (ROOT / package).rglob("*.py")
        for text in path.read_text(encoding="utf-8").splitlines()
        if 'get_logger("' in text
    }
    assert used <= set(COMPONENTS)
