"""What a running cell answers about its configuration and its log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.process_views import LevelsView, LogLineView, LogsView, ReloadView
from node.errors import BadLevel, NotReloadable
from node.journal_answers import JournalAnswers
from node.reloading import Reloading
from settings.checks import levels_of, wrong_log_levels
from settings.components import LEVELS
from settings.errors import shown


class ProcessAnswers(JournalAnswers):
    """The part of `gateway.cell.Cell` that is about how the process runs."""

    reloading: Reloading | None = None
    """Of a daemon; what a simulation runs has none."""

    async def reload_config(self) -> ReloadView:
        """See `gateway.process_views.ProcessCell.reload_config`."""
        told = await self._reloading().reload()
        return ReloadView(list(told.applied), list(told.needs_restart))

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
