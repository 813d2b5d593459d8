"""A disk that is full or fails, at every write, truncation and fsync: a coded error, nothing lost.

The failing calls are those of a preloaded library that is compiled here; without a C compiler, or
not on Linux, the tests are skipped. JOURNAL_FAULTS=all fails at every call instead of every 13th.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_COMPILER = shutil.which("cc") or shutil.which("gcc")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or _COMPILER is None, reason="needs Linux and a C compiler"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the library that makes calls fail."""
    path = tmp_path_factory.mktemp("faults") / "faulty_disk.so"
    assert _COMPILER is not None
    source = _HERE / "faulty_disk.c"
    subprocess.run([_COMPILER, "-shared", "-fPIC", "-o", path, source, "-ldl"], check=True)
    return path


@pytest.mark.parametrize("sticky", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
def test_a_failing_disk_gives_coded_errors_reads_go_on_and_nothing_acknowledged_is_lost(
    tmp_path: Path, library: Path, error: int, *, sticky: bool
) -> None:
    step = 1 if os.environ.get("JOURNAL_FAULTS") == "all" else 13
    arguments = [str(tmp_path / "store"), str(error), str(int(sticky)), str(step)]
    done = subprocess.run(
        [sys.executable, str(_HERE / "faulty_disk.py"), *arguments],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(_HERE.parents[1])},
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    result = json.loads(done.stdout)
    assert result["calls"] > 100
    # DiskFull, WriteFailed and, while the store is being opened, StoreUnavailable.
    assert set(result["codes"]) <= {"MYC-JOURNAL-012", "MYC-JOURNAL-013", "MYC-JOURNAL-015"}
    assert sum(result["codes"].values()) > 10
