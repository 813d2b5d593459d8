"""The routes of governance: what is asked is checked, and the cell's answers come through."""

from __future__ import annotations

import json

import pytest

from gateway.errors import BadRequest
from gateway.governance_asks import ProposalAsk
from gateway.governance_views import ActionWish, ProposalWish
from gateway.reading import read_ask
from gateway.views import Stage
from ledger.limits import PROPOSAL_ACTIONS_MAX, PROPOSAL_ROUNDS_MAX
from tests.gateway.fake_cell import FakeCell
from tests.gateway.fake_governance import PROPOSAL
from tests.gateway.test_gateway import Wire, serve

_BASE = "/api/v1/governance"


def test_proposals_and_votes_reach_the_cell() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        actions: list[dict[str, object]] = [
            {"action": "add", "cell": "12D3KooWNew", "name": "dora", "weight": 2},
            {"action": "weight", "cell": "ada", "weight": 3},
            {"action": "set", "name": "epoch_rounds", "value": 64},
            {"action": "pay-out", "account": "ada", "amount": "1.5", "memo": "a disk"},
            {"action": "upgrade", "epoch": 9, "release": "myceld 2", "rule_set": 3},
            {"action": "text", "hash": "cd" * 32, "url": "https://example.org"},
            {"action": "text"},
        ]
        asks: list[tuple[str, object]] = [
            ("proposals", {"title": "t", "actions": actions, "rounds": 9, "wait": "applied"}),
            ("votes", {"proposal": "ab" * 32, "vote": "no"}),
            ("announce", {}),
        ]
        for path, body in asks:
            answer = await wire.ask("POST", f"{_BASE}/{path}", json.dumps(body).encode())
            assert answer[0] == 200, answer
        wishes = (
            ActionWish("add", cell="12D3KooWNew", name="dora", weight=2),
            ActionWish("weight", cell="ada", weight=3),
            ActionWish("set", name="epoch_rounds", value=64),
            ActionWish("pay-out", account="ada", amount=15 * 10**8, memo="a disk"),
            ActionWish("upgrade", epoch=9, release="myceld 2", rule_set=3),
            ActionWish("text", hash=bytes.fromhex("cd" * 32), url="https://example.org"),
            ActionWish("text"),
        )
        assert cell.calls == [
            ("propose", (ProposalWish("t", wishes, 9), Stage.APPLIED, 30.0)),
            ("vote", ((bytes.fromhex("ab" * 32), "no"), Stage.STORED, 30.0)),
            ("announce", (None, Stage.STORED, 30.0)),
        ]
        wrong = [
            ("votes", {"proposal": "ab" * 32, "vote": "maybe"}),
            ("votes", {"proposal": 7, "vote": "yes"}),
            ("votes", {"vote": "yes"}),
            ("announce", {"release": "x"}),
            ("proposals", {"actions": [{"action": "text"}]}),
        ]
        for path, body in wrong:
            status, _, answer = await wire.ask("POST", f"{_BASE}/{path}", json.dumps(body).encode())
            assert (status, answer["error"]["code"]) == (400, "MYC-GATEWAY-014"), body
        assert len(cell.calls) == 3

    serve(talk)


@pytest.mark.parametrize(
    "actions",
    [
        None,
        [],
        {},
        [7],
        [{}],
        [{"action": "fly"}],
        [{"action": "remove"}],
        [{"action": "remove", "cell": 7}],
        [{"action": "remove", "cell": "x", "weight": 1}],
        [{"action": "remove", "cell": "x" * 513}],
        [{"action": "add", "cell": "x", "name": "n"}],
        [{"action": "weight", "cell": "x", "weight": True}],
        [{"action": "weight", "cell": "x", "weight": 2**63}],
        [{"action": "set", "name": "n", "value": -1}],
        [{"action": "set", "name": "\ud800", "value": 1}],
        [{"action": "upgrade", "epoch": 1}],
        [{"action": "upgrade", "epoch": 1, "release": "r", "rule_set": None}],
        [{"action": "issue", "account": "ada", "amount": 1}],
        [{"action": "issue", "account": "ada", "amount": "1e9"}],
        [{"action": "issue", "account": "ada", "amount": "-1"}],
        [{"action": "burn", "account": "ada", "amount": "1", "memo": "why"}],
        [{"action": "text", "hash": "abcd"}],
        [{"action": "text", "hash": 7}],
        [{"action": "text"}] * (PROPOSAL_ACTIONS_MAX + 1),
    ],
)
def test_what_is_no_list_of_actions_is_refused_at_the_edge(actions: object) -> None:
    with pytest.raises(BadRequest):
        read_ask(ProposalAsk, {"title": "t", "actions": actions})


def test_a_proposal_is_open_for_as_long_as_it_can_be_unless_told() -> None:
    wish = read_ask(ProposalAsk, {"title": "t", "actions": [{"action": "text"}]}).wish()
    assert wish.rounds == PROPOSAL_ROUNDS_MAX


def test_proposals_and_rules_come_as_the_cell_has_them() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        _, _, found = await wire.ask("GET", f"{_BASE}/proposals?state=open&limit=5")
        assert [item["id"] for item in found["items"]] == [PROPOSAL.id]
        assert found["items"][0]["actions"][3] == PROPOSAL.actions[3]
        assert (await wire.ask("GET", f"{_BASE}/proposals?state=refused"))[2]["items"] == []
        assert (await wire.ask("GET", f"{_BASE}/proposals?state=none"))[0] == 400
        assert found["next"] == PROPOSAL.id
        rest = (await wire.ask("GET", f"{_BASE}/proposals?after={PROPOSAL.id}"))[2]
        assert rest == {"items": [], "next": None}
        assert (await wire.ask("GET", f"{_BASE}/proposals?after={'00' * 32}"))[0] == 404
        assert (await wire.ask("GET", f"{_BASE}/proposals?after=ab"))[0] == 400
        one = await wire.ask("GET", f"{_BASE}/proposals/{PROPOSAL.id}")
        assert (one[0], one[2]["votes"][1]["vote"]) == (200, "no")
        assert (await wire.ask("GET", f"{_BASE}/proposals/{'00' * 32}"))[0] == 404
        assert (await wire.ask("GET", f"{_BASE}/proposals/abcd"))[0] == 400
        rules = (await wire.ask("GET", f"{_BASE}/rules"))[2]
        assert rules["parameters"][0]["value"] == 64
        assert rules["supports"][0]["rule_sets"] == [1, 2]
        assert (await wire.ask("GET", f"{_BASE}/rules", token=None))[0] == 401

    serve(talk)
