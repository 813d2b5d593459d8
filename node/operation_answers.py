"""What a running cell answers about its configuration and its log."""

from __future__ import annotations

from dataclasses import replace

from gateway.operation_views import LevelsView, LogLineView, LogsView, ReloadView
from node.errors import BadLevel, NotReloadable
from node.journal_answers import JournalAnswers
from node.reloading import Reloading
from settings.checks import wrong_log_levels
from settings.components import LEVELS


class OperationAnswers(JournalAnswers):
    """The part of `gateway.cell.Cell` that is about how the process runs."""

    reloading: Reloading | None = None
    """Of a daemon; what a simulation runs has none."""

    def reload_config(self) -> ReloadView:
        """See `gateway.operation_views.OperationCell.reload_config`."""
        told = self._reloading().reload()
        return ReloadView(list(told.applied), list(told.needs_restart))

    def log_lines(self, after: int, limit: int) -> LogsView:
        """See `gateway.operation_views.OperationCell.log_lines`."""
        logs = self._reloading().logs
        if logs is None:
            return LogsView([], 0, 0)
        lines, count = logs.after(after, limit)
        following = lines[-1].number + 1 if lines else count
        shown = [LogLineView(one.number, one.level, one.component, one.text) for one in lines]
        return LogsView(shown, following, logs.dropped)

    def log_levels(self, wished: dict[str, str]) -> LevelsView:
        """See `gateway.operation_views.OperationCell.log_levels`."""
        logs = self._reloading().logs
        if logs is None:
            raise NotReloadable("this process has no log of its own")
        usual = wished.get("", logs.config.level)
        single = {name: level for name, level in wished.items() if name}
        texts = tuple(f"{name}={level}" for name, level in single.items())
        wrong = wrong_log_levels(texts)
        if usual not in LEVELS:
            wrong = f"the level is one of {', '.join(LEVELS)}"
        if wrong is not None:
            raise BadLevel(wrong)
        levels = logs.config.levels_by_component() | single
        if "" in wished:
            levels = single  # for all: what was said of single ones before ends
        merged = tuple(f"{name}={level}" for name, level in levels.items())
        logs.configure(replace(logs.config, level=usual, levels=merged))
        return LevelsView(logs.levels())

    def _reloading(self) -> Reloading:
        if self.reloading is None:
            raise NotReloadable("this process reads no configuration")
        return self.reloading
