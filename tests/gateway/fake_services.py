"""Services, an audit journal and proofs of identity as a fake cell has them."""

from __future__ import annotations

from collections.abc import Sequence

from core.ids import cell_id_of
from gateway.errors import NoSuchCell
from gateway.process_views import (
    ConfigView,
    LevelsView,
    LogLineView,
    LogsView,
    ReloadView,
    SettingView,
    SpaceView,
    UseView,
)
from gateway.service_views import (
    ActsQuery,
    ActsView,
    ActView,
    DescriptionView,
    ProvenView,
    RequestNote,
    ServicesView,
    ServiceView,
)
from node.errors import DescriptionRefused
from tests.ledger.world import KEYS


def _described(name: str, metadata: dict[str, str]) -> DescriptionView:
    cell_id, started_ms = cell_id_of(KEYS[1].public_key), 1_700_000_000_000
    words = (cell_id, name, "0.1.0", "sclerotium", started_ms, 0)
    return DescriptionView(*words, ["nucleus", "message"], metadata)


class FakeServices:
    """The part of FakeCell that is about services. Notes of requests are its audit journal."""

    def __init__(self) -> None:
        self.notes: list[RequestNote] = []
        self.health = {"nucleus": ("healthy", ""), "message": ("healthy", "")}

    async def reload_config(self) -> ReloadView:
        return ReloadView(["logging.level"], ["cell.listen"])

    def config_in_force(self) -> ConfigView:
        where = ["/ip4/0.0.0.0/tcp/1"]
        listen = SettingView("cell.listen", where, *(False, "default", None), reload=False)
        masked = SettingView("cell.commands", None, *(True, "/c/config.yaml", 4), reload=True)
        return ConfigView([listen, masked], ["cell.listen"])

    async def space(self) -> SpaceView:
        use = UseView("journal consensus", 7, "signed blocks", can_go=False, how="")
        return SpaceView([use], 7, 1 << 30, None, None, is_estimated=False)

    def log_lines(self, after: int, limit: int) -> LogsView:
        lines = [
            LogLineView(number, "info", "peers", f'{{"event": "line {number}", "level": "info"}}')
            for number in range(after, min(3, after + limit))
        ]
        return LogsView(lines, min(3, after + limit), 0)

    def log_levels(self, wished: Sequence[str]) -> LevelsView:
        return LevelsView({"peers": wished[0]} if wished else {})

    def services(self) -> ServicesView:
        views = [
            ServiceView(name, name, 7, [] if name == "nucleus" else ["nucleus"], status, why, 0)
            for name, (status, why) in self.health.items()
        ]
        return ServicesView(_described("alpha", {"place": "the \x1b[31mcellar"}), views)

    async def describe(self, cell: str) -> DescriptionView:
        if cell == "gamma":
            raise DescriptionRefused("gamma does not let this cell: MYC-NODE-401")
        if cell != "beta":
            raise NoSuchCell(f"no member is called {cell!r}")
        return _described("beta", {"place": "the attic"})

    async def acts(self, query: ActsQuery) -> ActsView:
        acts = [
            ActView(
                index=index,
                time_ms=1_700_000_000_000 + index,
                actor=note.actor,
                key=None,
                action=note.action,
                subject=note.subject,
                outcome=("refused" if note.is_refused else "failed") if note.code else "done",
                code=note.code,
                reason=note.reason,
                count=1,
            )
            for index, note in enumerate(self.notes)
        ]
        before = len(acts) if query.before is None else query.before
        found = [
            act
            for act in reversed(acts[:before])
            if act.time_ms >= query.since_ms and (act.outcome != "done" or not query.refused)
        ][: query.limit]
        return ActsView(found, found[-1].index if found and found[-1].index else None)

    async def verify_identity(self, cell: str) -> ProvenView:
        if cell != "beta":
            raise NoSuchCell(f"no member is called {cell!r}")
        key = KEYS[1].public_key
        return ProvenView(cell_id_of(key), key.hex(), 1_700_000_000_000, 1_700_003_600_000)

    def note_request(self, note: RequestNote) -> None:
        self.notes.append(note)
