"""A changed configuration is taken over as far as that can be, and not at all with a mistake."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from gateway.logs import Logs
from node.home import Home
from node.reloading import Reloading
from settings import BadConfig, CellConfig, Config, dump, load
from settings.keys import all_places


def test_what_can_change_is_taken_over_and_the_rest_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.config.write_text(dump(Config()))
    logs = Logs(Config().logging, tmp_path, lambda _: None)
    reloading = Reloading(home, load(home.config, {}, Config), logs)
    told = asyncio.run(reloading.reload())
    assert (told.applied, told.needs_restart) == ((), ())
    head = "version: 1\ncell:\n  name: bob\n  commands: [up=uptime]\n"
    home.config.write_text(f"{head}logging:\n  level: debug\nstorage:\n  content_mib: 1\n")
    told = asyncio.run(reloading.reload())
    assert told.applied == ("cell.commands", "storage.content_mib", "logging.level")
    assert told.needs_restart == ("cell.name",)
    assert reloading.config.cell == CellConfig(commands=("up=uptime",))
    assert logs.levels()["peers"] == "debug"
    before = reloading.config
    home.config.write_text(f"{head}logging:\n  level: loud\nstorage:\n  content_mib: 2\n")
    with pytest.raises(BadConfig, match=r"line 6: logging\.level"):
        asyncio.run(reloading.reload())
    asyncio.run(reloading.hang_up())
    assert reloading.config is before
    assert logs.levels()["peers"] == "debug"
    structlog.reset_defaults()


def test_every_key_that_says_so_belongs_to_a_part_that_takes_it_over() -> None:
    """`gateway` to the front, `state` to whoever asks what is in force, the others to parts."""
    sections = {place.section for place in all_places(Config) if place.key.reload}
    parts = {"cell", "discovery", "trust", "storage", "logging"}
    assert sections == parts | {"gateway", "state"}
