"""Decoders of what users and disks hold: journals, keys, configuration, and what clients send."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request

import settings
from cli.devnet.directory import Devnet
from cli.errors import BadInput, DevnetUnreadable
from cli.tx import _parse_batch
from core import codec
from core.errors import MyceldError
from core.host_names import is_loopback_host
from core.ids import Hash, NotACellId
from gateway import bodies, grants, reading
from gateway.asks import HashPath, MayWaitAsk, PageAsk
from gateway.cell_routes import SporeAsk
from gateway.errors import BadRequest, BodyTooLarge, GrantsUnusable
from gateway.governance_asks import ProposalAsk, VoteAsk
from gateway.journal_routes import BlockAsk, FollowAsk, JournalPath, PruneAsk
from gateway.light_asks import HeadAsk
from gateway.member_asks import InviteAsk, MembersAsk
from gateway.message_asks import MessagesAsk, PostAsk, RoomAsk, SendAsk
from gateway.order_asks import PutAsk, SubmitAsk
from gateway.prana_asks import ActAsk
from gateway.proof_asks import RoundProofAsk, ValueProofAsk
from gateway.service_routes import ActsAsk
from gateway.state_asks import (
    ChangesAsk,
    DifferencesAsk,
    NamespaceAsk,
    RollbackAsk,
    WriteAsk,
)
from gateway.trust_asks import AttestAsk
from hypha.errors import AnswerGarbled, GatewayRefuses, GatewaySilent
from hypha.limits import ANSWER_SIZE_BYTES_MAX
from hypha.line import parse_answer
from identity import keystore, shares
from identity.errors import (
    BadPassphrase,
    BadRecord,
    BadShares,
    CostTooHigh,
    UnknownKeyFileVersion,
    UnreadableKeyFile,
)
from identity.passphrase import _from_bytes
from identity.request_signature import SignedRequest
from journal.bundle import is_bundled, sign_together, verify_own_head
from journal.checkpoint import parse_checkpoint, sign_checkpoint, verify_checkpoint
from journal.cosignature import CosignatureRefused, cosign, verified_witnesses
from journal.errors import HeadRefused, ProofRefused, StoreCorrupt
from journal.layout import unpack_chunk
from journal.proof_file import Proof, ProofFileRefused, format_proof, parse_proof, verify_proof
from journal.replication.copies import _loaded
from journal.sealing import Seal
from journal.tile import Tile, split_hashes
from myceld.answers import answer_to
from myceld.errors import CellAnswerUnreadable, CellRefused, CellUnreachable, HomeUnreadable
from myceld.home import RunFile, read_token
from myceld.question import Question
from node import failpoints, faults, founding
from node.backup.manifest import decode_manifest
from node.dag_window import Cursor
from node.discovery.locations import check_location
from node.errors import BackupUnreadable, BadFailpoints, BadOption, SeedRefused
from settings import (
    BadConfig,
    CellConfig,
    Config,
    DiscoveryConfig,
    HyphaConfig,
    LightConfig,
    LoggingConfig,
    TrustConfig,
)
from settings.documents import assemble
from settings.limits import FILE_SIZE_BYTES_MAX
from sim import scenario
from sim.drawing import draw
from sim.errors import BadScenario
from tests.fuzz.mutations import Form
from tests.fuzz.samples import DIGEST, vector
from tests.fuzz.target import REFUSED, Target
from tests.ledger.world import KEYS
from tests.node.backup.test_archive import MANIFEST

_QUESTION: Final[Question[object]] = Question("GET", "/")
_PAIR: Final = KEYS[0]
_CELL: Final = _PAIR.cell_id
_ORIGIN: Final = f"{_CELL}/notes/0"
_SEAL: Final = Seal(b"k" * 32, _CELL, "notes")
_KEY_FILE: Final = {
    "version": 1,
    "kdf": "none",
    "public_key": _PAIR.public_key.hex(),
    "seed": _PAIR.seed.hex(),
}
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a hundred thousand files, one after the other
_FOLDER: Final = tempfile.TemporaryDirectory(
    prefix="myceld-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None
)


def targets() -> tuple[Target, ...]:
    """Return the rows of this part of the table."""
    return (
        *_heads(),
        *_proofs(),
        *_rows(),
        *_keys(),
        *_files(),
        *_tests_of_cells(),
        *_configuration(),
        *_gateway(),
        *_credentials(),
        *_command_line(),
    )


def _heads() -> tuple[Target, ...]:
    head = sign_checkpoint(_ORIGIN, 10, Hash(DIGEST), _PAIR.public_key, _PAIR.sign)
    several = [(_ORIGIN, 10, Hash(DIGEST)), (f"{_CELL}/other/3", 7, Hash(bytes(32)))]
    bundled, _ = sign_together(several, _PAIR.public_key, _PAIR.sign)
    texts = vector("replication")["texts"]
    cosigned = cosign(head, KEYS[1].cell_id, KEYS[1].sign, 1_700_000_000)
    heads = tuple(text.encode() for text in (head, cosigned, texts["cosigned head"]))
    key = _PAIR.public_key
    return (
        Target(
            name="head of a journal",
            decode=lambda data: parse_checkpoint(_text(data)),
            samples=heads,
            errors=(HeadRefused,),
            form=Form.TEXT,
            covers=(
                "journal/checkpoint.py:parse_checkpoint",
                "journal/checkpoint.py:_parse_signatures",
                "journal/checkpoint.py:_parse_signature",
            ),
        ),
        Target(
            name="head, verified",
            decode=lambda data: verify_checkpoint(_text(data), _ORIGIN, key),
            samples=heads[:2],
            errors=(HeadRefused,),
            form=Form.TEXT,
        ),
        Target(
            name="head of the cell's own file",
            decode=lambda data: (
                is_bundled(_text(data), key),
                verify_own_head(_text(data), _ORIGIN, key),
            ),
            samples=(heads[0], bundled.encode()),
            errors=(HeadRefused,),
            form=Form.TEXT,
        ),
        Target(
            name="head of a copy",
            decode=_stored_head,
            samples=heads[:2],
            errors=(StoreCorrupt,),
            form=Form.TEXT,
            covers=("journal/replication/copies.py:_loaded",),
        ),
    )


def _proofs() -> tuple[Target, ...]:
    head = sign_checkpoint(_ORIGIN, 10, Hash(DIGEST), _PAIR.public_key, _PAIR.sign)
    texts = vector("replication")["texts"]
    cosigned = cosign(head, KEYS[1].cell_id, KEYS[1].sign, 1_700_000_000)
    heads = tuple(text.encode() for text in (head, cosigned, texts["cosigned head"]))
    proofs = (texts["proof file"].encode(), format_proof(3, b"block", [DIGEST] * 4, head).encode())
    refused = (HeadRefused, CosignatureRefused, ProofRefused, ProofFileRefused)
    return (
        Target(
            name="cosignatures",
            decode=lambda data: verified_witnesses(_text(data)),
            samples=heads,
            errors=(HeadRefused, CosignatureRefused),
            form=Form.TEXT,
            covers=(
                "journal/cosignature.py:verified_witnesses",
                "journal/cosignature.py:_verified",
            ),
        ),
        Target(
            name="proof file",
            decode=lambda data: parse_proof(_text(data)),
            encode=_proof_again,
            samples=proofs,
            errors=(ProofFileRefused,),
            form=Form.TEXT,
            covers=("journal/proof_file.py:parse_proof", "journal/proof_file.py:_decode"),
            size_bytes_max=6 << 20,
        ),
        Target(
            name="proof file, verified",
            decode=lambda data: verify_proof(_text(data)),
            samples=proofs[:1],
            errors=refused,
            form=Form.TEXT,
            size_bytes_max=6 << 20,
        ),
    )


def _rows() -> tuple[Target, ...]:
    """Rows of a journal's tables, as a damaged disk may give them."""
    chunks: tuple[codec.Value, ...] = ([b"block"], [b"", b"x" * 300, 17], [b"y" * 40] * 30)
    leaves = [bytes([at]) * 32 for at in range(256)]
    sealed = tuple(_SEAL.seal_all(5, [b"", b"content of a block"]))
    return (
        Target(
            name="chunk row",
            decode=unpack_chunk,
            samples=tuple(map(codec.encode, chunks)),
            errors=(StoreCorrupt,),
            covers=("journal/layout.py:unpack_chunk",),
            free_bytes=2 << 20,  # a damaged length: msgpack nests 1,024 arrays of 256 places
            size_bytes_max=(4 << 20) + 64,
        ),
        Target(
            name="tile row",
            decode=_tile,
            samples=(Tile.of_leaves(leaves).to_bytes(),),
            errors=(StoreCorrupt,),
            form=Form.BINARY,
            covers=("journal/tile.py:Tile.from_bytes", "journal/tile.py:split_hashes"),
            size_bytes_max=64 << 10,
        ),
        Target(
            name="row of hashes",
            decode=split_hashes,
            encode=b"".join,
            samples=(b"", b"".join(leaves[:9])),
            errors=(StoreCorrupt,),
            form=Form.BINARY,
        ),
        Target(
            name="encrypted block",
            decode=lambda data: _SEAL.open(5, data),
            samples=sealed[:1],
            errors=(StoreCorrupt,),
            form=Form.BINARY,
        ),
    )


