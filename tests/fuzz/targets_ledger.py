"""Decoders of what is agreed on: the codec, events, transactions, and what the ledger certifies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final
from zlib import crc32

from core import codec
from core.codec import NotCanonical, WrongShape
from core.errors import check
from core.ids import (
    Epoch,
    Hash,
    MemberIndex,
    NotACellId,
    PublicKey,
    Round,
    Signature,
    TransactionId,
    cell_id_of,
    public_key_of,
)
from hashgraph import errors as graph_errors
from hashgraph.event import UnresolvedEvent, decode_any_event, decode_event, encode_event
from hashgraph.evidence import decode_evidence, encode_evidence, verify_fork
from hashgraph.header import decode_header as decode_event_header
from hashgraph.vector import read_expected, read_vector
from ledger import diagnosis
from ledger import errors as ledger_errors
from ledger.accounts import Account, decode_account
from ledger.actions import build_actions
from ledger.certificate import (
    epoch_of,
    parse_certificate,
    parse_checkpoint_signature,
)
from ledger.content import decode_content
from ledger.epoch_rules import supported
from ledger.errors import BadMapProof, StatePageLost
from ledger.forks import ProvenFork, decode_proven
from ledger.genesis import from_json, to_json
from ledger.governance import GovPropose, GovVote, Vote
from ledger.header import decode_header, receipts_root
from ledger.kinds import Arguments, parse_arguments
from ledger.map_proof import PROOF_SIZE_BYTES_MAX, TOP, Opened
from ledger.members import Action, MemberApprove, MemberLeave, MemberPropose
from ledger.network_score import EpochRecord, decode_record, decode_score
from ledger.page import decode_page
from ledger.proof import decode_proof as decode_proof_file
from ledger.proof import encode_proof as encode_proof_file
from ledger.proof import from_text, to_text
from ledger.prover import prove_keys, prove_piece, prove_range
from ledger.roster import decode_members, decode_roster, encode_members
from ledger.roster_proof import RosterStep, decode_proof, encode_proof
from ledger.succession import Origin, Succession, decode_origin, decode_succession
from ledger.transaction import parse
from ledger.transfer.errors import BadTransferFrame
from ledger.transfer.staging import (
    open_piece,
    staged_header,
    staged_piece,
    staged_receipts,
)
from ledger.transfer.wire import (
    FrameBodies,
    Receipts,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
    receipts_at,
)
from ledger.tree import StateTree
from ledger.trust import Attestation, TrustAttest, TrustRevoke, decode_attestation
from ledger.upgrades import Announce
from tests.fuzz.mutations import Form
from tests.fuzz.samples import DIGEST, SIGNED, VECTORS, bodies, from_hex, network_of, vector
from tests.fuzz.target import REFUSED, Target
from tests.fuzz.targets_decided import ACTIONS
from tests.ledger.proof_world import sample_proofs
from tests.ledger.test_diagnosis import ANSWERS, QUESTIONS
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS, Cell, certified, rotation, signed

_NEITHER = (NotCanonical, WrongShape)
_EVENT_ERRORS = (
    graph_errors.MalformedEvent,
    graph_errors.EventOutOfBounds,
    graph_errors.WrongEpoch,
)
_EVENTS = vector("event")
_EVENT_NETWORK = network_of("event")
_EVENT_EPOCH = Epoch(_EVENTS["epoch"])
_EVENT_SAMPLES = from_hex(
    *(case[form] for case in _EVENTS["cases"] for form in ("encoded", "encoded_with_hints"))
)
_FORK = vector("fork-evidence")
_FORK_NETWORK = network_of("fork-evidence")
_TRANSACTIONS = vector("transaction")
_NETWORK = network_of("transaction")
_TRANSFER = vector("transfer")
_ENTRIES = {b"value/%d" % number: b"%d" % number for number in range(40)}


def _map() -> StateTree:
    tree = StateTree()
    tree.update(_ENTRIES.items())
    return tree


def _proofs() -> tuple[bytes, ...]:
    """Return proofs of each kind."""
    state = _map().present()

    def fetch(keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {key: _ENTRIES[key] for key in keys}

    bounds = {"count_max": 5, "size_bytes_max": 1000}
    return (
        prove_keys(state, [b"value/3", b"value/none"], fetch),
        prove_range(state, b"value/2", b"value/5", fetch, **bounds),
        prove_range(state, b"", None, fetch, **bounds),
        prove_piece(state, TOP, fetch, size_bytes_max=150),
        prove_piece(state, TOP, fetch, size_bytes_max=10_000),
        b"\x01\x00",
    )


_PROOFS = _proofs()


KIND_SAMPLES: tuple[tuple[str, list[codec.Value]], ...] = (
    ("put", ["key", b"value"]),
    ("member-propose", ["add", DIGEST, 1, "dora"]),
    ("member-approve", [DIGEST]),
    ("member-leave", []),
    ("fork-evidence", [3, *from_hex(_FORK["evidence"])]),
    ("trust-attest", [DIGEST, "general", 1_000_000, 0]),
    ("trust-revoke", [DIGEST, "general"]),
    ("key-rotate", [DIGEST, SIGNED, SIGNED[::-1]]),
    ("post", [DIGEST, 1024, "minutes of May", 7]),
    ("post-withdraw", [DIGEST]),
    ("put-if", ["key", b"value", ["round", 7]]),
    ("put-if", ["key", b"value", ["absent"]]),
    ("delete", ["key", ["hash", DIGEST]]),
    ("delete", ["key", []]),
    ("namespace-claim", ["club/minutes", [DIGEST], "writers", [DIGEST, bytes(32)]]),
    ("namespace-set", ["club", [DIGEST], "anyone", []]),
    ("namespace-release", ["club"]),
    ("gov-propose", ["all", build_actions(ACTIONS), 1000]),
    ("gov-vote", [DIGEST, "abstain"]),
    ("gov-announce", supported("myceld 1").to_value()),
)
"""Of each kind but those of amounts, arguments that are taken."""


_OF_ARGUMENTS: Final = (
    "ledger/kinds.py:parse_arguments",
    "ledger/values.py:parse_put",
    "ledger/values.py:parse_put_if",
    "ledger/values.py:parse_delete",
    "ledger/values.py:_parse_key",
    "ledger/values.py:_parse_value",
    "ledger/values.py:_parse_condition",
    "ledger/namespaces.py:parse_claim",
    "ledger/namespaces.py:parse_set",
    "ledger/namespaces.py:parse_release",
    "ledger/namespaces.py:_parse_name",
    "ledger/namespaces.py:_parse_rules",
    "ledger/members.py:parse_propose",
    "ledger/members.py:parse_approve",
    "ledger/members.py:parse_leave",
    "ledger/forks.py:parse_proof",
    "ledger/trust.py:parse_attest",
    "ledger/trust.py:parse_revoke",
    "ledger/rotation.py:parse_rotate",
    "ledger/content.py:parse_post",
    "ledger/content.py:parse_withdraw",
    "ledger/governance.py:parse_gov_propose",
    "ledger/governance.py:parse_gov_vote",
    "ledger/upgrades.py:parse_announce",
)
"""What parses the arguments of kinds."""


def targets() -> tuple[Target, ...]:
    """Return the rows of this part of the table."""
    return (
        *_core(),
        *_events(),
        *_forks(),
        *_transactions(),
        *_chain(),
        *_certified(),
        *_proof_files(),
        *_state(),
        *_state_map(),
        *_transfer(),
    )


def _core() -> tuple[Target, ...]:
    values: tuple[codec.Value, ...] = (
        [],
        [1, -1, None, True, "text", b"bytes", [2**63 - 1, [-(2**63)]]],
        [[DIGEST] * 20, "é" * 40, 70000, b"x" * 300],
    )
    ids = tuple(key.cell_id.encode() for key in KEYS)
    return (
        Target(
            name="canonical value",
            decode=codec.decode,
            encode=codec.encode,
            samples=tuple(codec.encode(value) for value in values),
            errors=(NotCanonical,),
            covers=("core/codec.py:decode",),
        ),
        Target(
            name="cell id",
            decode=lambda data: public_key_of(_text(data)),
            encode=lambda key: cell_id_of(key).encode(),
            samples=ids,
            errors=(NotACellId,),
            form=Form.TEXT,
            covers=("core/ids.py:public_key_of",),
        ),
    )


def _events() -> tuple[Target, ...]:
    headers = from_hex(*(case["header"] for case in _EVENTS["cases"]))
    return (
        Target(
            name="event",
            decode=lambda data: decode_event(data, network_id=_EVENT_NETWORK, epoch=_EVENT_EPOCH),
            encode=_event_again,
            samples=_EVENT_SAMPLES,
            errors=(*_EVENT_ERRORS, graph_errors.OldEventFormat),
            covers=("hashgraph/event.py:decode_event", "hashgraph/event.py:_from_items"),
        ),
        Target(
            name="event of any epoch",
            decode=lambda data: decode_any_event(data, _EVENT_NETWORK)[0],
            encode=_event_again,
            samples=_EVENT_SAMPLES,
            errors=(
                graph_errors.MalformedEvent,
                graph_errors.EventOutOfBounds,
                graph_errors.OldEventFormat,
            ),
            covers=("hashgraph/event.py:decode_any_event",),
        ),
        Target(
            name="event header",
            decode=lambda data: decode_event_header(
                data, Signature(SIGNED), network_id=_EVENT_NETWORK, epoch=_EVENT_EPOCH
            ),
            encode=lambda header: header.body,
            samples=headers,
            errors=(*_EVENT_ERRORS, graph_errors.WrongNetwork),
            covers=("hashgraph/header.py:decode_header", "hashgraph/header.py:decode_places"),
        ),
    )


def _forks() -> tuple[Target, ...]:
    evidence = from_hex(_FORK["evidence"])
    fork_errors = (
        *_EVENT_ERRORS,
        graph_errors.MalformedEvidence,
        graph_errors.NoFork,
        graph_errors.WrongNetwork,
    )
    of_fork: dict[str, Any] = {"network_id": _FORK_NETWORK, "epoch": Epoch(_FORK["epoch"])}
    key = PublicKey(bytes.fromhex(_FORK["public_key"]))
    graphs = tuple(
        (VECTORS / "hashgraph" / name).read_bytes()
        for name in ("babble-consensus.json", "babble-round.json", "lachesis-classic-roots.json")
    )
    return (
        Target(
            name="fork evidence",
            decode=lambda data: decode_evidence(data, **of_fork),
            encode=encode_evidence,
            samples=evidence,
            errors=fork_errors,
            covers=("hashgraph/evidence.py:decode_evidence",),
        ),
        Target(
            name="fork evidence, verified",
            decode=lambda data: verify_fork(data, public_key=key, **of_fork),
            encode=encode_evidence,
            samples=evidence,
            errors=(*fork_errors, graph_errors.ForgedEvidence),
        ),
        Target(
            name="hashgraph file",
            decode=lambda data: (read_vector(data), read_expected(data)),
            samples=graphs,
            errors=(graph_errors.MalformedVector,),
            own=True,
            form=Form.JSON,
            covers=(
                "hashgraph/vector.py:read_vector",
                "hashgraph/vector.py:read_expected",
                "hashgraph/vector.py:_read_events",
            ),
        ),
    )


def _transactions() -> tuple[Target, ...]:
    pair, newcomer = KEYS[0], NEWCOMERS[0]
    acts: tuple[Arguments, ...] = (
        MemberPropose(Action.ADD, newcomer.public_key, 3, "dora"),
        MemberPropose(Action.REMOVE, pair.public_key),
        MemberPropose(Action.WEIGHT, pair.public_key, 2**32),
        MemberApprove(parse(signed(pair, 0, MemberLeave()), GENESIS.network_id).id),
        MemberLeave(),
        TrustAttest(newcomer.public_key, "general", 900_000, Round(7)),
        TrustRevoke(newcomer.public_key, "general"),
        rotation(pair, newcomer),
        GovPropose("all at once", ACTIONS, 1000),
        GovVote(TransactionId(DIGEST), Vote.ABSTAIN),
        Announce(supported("myceld 1")),
    )
    made = tuple(signed(pair, at, arguments) for at, arguments in enumerate(acts))
    rows = ("signed", "opaque")
    golden = from_hex(*(case["encoded"] for row in rows for case in _TRANSACTIONS[row]))
    arguments = (
        ledger_errors.Malformed,
        ledger_errors.Oversize,
        ledger_errors.UnknownKind,
        ledger_errors.BadProposal,
        ledger_errors.BadAction,
        ledger_errors.BadNamespace,
        ledger_errors.BadCondition,
        ledger_errors.UnknownParameter,
        ledger_errors.BadEvidence,
        ledger_errors.BadAttestation,
        ledger_errors.BadRotation,
    )
    return (
        Target(
            name="transaction",
            decode=lambda data: parse(data, _NETWORK),
            samples=golden,
            errors=(*arguments, ledger_errors.WrongNetwork),
            covers=("ledger/transaction.py:parse", "ledger/transaction.py:_parse_signed"),
        ),
        Target(
            name="transaction, members",
            decode=lambda data: parse(data, GENESIS.network_id),
            samples=made,
            errors=(*arguments, ledger_errors.WrongNetwork),
        ),
        Target(
            name="transaction arguments",
            decode=_arguments,
            samples=tuple(codec.encode(value) for value in KIND_SAMPLES),
            errors=(*arguments, *_NEITHER),
            covers=_OF_ARGUMENTS,
        ),
    )


def _chain() -> tuple[Target, ...]:
    genesis = tuple(json.dumps(case["file"]).encode() for case in vector("genesis")["cases"])
    headers = from_hex(*(case["encoded"] for case in vector("header")["headers"]))
    return (
        Target(
            name="genesis file",
            decode=from_json,
            samples=(*genesis, to_json(GENESIS).encode()),
            errors=(ledger_errors.BadGenesis,),
            form=Form.JSON,
            covers=("ledger/genesis.py:from_json",),
            size_bytes_max=64 * 1024,
        ),
        Target(
            name="round header",
            decode=decode_header,
            encode=lambda header: header.encode(),
            samples=headers,
            errors=_NEITHER,
            covers=("ledger/header.py:decode_header",),
        ),
        Target(
            name="roster",
            decode=decode_roster,
            encode=lambda roster: roster.encode(),
            samples=(GENESIS.roster.encode(),),
            errors=(*_NEITHER, ledger_errors.BadRoster),
            covers=("ledger/roster.py:decode_roster",),
        ),
    )


def _certified() -> tuple[Target, ...]:
    checkpoint = vector("checkpoint")
    cell = Cell()
    cell.apply([])
    header = cell.headers[-1]
    step = RosterStep(
        header,
        certified(header, range(4)),
        tuple(key.public_key for key in KEYS),
        GENESIS.roster,
    )
    proofs = (encode_proof([]), encode_proof([step]), encode_proof([step, step]))
    return (
        Target(
            name="checkpoint signature",
            decode=lambda data: (
                parse_checkpoint_signature(codec.decode(data)),
                epoch_of(codec.decode(data)),
            ),
            encode=lambda found: codec.encode(found[0].to_value()),
            samples=from_hex(checkpoint["signature"]),
            errors=_NEITHER,
            covers=(
                "ledger/certificate.py:parse_checkpoint_signature",
                "ledger/certificate.py:epoch_of",
            ),
        ),
        Target(
            name="certificate",
            decode=lambda data: parse_certificate(codec.decode(data)),
            encode=lambda found: codec.encode(found.to_value()),
            samples=from_hex(checkpoint["certificate"]),
            errors=_NEITHER,
            covers=("ledger/certificate.py:parse_certificate",),
        ),
        Target(
            name="proof of the roster",
            decode=decode_proof,
            encode=encode_proof,
            samples=proofs,
            errors=(ledger_errors.BadRosterChain,),
            covers=("ledger/roster_proof.py:decode_proof",),
            size_bytes_max=192 * 1024,
        ),
    )


def _proof_files() -> tuple[Target, ...]:
    """What shows to others what was decided, and where a state is not the one that was."""
    return (
        Target(
            name="question about a divergence",
            decode=diagnosis.decode_question,
            encode=lambda found: diagnosis.encode_question(found)[diagnosis.LENGTH_BYTES :],
            samples=tuple(
                diagnosis.encode_question(one)[diagnosis.LENGTH_BYTES :] for one in QUESTIONS
            ),
            errors=(ledger_errors.BadDiagnosis,),
            covers=("ledger/diagnosis.py:decode_question",),
        ),
        Target(
            name="answer about a divergence",
            decode=diagnosis.decode_answer,
            encode=lambda found: diagnosis.encode_answer(found)[diagnosis.LENGTH_BYTES :],
            samples=tuple(
                diagnosis.encode_answer(one)[diagnosis.LENGTH_BYTES :] for one in ANSWERS
            ),
            errors=(ledger_errors.BadDiagnosis,),
            covers=("ledger/diagnosis.py:decode_answer",),
        ),
        Target(
            name="proof of what was decided",
            decode=decode_proof_file,
            encode=encode_proof_file,
            samples=tuple(encode_proof_file(proof) for proof in sample_proofs().values()),
            errors=(ledger_errors.ProofUnreadable,),
            covers=(
                "ledger/proof.py:decode_proof",
                "ledger/header.py:decode_receipt",
                "ledger/genesis.py:decode_genesis",
            ),
        ),
        Target(
            name="text of a proof of what was decided",
            decode=lambda data: from_text(data.decode("latin-1")),
            samples=tuple(
                to_text(encode_proof_file(proof)).encode() for proof in sample_proofs().values()
            ),
            errors=(ledger_errors.ProofUnreadable,),
            covers=("ledger/proof.py:from_text",),
            form=Form.TEXT,
        ),
    )


def _state() -> tuple[Target, ...]:
    """The values that the ledger keeps in its state, and a newcomer gets from strangers."""
    members = GENESIS.members
    proven = ProvenFork(Hash(DIGEST), Round(3), KEYS[1].public_key)
    sign = Signature(SIGNED)
    return (
        Target(
            name="state: account",
            decode=decode_account,
            encode=Account.encode,
            samples=(Account(70, 2**63 + 5, 2**62).encode(), Account(is_given_up=True).encode()),
            errors=_NEITHER,
            covers=("ledger/accounts.py:decode_account",),
        ),
        Target(
            name="state: members",
            decode=decode_members,
            encode=encode_members,
            samples=(encode_members(members),),
            errors=_NEITHER,
            covers=("ledger/roster.py:decode_members", "ledger/roster.py:member_of"),
        ),
        Target(
            name="state: content",
            decode=decode_content,
            encode=lambda found: found.encode(),
            samples=(codec.encode([1024, "minutes of May", 7, DIGEST, 9, 8]),),
            errors=_NEITHER,
            covers=("ledger/content.py:decode_content",),
        ),
        Target(
            name="state: proven fork",
            decode=decode_proven,
            encode=lambda found: found.encode(),
            samples=(proven.encode(),),
            errors=_NEITHER,
            covers=("ledger/forks.py:decode_proven",),
        ),
        Target(
            name="state: what follows a key",
            decode=decode_succession,
            encode=lambda found: found.encode(),
            samples=(Succession(PublicKey(DIGEST), Round(7), sign, sign).encode(),),
            errors=_NEITHER,
            covers=("ledger/succession.py:decode_succession",),
        ),
        Target(
            name="state: where a key came from",
            decode=decode_origin,
            encode=lambda found: found.encode(),
            samples=(Origin(PublicKey(DIGEST), PublicKey(bytes(32)), Round(7)).encode(),),
            errors=_NEITHER,
            covers=("ledger/succession.py:decode_origin",),
        ),
        *_trust(),
    )


def _trust() -> tuple[Target, ...]:
    """What the state keeps of attestations and of the network's scores."""
    attestations = (
        Attestation(900_000, Round(7), 2**60, Round(99)),
        Attestation(0, Round(2**40), 1, is_revoked=True),
    )
    record = EpochRecord(
        frozenset({MemberIndex(0), MemberIndex(127)}),
        frozenset({KEYS[0].public_key, KEYS[1].public_key}),
    )
    return (
        Target(
            name="state: attestation",
            decode=decode_attestation,
            encode=lambda found: found.encode(),
            samples=tuple(found.encode() for found in attestations),
            errors=_NEITHER,
            covers=("ledger/trust.py:decode_attestation",),
        ),
        Target(
            name="state: score",
            decode=decode_score,
            encode=lambda score: codec.encode([score]),
            samples=(codec.encode([0]), codec.encode([1_000_000])),
            errors=_NEITHER,
            covers=("ledger/network_score.py:decode_score",),
        ),
        Target(
            name="state: record of the epoch",
            decode=decode_record,
            encode=lambda found: found.encode(),
            samples=(EpochRecord().encode(), record.encode()),
            errors=_NEITHER,
            covers=("ledger/network_score.py:decode_record",),
        ),
    )


