"""No decoder is left out: whatever looks like one is in the table, or says why it need not be."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from core.errors import InvariantBroken, MyceldError
from tests.fuzz.judge import Report, try_one
from tests.fuzz.target import Target
from tests.fuzz.targets import all_targets

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = tuple(
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "root_packages"
    ]
)
LOOKS_LIKE_ONE: Final = re.compile(
    r"_*(decode|parse|from_(json|bytes|hex|base32|items|fields|text)|read|load|unpack|split|loaded"
    r"|verified|member_of|row_of|epoch_of|cell_of|public_key_of|addresses_in|staged)(_|d?$)|feed$"
)
WITH_CONTENT: Final = re.compile(r"\b(bytes|str|bytearray|Value|object|Path|Staged)\b")

NOT_FUZZED: Final = {
    "cli/support_bundle.py:_read": "reads a file of the home, and cleans what it has of secrets",
    "gateway/reference_files.py:_read": "our own files, by the names in a table",
    "gateway/static_files.py:read_file": "our own files, by the names in a table",
    "core/json_text.py:parse_json": "every file and body in JSON goes through it",
    "core/yaml_text.py:read_yaml": "config.yaml and hypha.yaml go through it",
    "settings/files.py:load": "opens the file; config.yaml is fuzzed",
    "settings/files.py:load_file": "opens the file; config.yaml is fuzzed",
    "settings/files.py:read_file": "opens the file; config.yaml is fuzzed",
    "settings/files.py:read_layers": "opens the files; config.yaml is fuzzed",
    "settings/profiles/__init__.py:read_profile": "our own files",
    "hypha/config.py:load": "opens the file; hypha.yaml is fuzzed",
    "hypha/home.py:read_genesis": "opens the file; genesis files are fuzzed",
    "hypha/gateway_address.py:GatewayAddress.read_token": "opens the file: a line of its text",
    "hypha/gateway_address.py:parse_gateway": "a word of a command line",
    "gateway/grant_routes.py:_Name.read": "a Text, and nothing else of it is read",
    "node/home.py:_read_or_make": "the cell's own tokens",
    "identity/keystore.py:load": "opens the file; `_parse` is fuzzed",
    "node/discovery/seeds.py:SeedFinder._read": "fetches; spore files are fuzzed",
    "node/discovery/seeds.py:read_seed": "fetches; spore files are fuzzed",
    "node/discovery/seeds.py:_read_file": "opens the file; spore files are fuzzed",
    "cli/backup.py:_FileFirst.parse_args": "words of a command line",
    "node/divergence.py:DivergenceSearch._verified": "calls decode_proof",
    "node/backup/making.py:unpack": "writes files; tests/node/backup changes and cuts backups",
    "node/founding.py:read_genesis": "opens the file; genesis files are fuzzed",
    "node/dag.py:Dag._decoded": "calls decode_event",
    "node/headers.py:Headers.open": "reads our own tables",
    "node/journal_answers.py:JournalAnswers._decoded": "calls decoders that are fuzzed",
    "node/stages/active_epoch.py:ActiveEpoch.unpack": "calls decode_event",
    "node/stages/execution.py:Execution._parse": "calls ledger.transaction.parse",
    "node/stages/intake.py:Intake.parse": "calls ledger.transaction.parse",
    "gateway/tls_session.py:Session.feed": "OpenSSL reads it; the hello before it is fuzzed",
    "gateway/bodies.py:read_field": "calls the kinds",
    "gateway/kinds.py:Kind.read": "has none of its own; each kind is fuzzed",
    "gateway/bodies.py:read_fields": "takes the body in; `_parse_object` is fuzzed",
    "cli/join.py:_read_ticket": "opens the file; tickets are fuzzed",
    "cli/journal.py:read": "a command",
    "cli/journal.py:read_text": "opens the file; proof files are fuzzed",
    "cli/options.py:read_value": "the bytes themselves are the value",
    "cli/proof_file.py:_read": "opens the file; proof files are fuzzed",
    "cli/spore.py:_read": "opens the file; spore files are fuzzed",
    "cli/devnet/commands.py:_loaded": "calls Devnet.load",
    "journal/database.py:_load": "rows of SQLite: tests/journal/test_flips.py flips their bytes",
    "journal/replication/follower.py:Follower._verified": "calls parse_checkpoint, verify_parsed",
    "journal/statements.py:split_script": "our own SQL",
    "myceld/basis.py:CellClient.from_home": "run.json and gateway.token are fuzzed",
    "myceld/basis.py:CellClient.from_environment": "words that the user set",
    "myceld/verified_calls.py:VerifiedCalls._verified": "calls verify_text",
    "myceld/verified_calls.py:VerifiedCalls.verified_receipt": "reads what verify_text proved",
    "myceld/verified_calls.py:VerifiedCalls.verified_round": "reads what verify_text proved",
    "myceld/verified_calls.py:VerifiedCalls.verified_value": "reads what verify_text proved",
    "myceld/verified_calls.py:VerifiedCalls.verified_values": "reads what verify_text proved",
    "ledger/machine.py:Ledger._load_account": "calls decode_account",
    "ledger/machine.py:Ledger.read": "the value itself",
    "ledger/overlay.py:Overlay.read": "the value itself",
    "ledger/parameters.py:read_parameter": "calls decode_parameter",
    "node/tables.py:staged_body": "a row by its key",
    "node/tables.py:staged_statement": "writes",
    "sim/taps.py:FrameCutter.feed": "a simulated wire, of frames that our own cells made",
    "journal/replication/feeds.py:Shelf.feed": "a journal by its name",
}


def covered() -> set[str]:
    return {name for target in all_targets() for name in target.covers}


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield every function of the packages, as `folder/file.py:Class.function`."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from _within(tree, f"{path.relative_to(ROOT)}:")


def _within(
    node: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _within(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child


def looks_like_decoder(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    annotations = [a.annotation for a in function.args.args if a.arg not in {"self", "cls"}]
    takes_content = any(a is not None and WITH_CONTENT.search(ast.unparse(a)) for a in annotations)
    return takes_content and LOOKS_LIKE_ONE.match(function.name) is not None


def test_every_function_that_looks_like_a_decoder_is_fuzzed_or_says_why_not() -> None:
    looking = {name for name, function in functions() if looks_like_decoder(function)}
    assert looking - covered() - set(NOT_FUZZED) == set()


def test_what_the_table_and_the_exceptions_name_exists() -> None:
    existing = {name for name, _ in functions()}
    assert (covered() | set(NOT_FUZZED)) - existing == set()


def test_an_exception_is_not_in_the_table_too() -> None:
    assert covered() & set(NOT_FUZZED) == set()


@pytest.mark.parametrize(
    ("source", "looks"),
    [
        ("def decode_thing(data: bytes) -> Thing: ...", True),
        ("def _parse(text: str, kind: int) -> Thing: ...", True),
        ("async def read(path: Path) -> Thing: ...", True),
        ("def parse_number(count: int) -> Thing: ...", False),
        ("def ready(text: str) -> Thing: ...", False),
    ],
)
def test_the_scan_knows_a_decoder_when_it_sees_one(source: str, looks: bool) -> None:  # noqa: FBT001 - a case
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    assert looks_like_decoder(function) is looks


def test_names_are_given_once() -> None:
    names = [target.name for target in all_targets()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("target", all_targets(), ids=lambda target: target.name)
def test_its_samples_are_valid_and_its_errors_are_those_of_a_decoder(target: Target) -> None:
    report = Report(target.name)
    for sample in target.samples:
        data = sample if target.wrap is None else target.wrap(sample)
        try_one(target, data, report, measured=False)
    assert (report.failures, report.refused, report.accepted) == ([], {}, len(target.samples))
    for error in target.errors:
        assert issubclass(error, MyceldError)
        assert not issubclass(error, InvariantBroken)
        assert error.code != MyceldError.code