def _keys() -> tuple[Target, ...]:
    return (
        Target(
            name="key file",
            decode=lambda data: keystore._parse(Path("key.json"), data),
            samples=(
                _json(_KEY_FILE),
                *(_json(one["file"]) for one in vector("keystore")["files"]),
            ),
            errors=(UnreadableKeyFile, UnknownKeyFileVersion, CostTooHigh),
            form=Form.JSON,
            covers=("identity/keystore.py:_parse",),
            size_bytes_max=4096,
        ),
        Target(
            name="passphrase",
            decode=_from_bytes,
            samples=(b"correct horse\n", "schöne Worte".encode()),
            errors=(BadPassphrase,),
            form=Form.TEXT,
            covers=("identity/passphrase.py:_from_bytes",),
            size_bytes_max=2048,
        ),
        Target(
            name="shares of a key",
            decode=lambda data: shares.recover(shares.shares_in(_ascii(data))),
            samples=tuple("\n".join(pair).encode() for pair in vector("keystore")["shares"]),
            errors=(BadShares,),
            form=Form.TEXT,
            own=True,
            size_bytes_max=2048,
        ),
    )


def _files() -> tuple[Target, ...]:
    run = {
        "pid": 77,
        "url": "http://127.0.0.1:8710",
        "cell_id": _CELL,
        "addresses": [f"/ip4/127.0.0.1/tcp/1/p2p/{_CELL}"],
        "started_ns": 1_700_000_000_000_000_000,
    }
    devnet = {
        "format": 1,
        "prepared": True,
        "epoch_rounds": 16,
        "cells": [{"number": 1, "port": 5, "gateway_port": 6, "cell_id": _CELL, "pid": 9}],
    }
    devnet["cells"][0]["started_s"] = 1.5  # type: ignore[index]  # a list of mappings
    return (
        Target(
            name="faults.json",
            decode=lambda data: _or_refused(faults._parse(data)),
            samples=(_json({"version": 1, "cut": [_CELL, "x"]}), _json({"version": 1, "cut": []})),
            errors=(),
            form=Form.JSON,
            covers=("node/faults.py:_parse",),
            size_bytes_max=64 << 10,
        ),
        Target(
            name="run.json",
            decode=partial(_from_file, "run.json", RunFile.read),
            samples=(_json(run),),
            errors=(HomeUnreadable,),
            form=Form.JSON,
            covers=("myceld/home.py:RunFile.read", "myceld/home.py:_read"),
            size_bytes_max=16 << 10,
        ),
        Target(
            name="gateway.token",
            decode=partial(_from_file, "gateway.token", read_token),
            samples=(b"dG9rZW4tb2YtdGhlLWdhdGV3YXk\n",),
            errors=(HomeUnreadable,),
            form=Form.TEXT,
            covers=("myceld/home.py:read_token",),
            size_bytes_max=64 << 10,
        ),
        Target(
            name="devnet.json",
            decode=partial(_from_file, "devnet.json", Devnet.load),
            samples=(_json(devnet), _json({"format": 1, "prepared": False, "cells": []})),
            errors=(DevnetUnreadable,),
            form=Form.JSON,
            covers=("cli/devnet/directory.py:Devnet.load",),
            size_bytes_max=64 << 10,
        ),
    )


