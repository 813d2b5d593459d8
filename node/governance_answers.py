"""What a running cell answers about governance, and the way to take part in it."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from heapq import nsmallest
from operator import itemgetter
from typing import Final, TypeAlias

from core.ids import (
    AccountId,
    Amount,
    CellId,
    Epoch,
    Hash,
    PublicKey,
    TransactionId,
    cell_id_of,
    public_key_of,
)
from gateway.errors import NoProposal
from gateway.governance_views import (
    ActionWish,
    GovernanceView,
    ParameterView,
    ProposalsView,
    ProposalWish,
    RulesView,
    SupportView,
    VoteView,
)
from gateway.views import ReceiptView, Stage, UpgradeView
from ledger.accounts import TREASURY
from ledger.actions import Action, Burn, Issue, PayOut, Resolution, SetParameter
from ledger.amounts import format_amount
from ledger.epoch_rules import EpochRules, Versions
from ledger.governance import (
    GovPropose,
    GovVote,
    Proposal,
    Vote,
    decode_proposal,
    proposal_key,
    weight_of,
)
from ledger.kinds import Arguments
from ledger.limits import DECIMALS
from ledger.members import Action as Change
from ledger.members import MemberPropose
from ledger.parameters import (
    COIN_PERIOD,
    EPOCH_ROUNDS,
    PARAMETERS,
    Parameter,
    decode_parameter,
    parameter_key,
)
from ledger.roster import Member, Roster
from ledger.succession import Read
from ledger.upgrades import Announce, Upgrade, planned_upgrade, support_of, without_support
from node.journal_answers import JournalAnswers
from node.keyring import reader_of
from node.limits import PROPOSALS_READ_AT_ONCE
from node.member_answers import proposal_state
from node.parts import Parts
from node.tables import proposals_after, state_value

_Place: TypeAlias = tuple[int, bytes]

_HEX: Final = re.compile("[0-9a-f]{64}")
_CHANGES: Final = {one.value: one for one in Change}


class GovernanceAnswers(JournalAnswers, ABC):
    """The part of `gateway.cell.Cell` that is about governance."""

    async def propose(self, wish: ProposalWish, *, wait: Stage, timeout_s: float) -> ReceiptView:
        """See `gateway.governance_views.GovernanceCell.propose`."""
        rules = self._parts.execution.ledger.roster.rules
        actions = tuple(self._action(one, rules) for one in wish.actions)
        arguments = GovPropose(wish.title, actions, wish.rounds)
        return await self._submit_own(arguments, None, wait, timeout_s)

    async def vote(
        self, proposal: bytes, vote: str, *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """See `gateway.governance_views.GovernanceCell.vote`."""
        arguments = GovVote(TransactionId(proposal), Vote(vote))
        return await self._submit_own(arguments, None, wait, timeout_s)

    async def announce(self, *, wait: Stage, timeout_s: float) -> ReceiptView:
        """See `gateway.governance_views.GovernanceCell.announce`."""
        return await self._submit_own(Announce(self._parts.upgrades.support), None, wait, timeout_s)

    async def proposals(self, state: str | None, after: bytes | None, limit: int) -> ProposalsView:
        """See `gateway.governance_views.GovernanceCell.proposals`."""
        behind = None if after is None else _place(after, self._proposal(after))
        newest: list[tuple[_Place, Proposal]] = []
        last = b""
        while rows := proposals_after(self._parts.store, last, PROPOSALS_READ_AT_ONCE):
            last = rows[-1][0]
            applied = self._parts.execution.ledger.applied_round
            for identity, value in rows:
                found = decode_proposal(value)
                place = _place(identity, found)
                is_asked = state in (None, proposal_state(found, applied))
                if is_asked and (behind is None or place > behind):
                    newest.append((place, found))
            newest = nsmallest(limit + 1, newest, key=itemgetter(0))
            await asyncio.sleep(0)  # they stay for ever, so they may be many
        views = [self._view(identity, found) for (_, identity), found in newest[:limit]]
        return ProposalsView(views, views[-1].id if len(newest) > limit else None)

    async def proposal(self, proposal: bytes) -> GovernanceView:
        """See `gateway.governance_views.GovernanceCell.proposal`."""
        return self._view(proposal, self._proposal(proposal))

    async def rules(self) -> RulesView:
        """See `gateway.governance_views.GovernanceCell.rules`."""
        roster, read = self._parts.execution.ledger.roster, reader_of(self._parts.store)
        return RulesView(
            epoch=roster.epoch,
            rule_set=roster.rules.rule_set,
            wire_version=roster.rules.wire_version,
            transaction_version=roster.rules.transaction_version,
            parameters=[_parameter_view(row, roster.rules, read) for row in PARAMETERS],
            supports=[_support_view(member, read) for member in roster.members],
        )

    @abstractmethod
    async def _submit_own(
        self, arguments: Arguments, nonce: int | None, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Sign a transaction with the cell's key, queue it, and wait until it reached a stage."""

    def _action(self, wish: ActionWish, rules: EpochRules) -> Action:
        match wish.action:
            case "set":
                return SetParameter(wish.name, wish.value)
            case "issue":
                return Issue(self._account(wish.account), Amount(wish.amount))
            case "burn":
                return Burn(self._account(wish.account), Amount(wish.amount))
            case "pay-out":
                return PayOut(self._account(wish.account), Amount(wish.amount), wish.memo)
            case "text":
                return Resolution(Hash(wish.hash) if wish.hash else None, wish.url)
            case "upgrade":
                now = rules.versions
                versions = Versions(
                    now.rule_set if wish.rule_set is None else wish.rule_set,
                    now.wire if wish.wire_version is None else wish.wire_version,
                    now.transaction
                    if wish.transaction_version is None
                    else wish.transaction_version,
                )
                return Upgrade(Epoch(wish.epoch), versions, wish.release)
        key = public_key_of(self._cell_id(wish.cell))
        return MemberPropose(_CHANGES[wish.action], key, wish.weight, wish.name)

    def _account(self, text: str) -> AccountId:
        """Return the account that a text names; raises NoSuchCell."""
        if text == TREASURY.decode():
            return TREASURY
        if _HEX.fullmatch(text):
            return AccountId(bytes.fromhex(text))
        return AccountId(public_key_of(self._cell_id(text)))

    def _proposal(self, identity: bytes) -> Proposal:
        value = state_value(self._parts.store, proposal_key(TransactionId(identity)))
        if value is None:
            raise NoProposal(f"no proposal {identity.hex()[:16]}… was ordered")
        return decode_proposal(value)

    def _view(self, identity: bytes, proposal: Proposal) -> GovernanceView:
        ledger = self._parts.execution.ledger
        roster, names = ledger.roster, _members(ledger.roster)
        votes = proposal.votes
        return GovernanceView(
            id=identity.hex(),
            title=proposal.title,
            actions=[_action_view(action) for action in proposal.actions],
            proposer=cell_id_of(proposal.proposer),
            round=proposal.round,
            expires_round=proposal.expires_round,
            votes=[_vote_view(key, vote, names) for key, vote in votes],
            weight_yes=weight_of(roster, votes, Vote.YES),
            weight_no=weight_of(roster, votes, Vote.NO),
            weight_abstain=weight_of(roster, votes, Vote.ABSTAIN),
            weight_total=sum(roster.weights),
            state=proposal_state(proposal, ledger.applied_round),
            closed_round=proposal.closed_round or None,
        )


