"""A disk in memory below the real SQLite: power cuts, crashes at any operation, rot, no room."""

from sim.disk.files import Kind, VirtualFile, VirtualFiles
from sim.disk.mount import Operation, Watcher
from sim.disk.simulated import NO_LATENCY, Latency, MountedDisk, SimDisk
from sim.disk.vfs import register, seed_sqlite

__all__ = [
    "NO_LATENCY",
    "Kind",
    "Latency",
    "MountedDisk",
    "Operation",
    "SimDisk",
    "VirtualFile",
    "VirtualFiles",
    "Watcher",
    "register",
    "seed_sqlite",
]
