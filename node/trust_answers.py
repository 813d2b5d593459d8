"""What a running cell answers about trust: how it sees others and why, and what it says of them.

Cells are told by the ids that they have now, and known by the first keys of their lines.
"""

from __future__ import annotations

import heapq
from itertools import islice

from core.ids import CellId, PublicKey, Round, cell_id_of, public_key_of
from gateway.trust_views import (
    AttestationView,
    AttestWish,
    InteractionsQuery,
    InteractionsView,
    InteractionView,
    ScoreView,
    TrustEdgeView,
    TrustGraphView,
    TrustPathView,
    TrustWhyView,
)
from identity.trust import Interaction, Path, TrustGraph, why
from identity.trust.limits import INTERACTIONS_OF_PAGE_MAX
from identity.trust.shown import Asked
from ledger.limits import SCORE_MILLIONTHS_MAX
from ledger.network_score import decode_score, score_key
from ledger.trust import TrustAttest, TrustRevoke, attestation_of_key, decode_attestation
from node.limits import (
    INTERACTIONS_LISTED_MAX,
    TRUST_CELLS_SHOWN_MAX,
    TRUST_EDGES_SHOWN_MAX,
    TRUST_SCOPES_SHOWN_MAX,
)
from node.parts import Parts
from node.tables import attestations_of, state_value


def arguments_of(wish: AttestWish, cell_id: CellId) -> TrustAttest | TrustRevoke:
    """Return the arguments of the transaction that a client asks for."""
    subject = public_key_of(cell_id)
    if wish.score_millionths is None:
        return TrustRevoke(subject, wish.scope)
    return TrustAttest(subject, wish.scope, wish.score_millionths, Round(wish.expires_round))


def why_view(parts: Parts, graph: TrustGraph, cell_id: CellId, paths_max: int) -> TrustWhyView:
    """Return a cell's score with what makes it."""
    subject = parts.lines.first_key(public_key_of(cell_id))
    names = _names(parts)
    found = why(graph, subject, paths_max)
    return TrustWhyView(
        cell=_cell_view(parts, graph, subject, names),
        own_word=found.own_word,
        own_interactions=found.own_interactions,
        by_others=found.by_others,
        attestations=_own_attestations(parts, graph.own, subject),
        paths=[_path_view(parts, path, names) for path in found.paths],
    )


def graph_view(parts: Parts, graph: TrustGraph, limit: int, start: int) -> TrustGraphView:
    """Return cells by their scores, the own one first, and what they say of each other."""
    count, before = min(limit, TRUST_CELLS_SHOWN_MAX), min(start, len(graph))
    best = heapq.nsmallest(before + count, ((-score, key) for key, score in graph.scores()))
    shown = [graph.own, *(key for _, key in best)][before : before + count]
    names, within, weight = _names(parts), frozenset(shown), graph.weight
    edges = (
        TrustEdgeView(_present(parts, issuer), _present(parts, subject), weight(issuer, subject))
        for issuer in shown
        for subject in graph.subjects(issuer)
        if subject in within
    )
    cells = [_cell_view(parts, graph, key, names) for key in shown]
    return TrustGraphView(cells, list(islice(edges, TRUST_EDGES_SHOWN_MAX)), len(graph))


async def interactions_view(
    parts: Parts, query: InteractionsQuery, other: CellId | None, of: CellId | None
) -> InteractionsView:
    """Return a page of interactions with a cell, of this cell or of one that is asked."""
    if of is not None and other is not None:
        found = await parts.shown.ask(of, Asked(public_key_of(other), query.before))
        size = INTERACTIONS_OF_PAGE_MAX
        items = [_shown_view(one.proof.interaction, one.index, of, one.file) for one in found]
    else:
        key = None if other is None else public_key_of(other)
        size = min(query.limit, INTERACTIONS_LISTED_MAX)
        indexes = parts.interactions.kept(key, query.before, size)
        items = [
            _shown_view(met.interaction, index, parts.cell_id, None)
            for index, met in await parts.interactions.read(indexes)
        ]
    return InteractionsView(items, items[-1].index if len(items) == size else None)


def _shown_view(found: Interaction, index: int, by: CellId, proof: str | None) -> InteractionView:
    return InteractionView(
        index=index,
        cells=[cell_id_of(found.one), cell_id_of(found.other)],
        time_ns=found.time_ns,
        digest=found.digest.hex(),
        shown_by=by,
        proof=proof,
    )


def _cell_view(
    parts: Parts, graph: TrustGraph, key: PublicKey, names: dict[PublicKey, str]
) -> ScoreView:
    cell_id = _present(parts, key)
    present = public_key_of(cell_id)
    score, agreed = graph.score(key), state_value(parts.store, score_key(present))
    known = agreed is not None or key in names
    return ScoreView(
        cell_id=cell_id,
        public_key=present.hex(),
        name=names.get(key, ""),
        score=score,
        level=parts.trust.policy.level(score).word,
        network_score=decode_score(agreed) / SCORE_MILLIONTHS_MAX if known else None,
        is_self=key == graph.own,
    )


def _own_attestations(parts: Parts, own: PublicKey, subject: PublicKey) -> list[AttestationView]:
    views = []
    now = parts.execution.ledger.applied_round
    rows = attestations_of(parts.store, own, subject=subject, limit=TRUST_SCOPES_SHOWN_MAX)
    for key, value in rows:
        (_, _, scope), found = attestation_of_key(key), decode_attestation(value)
        if found.counts(now):
            views.append(
                AttestationView(
                    issuer=_present(parts, own),
                    subject=_present(parts, subject),
                    scope=scope,
                    score=found.score_millionths / SCORE_MILLIONTHS_MAX,
                    round=found.round,
                    time_ns=found.time_ns,
                    expires_round=found.expires_round,
                )
            )
    return views


def _path_view(parts: Parts, path: Path, names: dict[PublicKey, str]) -> TrustPathView:
    return TrustPathView(
        cells=[_present(parts, key) for key in path.cells],
        names=[names.get(key, "") for key in path.cells],
        weights=list(path.weights),
        strength=path.strength,
    )


def _names(parts: Parts) -> dict[PublicKey, str]:
    """Return the names of the members by their first keys."""
    members, first_key = parts.execution.ledger.roster.members, parts.lines.first_key
    return {first_key(member.public_key): member.name for member in members}


def _present(parts: Parts, key: PublicKey) -> CellId:
    return parts.lines.present(cell_id_of(key))
