"""What holds for every test: examples are judged by what they show, not by how long they took."""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Look no more for garbage in what was imported: it is most of what there is, and stays."""
    gc.collect()
    gc.freeze()