def _tests_of_cells() -> tuple[Target, ...]:
    return (
        Target(
            name="scenario",
            decode=lambda data: scenario.from_json(data.decode("utf-8", "surrogateescape")),
            samples=(scenario.to_json(draw(7)).encode(), scenario.to_json(draw(8)).encode()),
            errors=(BadScenario,),
            form=Form.JSON,
            covers=("sim/scenario.py:from_json",),
            size_bytes_max=64 << 10,
        ),
        Target(
            name="failpoints",
            decode=lambda data: failpoints.parse(data.decode("utf-8", "surrogateescape")),
            samples=(b"journal.fsync.after=kill@17", b"consensus.send.before=pause:20@3"),
            errors=(BadFailpoints,),
            form=Form.TEXT,
            covers=("node/failpoints.py:parse",),
            size_bytes_max=64 << 10,
        ),
        Target(
            name="manifest of a backup",
            decode=decode_manifest,
            samples=(MANIFEST.encode(),),
            errors=(BackupUnreadable,),
            form=Form.JSON,
            covers=("node/backup/manifest.py:decode_manifest",),
        ),
    )


def _configuration() -> tuple[Target, ...]:
    full = Config(
        CellConfig(
            name="ada",
            listen=("/ip4/0.0.0.0/tcp/4710", "/ip6/::/tcp/4710/ws"),
            bootstrap=(f"/ip4/192.0.2.7/tcp/4710/p2p/{_CELL}",),
            gateway_port=8710,
        ),
        discovery=DiscoveryConfig(seeds=("seed.json", "https://example.org/seed.json")),
        trust=TrustConfig(("full=0.95", "read-only=.1"), ("exec=standard", "chat=none")),
    )
    gateways = ("https://a.example,token=a.token,ca=ca.pem", "http://127.0.0.1:8710")
    light = LightConfig(HyphaConfig(gateways, "phone", 8720, 60), LoggingConfig(level="debug"))
    return (
        Target(
            name="config.yaml",
            decode=lambda data: settings.parse(Config, data, "config.yaml"),
            samples=(
                *(settings.dump(made).encode() for made in (Config(), full)),
                b'version: 1\ncell:\n  name: ${A:-b}$$\n  listen: ["${A:-c}"]',
            ),
            errors=(BadConfig,),
            form=Form.YAML,
            covers=("settings/documents.py:parse",),
            size_bytes_max=FILE_SIZE_BYTES_MAX,
        ),
        Target(
            name="hypha.yaml",
            decode=lambda data: settings.parse(LightConfig, data, "hypha.yaml"),
            samples=(settings.dump(light).encode(),),
            errors=(BadConfig,),
            form=Form.YAML,
            covers=("settings/documents.py:parse",),
            free_bytes=128 << 10,  # 1,024 values, the most that YAML may have, in 2 KB
            size_bytes_max=FILE_SIZE_BYTES_MAX,
        ),
        Target(
            name="answer of a gateway to a hypha",
            decode=lambda data: parse_answer(200 if len(data) % 3 else 404, data, "http://a"),
            samples=(
                b'{"certified_round": 7, "begins_at": 0, "proof": null}',
                b'{"error": {"code": "MYC-LEDGER-560", "message": "not yet"}}',
            ),
            errors=(AnswerGarbled, GatewayRefuses, GatewaySilent),
            form=Form.JSON,
            covers=("hypha/line.py:parse_answer",),
            size_bytes_max=ANSWER_SIZE_BYTES_MAX,
        ),
        Target(
            name="configuration in the environment",
            decode=_environment,
            samples=(
                b"MYCELD_CELL__GATEWAY_PORT=8710",
                b"MYCELD_CELL__LISTEN=/ip4/0.0.0.0/tcp/1,/ip6/::/tcp/2",
                b"CELLULER_CELL_NAME=ada",
            ),
            errors=(BadConfig,),
            form=Form.TEXT,
            size_bytes_max=64 << 10,
        ),
        Target(
            name="location of a seed",
            decode=lambda data: check_location(_text(data)),
            samples=(b"https://example.org:443/seed.json?x=1", b"http://[::1]:80/", b"seed.json"),
            errors=(SeedRefused,),
            form=Form.TEXT,
            covers=("node/discovery/locations.py:check_location",),
            size_bytes_max=64 << 10,
        ),
    )


