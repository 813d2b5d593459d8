"""What a running cell answers about its configuration and its log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from gateway.process_views import (
    ConfigView,
    LevelsView,
    LogLineView,
    LogsView,
    ReloadView,
    SettingView,
    SpaceView,
)
from node.doctor.space import space_of
from node.errors import BadLevel, NotReloadable
from node.home import Home
from node.journal_answers import JournalAnswers
from node.reloading import Reloading
from settings.checks import levels_of, wrong_log_levels
from settings.components import LEVELS
from settings.errors import shown
from settings.showing import Shown


class ProcessAnswers(JournalAnswers):
    """The part of `gateway.cell.Cell` that is about how the process runs."""

    reloading: Reloading | None = None
    """Of a daemon; what a simulation runs has none."""

    @cached_property
    def _measuring(self) -> asyncio.Lock:
        """Held by who looks at the whole store: one at a time does."""
        return asyncio.Lock()

    async def reload_config(self) -> ReloadView:
        """See `gateway.process_views.ProcessCell.reload_config`."""
        told = await self._reloading().reload()
        return ReloadView(list(told.applied), list(told.needs_restart))

    def config_in_force(self) -> ConfigView:
        """See `gateway.process_views.ProcessCell.config_in_force`."""
        rows, waiting = self._reloading().shown()
        return ConfigView([_setting_view(row) for row in rows], list(waiting))

    async def space(self) -> SpaceView:
        """See `gateway.process_views.ProcessCell.space`."""
        async with self._measuring:
            return await asyncio.to_thread(space_of, Home(self._parts.directory))

    def log_lines(self, after: int, limit: int) -> LogsView:
        """See `gateway.process_views.ProcessCell.log_lines`."""
        logs = self._reloading().logs
        if logs is None:
            return LogsView([], 0, 0)
        lines, count = logs.after(after, limit)
        following = lines[-1].number + 1 if lines else count
        shown = [LogLineView(one.number, one.level, one.component, one.text) for one in lines]
        return LogsView(shown, following, logs.dropped)

    def log_levels(self, wished: Sequence[str]) -> LevelsView:
        """See `gateway.process_views.ProcessCell.log_levels`."""
        logs = self._reloading().logs
        if logs is None:
            raise NotReloadable("this process has no log of its own")
        if not wished:
            return LevelsView(logs.levels())
        single = [text for text in wished if "=" in text]
        level, levels = logs.config.level, logs.config.levels_by_component()
        for usual in (text for text in wished if "=" not in text):
            if usual not in LEVELS:
                raise BadLevel(f"{shown(usual)}: the level is one of {', '.join(LEVELS)}")
            level, levels = usual, {}  # for all: what was said of single ones before ends
        wrong = wrong_log_levels(tuple(single))
        if wrong is not None:
            raise BadLevel(wrong)
        merged = tuple(f"{name}={one}" for name, one in (levels | levels_of(single)).items())
        logs.configure(replace(logs.config, level=level, levels=merged))
        return LevelsView(logs.levels())

    def _reloading(self) -> Reloading:
        if self.reloading is None:
            raise NotReloadable("this process reads no configuration")
        return self.reloading


def _setting_view(row: Shown) -> SettingView:
    value = list(row.value) if isinstance(row.value, tuple) else row.value
    return SettingView(
        key=str(row.place),
        value=None if row.is_masked else value,
        is_masked=row.is_masked,
        origin=row.origin.place,
        line=row.origin.line,
        reload=row.place.key.reload,
    )