def _transfer() -> tuple[Target, ...]:
    asks = {name: text for name, text in _TRANSFER.items() if name.startswith("ask ")}
    answers = {name: text for name, text in _TRANSFER.items() if name not in asks}
    receipts = decode_answer(bytes.fromhex(_TRANSFER["receipts"])[4:])
    rows = receipts.rows if isinstance(receipts, Receipts) else ()
    header = replace(
        decode_header(from_hex(vector("header")["headers"][-1]["encoded"])[0]),
        transactions=len(rows),
        transactions_total=len(rows),
        receipts_root=receipts_root(receipts_at(rows, 0)),
    )
    return (
        Target(
            name="transfer request",
            decode=decode_ask,
            encode=lambda ask: encode_ask(ask)[4:],
            samples=bodies(asks),
            errors=(BadTransferFrame,),
            covers=("ledger/transfer/wire.py:decode_ask",),
        ),
        Target(
            name="transfer answer",
            decode=decode_answer,
            encode=lambda answer: encode_answer(answer)[4:],
            samples=bodies(answers),
            errors=(BadTransferFrame,),
            covers=("ledger/transfer/wire.py:decode_answer", "ledger/transfer/wire.py:row_of"),
        ),
        Target(
            name="transfer stream",
            decode=_transfer_stream,
            samples=from_hex(*answers.values(), "".join(answers.values())),
            errors=(BadTransferFrame,),
            covers=("ledger/transfer/wire.py:FrameBodies.feed",),
        ),
        Target(
            name="staged header",
            decode=lambda data: staged_header(sha256(data).digest(), lambda _: data) or REFUSED,
            samples=from_hex(*(case["encoded"] for case in vector("header")["headers"])),
            errors=(),
            covers=("ledger/transfer/staging.py:staged_header",),
        ),
        Target(
            name="staged receipts",
            decode=lambda data: staged_receipts(header, lambda _: data) or REFUSED,
            samples=(codec.encode([list(row) for row in rows]),),
            errors=(),
            covers=("ledger/transfer/staging.py:staged_receipts",),
            size_bytes_max=4 << 20,
        ),
    )