def _place(identity: bytes, proposal: Proposal) -> _Place:
    """Return where a proposal is in the list: the newest first."""
    return -proposal.round, identity


def upgrade_view(parts: Parts) -> UpgradeView | None:
    """Return the upgrade that was decided and has not begun."""
    read, roster = reader_of(parts.store), parts.execution.ledger.roster
    planned = planned_upgrade(read)
    if planned is None:
        return None
    upgrade = planned.upgrade
    missing = without_support(roster.members, upgrade.versions, read)
    total = sum(roster.weights)
    return UpgradeView(
        epoch=upgrade.epoch,
        rule_set=upgrade.versions.rule_set,
        wire_version=upgrade.versions.wire,
        transaction_version=upgrade.versions.transaction,
        release=upgrade.release,
        is_known=parts.upgrades.support.knows(upgrade.versions),
        weight_knowing=total - sum(member.weight for member in missing),
        weight_total=total,
        missing=[member.name for member in missing],
    )


def _action_view(action: Action) -> Mapping[str, object]:
    """Return an action in the form in which it is proposed."""
    match action:
        case MemberPropose():
            shown: dict[str, object] = {
                "action": action.action.value,
                "cell": cell_id_of(action.public_key),
            }
            if action.action is not Change.REMOVE:
                shown["weight"] = action.weight
            if action.action is Change.ADD:
                shown["name"] = action.name
            return shown
        case SetParameter():
            return {"action": "set", "name": action.name, "value": action.value}
        case Issue() | Burn() | PayOut():
            return _money_view(action)
        case Upgrade():
            return {
                "action": "upgrade",
                "epoch": action.epoch,
                "rule_set": action.versions.rule_set,
                "wire_version": action.versions.wire,
                "transaction_version": action.versions.transaction,
                "release": action.release,
            }
        case Resolution():
            return {"action": "text", "hash": (action.hash or b"").hex(), "url": action.url}


def _money_view(action: Issue | Burn | PayOut) -> Mapping[str, object]:
    account = action.source if isinstance(action, Burn) else action.to
    name = account.decode() if account == TREASURY else account.hex()
    amount = format_amount(action.amount, DECIMALS)
    match action:
        case Issue():
            return {"action": "issue", "account": name, "amount": amount}
        case Burn():
            return {"action": "burn", "account": name, "amount": amount}
        case PayOut():
            return {"action": "pay-out", "account": name, "amount": amount, "memo": action.memo}


def _members(roster: Roster) -> dict[CellId, Member]:
    return {member.cell_id: member for member in roster.members}


def _vote_view(key: PublicKey, vote: Vote, members: dict[CellId, Member]) -> VoteView:
    cell_id = cell_id_of(key)
    member = members.get(cell_id)
    name, weight = ("", 0) if member is None else (member.name, member.weight)
    return VoteView(cell_id, name, weight, vote.value)


def _parameter_view(row: Parameter, rules: EpochRules, read: Read) -> ParameterView:
    of_rules = {EPOCH_ROUNDS: rules.epoch_rounds, COIN_PERIOD: rules.coin_period}
    stored = read(parameter_key(row.name))
    value = row.default if stored is None else decode_parameter(stored)
    return ParameterView(
        name=row.name,
        value=of_rules.get(row.name, value),
        default=row.default,
        low=row.low,
        high=row.high,
        holds=row.holds.value,
        what=row.what,
    )


def _support_view(member: Member, read: Read) -> SupportView:
    known = support_of(read, member)
    return SupportView(
        cell_id=member.cell_id,
        name=member.name,
        rule_sets=[] if known is None else list(known.rule_sets),
        wire_versions=[] if known is None else list(known.wires),
        transaction_versions=[] if known is None else list(known.transactions),
        release="" if known is None else known.release,
    )