_BODY_SAMPLES: Final[tuple[dict[str, object], ...]] = (
    {"transactions": ["00ff", "92"], "wait": "stored", "timeout_s": 1.5},
    {"key": "k", "value": "v", "nonce": 3},
    {"key": "k", "value_hex": "00"},
    {"action": "add", "cell": _CELL, "weight": 1, "name": "dora"},
    {"action": "approve", "proposal": "00" * 32},
    {"role": "sclerotium", "name": "x", "weight": 1, "expires_s": 60, "addresses": ["/ip4"]},
    {"cell": "ada", "journal": "consensus", "min_index": 4, "type": "seed"},
    {"writes": [{"key": "a", "value_hex": "ff", "if_round": 7}, {"key": "b", "delete": True}]},
    {"name": "club", "owners": ["ada"], "access": "writers", "writers": ["grace"]},
    {"prefix": "club/", "to_round": 9},
    {"cell": "ada", "score": 0.9, "scope": "storage"},
    {"title": "t", "actions": [{"action": "issue", "account": "ada", "amount": "1.5"}]},
    {"kind": "transfer", "arguments": {"to": "grace", "amount": "1"}},
    {"type": "AUTH", "to": "ada", "body_hex": "00ff"},
)


def _gateway() -> tuple[Target, ...]:
    answers = ({"items": [1, "x"], "next": None}, {"error": {"code": "MYC-X-1", "message": "no"}})
    return (
        Target(
            name="gateway: body",
            decode=_body,
            samples=tuple(map(_json, _BODY_SAMPLES)),
            errors=(BadRequest,),
            form=Form.JSON,
            covers=(
                "gateway/bodies.py:_parse_object",
                "gateway/reading.py:read_ask",
                *(f"gateway/kinds.py:{kind}.read" for kind in _KINDS),
            ),
            size_bytes_max=8 << 20,
        ),
        Target(
            name="gateway: query and path",
            decode=_query,
            samples=(
                b"start=0&limit=10&timeout_s=1.5&wait=stored",
                b"index=7&key=caf%C3%A9&nonce=",
                b"id=" + b"0a" * 32,
            ),
            errors=(BadRequest,),
            form=Form.TEXT,
            size_bytes_max=16 << 10,
        ),
        Target(
            name="cursor of the hashgraph",
            decode=lambda data: Cursor.parse(_text(data)),
            samples=(b"0.0.0.1", b"3.12345.12001.2049"),
            errors=(BadRequest,),
            form=Form.TEXT,
            covers=("node/dag_window.py:Cursor.parse",),
            size_bytes_max=64,
        ),
        Target(
            name="gateway: header",
            decode=_header,
            samples=(b"127.0.0.1:8710", b"[::1]:80", b"localhost", b"4096"),
            errors=(BodyTooLarge,),
            form=Form.TEXT,
            covers=("core/host_names.py:is_loopback_host",),
            size_bytes_max=16 << 10,
        ),
        Target(
            name="client: answer",
            decode=lambda data: answer_to(
                _QUESTION, 200 if len(data) % 2 else 400 + len(data) % 200, data
            ),
            samples=tuple(map(_json, answers)),
            errors=(CellAnswerUnreadable, CellRefused, CellUnreachable),
            own=True,
            form=Form.JSON,
            covers=("myceld/answers.py:answer_to",),
        ),
    )