def _state_map() -> tuple[Target, ...]:
    """Return what is read of the state's map: proofs of strangers, and rows of our own."""
    return (
        Target(
            name="piece of the state",
            decode=_piece,
            samples=_PROOFS[-3:],
            errors=(BadMapProof,),
            covers=(
                "ledger/transfer/staging.py:open_piece",
                "ledger/transfer/staging.py:staged_piece",
            ),
            size_bytes_max=PROOF_SIZE_BYTES_MAX,
        ),
        Target(
            name="proof about the state map",
            decode=_map_proof,
            samples=_PROOFS,
            errors=(BadMapProof,),
            covers=(
                "ledger/map_proof.py:Opened.__init__",
                "ledger/map_proof.py:Opened._read",
            ),
            size_bytes_max=PROOF_SIZE_BYTES_MAX,
        ),
        Target(
            name="page of the state map",
            decode=_page,
            samples=tuple(row.body for row in StateTree().update(_ENTRIES.items()).put),
            errors=(),
            covers=("ledger/page.py:decode_page",),
        ),
    )


def pieces(data: bytes) -> Iterator[bytes]:
    """Yield a stream as it may arrive, in pieces whose sizes the content decides."""
    sizes = (1, 3, 4, 5, 64, 1460, 65536)
    at = 0
    while at < len(data):
        size = sizes[(data[at] + at) % len(sizes)] if at < 4096 else 65536
        yield data[at : at + size]
        at += size


