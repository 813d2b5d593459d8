"""The view of trust in general, and beside it those of the scopes that are used.

A scope's view is made when a row of the policy names it, or somebody asks for it, and kept up like
the general one; of those that were only asked for, the one used longest ago gives way. What was
said in general counts in each scope, where nothing is said in that.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

from core.ids import PublicKey, Round
from identity.trust import GENERAL_SCOPE, InteractionProof, Policy, TrustGraph
from journal import Store
from ledger.machine import Applied
from node.limits import INTERACTIONS_READ_MAX, TRUST_SCOPES_VIEWED_MAX
from node.lines import Lines
from node.trust_view import TrustView


class TrustScopes(TrustView):
    """The general view, which knows the others. `run` is the task of all of them."""

    def __init__(
        self,
        store: Store,
        own: PublicKey,
        applied_round: Callable[[], Round],
        policy: Policy | None = None,
        *,
        lines: Lines,
    ) -> None:
        super().__init__(store, own, applied_round, policy, lines=lines)
        self._make: Callable[[str], TrustView] = lambda scope: TrustView(
            store, own, applied_round, self.policy, scope=scope, lines=lines
        )
        self._views: OrderedDict[str, TrustView] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._met: deque[InteractionProof] = deque(maxlen=INTERACTIONS_READ_MAX)
        for scope in sorted(set(self.policy.scopes.values())):
            self.view(scope)

    def view(self, scope: str) -> TrustView:
        """Return the view of a scope, which may have to be read first."""
        if scope == GENERAL_SCOPE:
            return self
        found = self._views.get(scope)
        if found is None:
            self._give_way()
            found = self._views[scope] = self._make(scope)
            for proof in self._met:
                found.interacted(proof)
            self._start(scope, found)
        self._views.move_to_end(scope)
        return found

    def take_policy(self, policy: Policy) -> None:
        """Judge by another policy from now on."""
        self.policy = policy
        for view in self._views.values():
            view.policy = policy
        for scope in sorted(set(policy.scopes.values())):
            self.view(scope)

    def scopes(self) -> list[str]:
        """Return the scopes of which there is a view, beside the general one."""
        return sorted(self._views)

    def score_in(self, scope: str, key: PublicKey) -> float:
        """Return the score of a cell in a scope, as far as that is read and computed."""
        return self.view(scope).score(key)

    async def settled_in(self, scope: str) -> TrustGraph:
        """Return a scope's graph as `settled` does the general one."""
        return await self.view(scope).settled()

    def applied(self, applied: Applied) -> None:
        """See `TrustView.applied`: for all views."""
        super().applied(applied)
        for view in self._views.values():
            view.applied(applied)

    def interacted(self, proof: InteractionProof) -> None:
        """See `TrustView.interacted`: for all views."""
        self._met.append(proof)
        super().interacted(proof)
        for view in self._views.values():
            view.interacted(proof)

    async def run(self) -> None:
        """Keep all views up, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for scope, view in self._views.items():
                    self._start(scope, view)
                await super().run()
        finally:
            self._group = None
            self._tasks.clear()

    def _start(self, scope: str, view: TrustView) -> None:
        if self._group is not None:
            self._tasks[scope] = self._group.create_task(view.run(), name=f"trust-{scope}")

    def _give_way(self) -> None:
        """Make room for another view: those that the policy names stay."""
        named = set(self.policy.scopes.values())
        while len(self._views) >= TRUST_SCOPES_VIEWED_MAX:
            oldest = next(scope for scope in self._views if scope not in named)
            del self._views[oldest]
            task = self._tasks.pop(oldest, None)
            if task is not None:
                task.cancel()