def _credentials() -> tuple[Target, ...]:
    return (
        Target(
            name="gateway: signed request",
            decode=lambda data: SignedRequest.parse(_text(data)),
            samples=(
                b"ab" * 32
                + b".1800000000000."
                + b"00" * 16
                + b"."
                + b"cd" * 32
                + b"."
                + b"ef" * 64,
            ),
            errors=(BadRecord,),
            form=Form.TEXT,
            covers=("identity/request_signature.py:SignedRequest.parse",),
            size_bytes_max=16 << 10,
        ),
        Target(
            name="gateway: grants.json",
            decode=lambda data: grants._parsed(data, Path("grants.json")),
            samples=(_json(_grants()),),
            errors=(GrantsUnusable,),
            form=Form.JSON,
            covers=("gateway/grants.py:_parsed",),
            size_bytes_max=1 << 20,
        ),
    )


def _grants() -> object:
    numbers = {"created_ms": 1, "expires_ms": 0, "rate_per_minute": 0}
    moments = {"revoked_ms": 0, "used_ms": 2}
    rows = [
        {"id": "ab" * 8, "token_hash": "ab" * 32, "public_key": "", "scopes": ["read"]},
        {"id": "cd" * 8, "token_hash": "", "public_key": "cd" * 32, "scopes": ["submit", "admin"]},
    ]
    return {
        "version": 1,
        "mark": "abcdefgh",
        "grants": [{**row, **numbers, **moments, "name": "n"} for row in rows],
    }


def _command_line() -> tuple[Target, ...]:
    return (
        Target(
            name="tx send: batch",
            decode=_parse_batch,
            samples=(b"00ff\n9200\n", b"ab" * 40),
            errors=(BadInput,),
            form=Form.TEXT,
            covers=("cli/tx.py:_parse_batch",),
            size_bytes_max=8 << 20,
        ),
        Target(
            name="genesis create: member",
            decode=lambda data: founding._member(_text(data), 1),
            samples=(f"{_CELL}=ada:3".encode(), _CELL.encode()),
            errors=(BadOption, NotACellId),
            form=Form.TEXT,
            size_bytes_max=64 << 10,
        ),
    )


