"""Spores as files: JSON that people can read, with the signed bytes in it.

What is written for people must be exactly what the signed bytes say: a file in which one of them
was changed is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from core.ids import cell_id_of
from core.json_text import NotJson, parse_json
from gossip.discovery.errors import BadSporeFile
from gossip.discovery.limits import SPORE_FILE_SIZE_BYTES_MAX, SPORE_SIZE_BYTES_MAX, TRUST_MAX
from gossip.discovery.spore import NetworkIdentity, Node, Spore, decode_spore

_FORMAT: Final = "myceld-spore/1"


def to_json(spore: Spore) -> str:
    """Return the text of a spore file."""
    return json.dumps(_content(spore), indent=2, ensure_ascii=False) + "\n"


def from_json(data: bytes, network: NetworkIdentity) -> Spore:
    """Return the spore in a file; raises BadSporeFile and what `decode_spore` raises."""
    if len(data) > SPORE_FILE_SIZE_BYTES_MAX:
        raise BadSporeFile(f"{len(data)} bytes, at most {SPORE_FILE_SIZE_BYTES_MAX} are read")
    try:
        content = parse_json(data)
    except NotJson as error:
        raise BadSporeFile(error.detail) from error
    if not isinstance(content, Mapping) or content.get("format") != _FORMAT:
        raise BadSporeFile(f'not a spore file (no "format": "{_FORMAT}")')
    encoded = content.get("encoded")
    if not isinstance(encoded, str) or len(encoded) > 2 * SPORE_SIZE_BYTES_MAX:
        raise BadSporeFile("the signed bytes are missing, or too long")
    try:
        spore = decode_spore(bytes.fromhex(encoded), network)
    except ValueError as error:
        raise BadSporeFile("the signed bytes are not hex") from error
    if content != _content(spore):
        raise BadSporeFile("what it says in words is not what was signed")
    return spore


def _content(spore: Spore) -> dict[str, object]:
    network = spore.network
    return {
        "format": _FORMAT,
        "spore_type": f"master/{spore.variant.word}",
        "network_identity": {
            "network_id": network.network_id.hex(),
            "network_name": network.network_name,
            "genesis_timestamp": network.genesis_time_ns,
            "genesis_nodes": [cell_id_of(key) for key in network.genesis_nodes],
            "compatibility_version": network.compatibility_version,
        },
        "active_nodes": [_node(node) for node in spore.nodes],
        "service_registry": {},
        "trust_rankings": {node.cell_id: node.trust / TRUST_MAX for node in spore.nodes},
        "last_updated": spore.updated_ns,
        "issuer": spore.issuer_id,
        "signature": spore.signature.hex(),
        "encoded": spore.encoded.hex(),
    }


def _node(node: Node) -> dict[str, object]:
    return {
        "node_id": node.cell_id,
        "addresses": list(node.addresses),
        "node_type": node.node_type,
        "last_seen": node.last_seen_ns,
        "trust_score": node.trust / TRUST_MAX,
    }
