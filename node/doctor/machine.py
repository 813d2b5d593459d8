"""Checks of what a cell stands on: room and speed of the disk, memory, descriptors, the clock."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from core.findings import Finding, find
from node.doctor.limits import (
    CLOCK_BEHIND_NS,
    DISK_FREE_BYTES_LOW,
    DISK_FREE_BYTES_MIN,
    FILES_MIN,
    FSYNC_MS_SLOW,
    FSYNC_PROBES,
    MEMORY_FREE_BYTES_LOW,
    WAL_SIZE_BYTES_LARGE,
)

_PROBE_BYTES = 4096
_MIB = 1 << 20


def check_room(path: Path) -> Iterator[Finding]:
    """Yield whether the disk of a directory has room."""
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return
    share = f"{usage.free / _MIB:,.0f} MiB of {usage.total / _MIB:,.0f} are free at {path}"
    if usage.free < DISK_FREE_BYTES_MIN:
        yield find("MYC-DOCTOR-050", share)
    elif usage.free < DISK_FREE_BYTES_LOW:
        yield find("MYC-DOCTOR-051", share)


def check_speed(path: Path) -> Iterator[Finding]:
    """Write to the disk, and yield whether that takes long."""
    median_ms = fsync_ms(path)
    if median_ms is not None and median_ms > FSYNC_MS_SLOW:
        yield find("MYC-DOCTOR-052", f"an fsync takes {median_ms:.0f} ms at {path}")


def fsync_ms(path: Path) -> float | None:
    """Return the median time of an fsync of 4 KiB; None where nothing can be written."""
    times_ms = []
    try:
        with tempfile.TemporaryFile(dir=path, buffering=0) as file:
            for _ in range(FSYNC_PROBES):
                began_ns = time.perf_counter_ns()
                file.write(bytes(_PROBE_BYTES))
                os.fsync(file.fileno())
                times_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
    except OSError:
        return None
    return statistics.median(times_ms)


def check_log(database: Path) -> Iterator[Finding]:
    """Yield whether the write-ahead log is large."""
    log = database.with_name(database.name + "-wal")
    try:
        size_bytes = log.stat().st_size
    except OSError:
        return
    if size_bytes > WAL_SIZE_BYTES_LARGE:
        yield find("MYC-DOCTOR-043", f"{log} has {size_bytes / _MIB:,.0f} MiB")


def check_process() -> Iterator[Finding]:
    """Yield whether this process, or one started like it, may have what a cell needs."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES_MIN:
        yield find("MYC-DOCTOR-090", f"{soft} open files are allowed, a cell needs {FILES_MIN}")
    free = psutil.virtual_memory().available
    if free < MEMORY_FREE_BYTES_LOW:
        yield find("MYC-DOCTOR-091", f"{free / _MIB:,.0f} MiB of memory are free")


def check_clock(newest_own_ns: int | None, now_ns: int) -> Iterator[Finding]:
    """Yield whether the clock is behind what the cell signed itself."""
    if newest_own_ns is not None and newest_own_ns - now_ns > CLOCK_BEHIND_NS:
        behind_s = (newest_own_ns - now_ns) / 1e9
        yield find(
            "MYC-DOCTOR-080", f"the newest event of this cell is from {behind_s:,.0f} s later"
        )