def _stored_head(data: bytes) -> object:
    """Read a head of a copy, whose row may be damaged anywhere."""
    text = _text(data)
    return _loaded(text, text.partition("/")[0])


def _proof_again(proof: Proof) -> bytes | None:
    """Return the file's bytes; None where `_text` had to read them as Latin-1."""
    text = format_proof(proof.index, proof.block, proof.hashes, proof.head)
    return None if re.search("[\x80-\xff]", text) else text.encode("utf-8", "surrogateescape")


def _tile(data: bytes) -> object:
    tile = Tile.from_bytes(data)
    return [tile.node(level, 0) for level in range(9)], tile.leaves()


def _from_file(name: str, read: Callable[[Path], object], data: bytes) -> object:
    folder = Path(_FOLDER.name)
    (folder / name).write_bytes(data)
    return read(folder)


def _or_refused(found: object) -> object:
    return REFUSED if found is None else found


def _environment(data: bytes) -> object:
    name, _, text = _text(data).partition("=")
    return assemble(Config, [], {name: text}).must()


_KINDS: Final = (
    *("Whole", "Digits", "Switch", "Flag", "Seconds", "Text", "Hex", "OneOf"),
    *("Scope", "Millionths", "Prana", "Object"),
)
_BODIES: Final[tuple[type[reading.Ask], ...]] = (
    *(WriteAsk, RollbackAsk, NamespaceAsk, SubmitAsk, PutAsk, MembersAsk, InviteAsk, FollowAsk),
    *(PruneAsk, AttestAsk, ProposalAsk, VoteAsk, ActAsk, SendAsk, PostAsk, RoomAsk),
)
_QUERIES: Final[tuple[type[reading.Ask], ...]] = (
    *(PageAsk, MayWaitAsk, BlockAsk, ChangesAsk, DifferencesAsk, ActsAsk, SporeAsk, HeadAsk),
    *(MessagesAsk, ValueProofAsk, RoundProofAsk),
)
_PATHS: Final[tuple[type[reading.Ask], ...]] = (HashPath, JournalPath)
_FIELDS: Final = frozenset(
    (
        *("transactions", "wait", "timeout_s", "key", "value", "value_hex", "nonce", "action"),
        *("cell", "weight", "name", "proposal", "role", "expires_s", "uses_max", "addresses"),
        *("journal", "min_index", "type", "a", "version", "members", "cut"),
        *("writes", "prefix", "to_round", "owners", "access", "writers", "limit"),
        *("score", "scope", "title", "actions", "proposal", "vote", "kind", "arguments", "to"),
        *("text", "body_hex", "room"),
    )
)


def _read(model: type[reading.Ask], fields: bodies.Fields) -> object:
    """Read what is meant for a model."""
    names = reading.names_of(model)
    return reading.read_ask(model, {name: fields[name] for name in fields if name in names})


def _body(data: bytes) -> object:
    """Read a body by each model that could be meant: nearly all of them refuse it."""
    fields = bodies._parse_object(data, _FIELDS)
    return _first(lambda model: _read(model, fields), _BODIES)


def _query(data: bytes) -> object:
    path = {"id": _text(data)[3:], "name": _text(data)}
    scope = {"type": "http", "query_string": data, "headers": [], "path_params": path}
    request = Request(scope)
    names = frozenset({"id", "nonce"}).union(*map(reading.names_of, _QUERIES))

    def read(model: type[reading.Ask]) -> object:
        return _read(model, path if model in _PATHS else bodies.query_fields(request, names))

    return _first(read, (*_QUERIES, *_PATHS))


def _first(call: Callable[[Any], object], readers: tuple[Any, ...]) -> object:
    """Return what the readers find; raise the last refusal when all refuse."""
    found, refusal = [], None
    for read in readers:
        try:
            found.append(call(read))
        except MyceldError as error:
            if type(error) is not BadRequest:
                raise
            refusal = error
    if refusal is not None and not found:
        raise refusal
    return found


def _header(data: bytes) -> object:
    text = data.decode("latin-1")
    scope = {"type": "http", "headers": [(b"content-length", data)]}
    bodies._check_announced(Request(scope))
    return is_loopback_host(text)


def _ascii(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise BadShares("not ASCII") from None


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1") if len(data) > 4096 else data.decode(errors="surrogateescape")
