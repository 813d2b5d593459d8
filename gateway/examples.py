"""Examples in the OpenAPI document: what operations are sent, and what they answer.

Bodies are written here. Answers are what the cells of a devnet answered to `scripts/docs-examples`,
by the name of their view, in `gateway/reference/answers.json`: long lists and texts cut short. A
test checks all of them against the schemas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any

_ID: Final = "a35c26b4e1f0477d9d0c8b0e5f0a6c1d2b9e8f7a6c5d4e3f2a1b0c9d8e7f6a5b"
_ROOM: Final = "5f0a6c1d2b9e8f7a6c5d4e3f2a1b0c9d"
_APPLIED: Final = {"wait": "applied"}
_RECEIPTS: Final = "Page_ReceiptView_"
_HELLO: Final = b"hello".hex()

BODIES: Final[dict[str, dict[str, Json]]] = {
    "post_light_transactions": {"one": {"transactions": ["92c404…".encode().hex()]}},
    "post_transactions": {
        "one, until it is certified": {
            "transactions": ["92c404…".encode().hex()],
            "wait": "certified",
        }
    },
    "post_act": {
        "an amount, in base units": {
            "kind": "transfer",
            "arguments": {"to": "grace", "amount": 1_500_000_000, "memo": "rent"},
            "wait": "applied",
        },
        "several together or not at all": {
            "kind": "batch",
            "arguments": {
                "items": [
                    {"kind": "transfer", "arguments": {"to": "grace", "amount": 1_500_000_000}},
                    {"kind": "put", "arguments": {"key": "paid", "value": "May"}},
                ]
            },
        },
    },
    "post_content": {"a text": {"title": "greeting", "body_hex": _HELLO, **_APPLIED}},
    "post_content_by_hash_withdraw": {"until it is applied": _APPLIED},
    "post_follows": {"a member's journal": {"cell": "grace", "journal": "nucleus"}},
    "post_follows_stop": {"a member's journal": {"cell": "grace", "journal": "nucleus"}},
    "post_governance_announce": {"until it is applied": _APPLIED},
    "post_governance_proposals": {
        "a parameter": {
            "title": "longer epochs",
            "actions": [{"action": "set", "name": "epoch_rounds", "value": 4096}],
        },
        "a member": {
            "title": "dora joins",
            "actions": [{"action": "add", "cell": _ID, "name": "dora", "weight": 1}],
        },
    },
    "post_governance_votes": {"yes": {"proposal": _ID, "vote": "yes"}},
    "post_identity_verify": {"a member": {"cell": "grace"}},
    "post_invites": {
        "a member to be, within a day": {
            "role": "sclerotium",
            "name": "dora",
            "expires_s": 86_400,
        }
    },
    "post_journals_by_name_prune": {"the first thousand": {"min_index": 1000}},
    "post_key_rotate": {"until it is applied": _APPLIED},
    "post_logs_levels": {"one component": {"levels": ["consensus=debug"]}},
    "post_members": {
        "propose": {"action": "add", "cell": _ID, "name": "dora", "weight": 1},
        "approve": {"action": "approve", "proposal": _ID},
        "leave": {"action": "leave"},
    },
    "post_messages": {
        "a text, until it is there": {"to": "grace", "text": "hello", "wait": "delivered"},
        "to a room": {"room": _ROOM, "text": "hello, all"},
    },
    "post_rooms": {"two others": {"name": "garden", "members": ["grace", "alan"]}},
    "post_rooms_by_id_add": {"one more": {"members": ["edsger"]}},
    "post_state_namespaces_claim": {"for its owner": {"name": "club", **_APPLIED}},
    "post_state_namespaces_release": {"until it is applied": {"name": "club", **_APPLIED}},
    "post_state_namespaces_set": {
        "for two writers": {"name": "club", "access": "writers", "writers": ["grace", "alan"]}
    },
    "post_state_put": {
        "a text": {"key": "hello", "value": "world", "wait": "certified"},
        "bytes": {"key": "hello", "value_hex": _HELLO},
    },
    "post_state_rollback": {
        "one key": {"key": "hello", "to_round": 12},
        "all with a prefix": {"prefix": "club/", "to_round": 12},
    },
    "post_state_write": {
        "only if nobody was quicker": {
            "writes": [
                {"key": "club/president", "value": "grace", "if_round": 12},
                {"key": "club/candidate", "delete": True},
            ]
        }
    },
    "post_tokens": {
        "to read, for a day": {"name": "dashboard", "scopes": ["read"], "expires_s": 86_400}
    },
    "post_tokens_keys": {
        "to submit": {"name": "till", "scopes": ["submit"], "public_key": _ID},
    },
    "post_trust_attest": {"in one scope": {"cell": "grace", "score": 0.9, "scope": "operations"}},
    "post_trust_revoke": {"in one scope": {"cell": "grace", "scope": "operations"}},
}
"""By operation: for what, and the body. What takes no field is sent `{}`."""


def answers() -> dict[str, Json]:
    """Return an answer of each view that the devnet could be asked for."""
    text = files("gateway").joinpath("reference", "answers.json").read_text("utf-8")
    found: dict[str, Json] = json.loads(text)
    # What the devnet had no use for is made of what it answered elsewhere.
    if "ReceiptView" in found:
        found[_RECEIPTS] = {"items": [found["ReceiptView"]], "next": None}
    if "Page_JournalView_" in found:
        found["JournalView"] = found["Page_JournalView_"]["items"][0]
    return found


def exemplify(operation: dict[str, Any], found: Mapping[str, Json]) -> None:
    """Add examples to an operation of the document; answers are named, and shared by name."""
    body = operation.get("requestBody")
    if body is not None:
        given = BODIES.get(operation["operationId"], {"nothing": {}})
        for content in body["content"].values():
            content["examples"] = {name: {"value": value} for name, value in given.items()}
    for content in operation["responses"]["200"].get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        if name in found:
            content["examples"] = {"answer": {"$ref": f"#/components/examples/{name}"}}