def _transfer_stream(data: bytes) -> list[object]:
    reader = FrameBodies()
    return [decode_answer(body) for piece in pieces(data) for body in reader.feed(piece)]


def _arguments(data: bytes) -> object:
    kind, items = codec.as_array(codec.decode(data), length=2)
    return parse_arguments(codec.as_text(kind, length_max=32), codec.as_array(items))


def _event_again(event: UnresolvedEvent) -> bytes | None:
    """Return the event's bytes, made anew; None where its parents are not known."""
    resolved = event.resolved(event.hints)
    return None if resolved is None else encode_event(resolved, hints=bool(event.hints))


def _piece(data: bytes) -> object:
    """Do with a piece what a newcomer does: compute its root, and see what else lies there."""
    opened = open_piece(data, TOP)
    found = staged_piece(opened.root, TOP, lambda _: data)
    check(found is not None and found[0].entries() == opened.entries(), "found by its root")
    return opened.entries(), opened.hidden()


def _map_proof(data: bytes) -> object:
    """Ask a proof whatever it may tell."""
    opened = Opened(data)
    told: list[object] = [opened.root]
    for key in (b"", b"value/3", b"value/none", b"z" * 512):
        for ask in (opened.get, lambda start: opened.scan(start, None)):
            try:
                told.append(ask(key))
            except BadMapProof:
                told.append(None)
    return told


def _page(data: bytes) -> object:
    """Read a page whose checksum is right, whatever else is."""
    try:
        page = decode_page(data[:-4] + crc32(data[:-4]).to_bytes(4, "little"))
        return page.entries(), page.digest(0, page.count), page.root
    except StatePageLost:
        return REFUSED


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1") if len(data) > 4096 else data.decode(errors="surrogateescape")
