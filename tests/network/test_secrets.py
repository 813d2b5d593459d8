"""What is secret stays in the key file: not in logs, `ps`, tracebacks, crash dumps or other files.

One real cell runs with a known seed and passphrase, is asked everything, and dies of SIGABRT with
Python's crash dump on. Everything it and the commands left is searched, in each usual spelling.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

import mnemonic
import psutil
import pytest

from core.ids import cell_id_of
from gossip.host import HostConfig
from identity import keystore
from identity.keys import KeyPair
from identity.keystore import Lock, OpenKeys, PlainKey
from identity.passphrase import Passphrase, PassphraseSource
from identity.sealed_seed import Cost, DerivedKey
from ledger.genesis import Genesis
from ledger.roster import Member
from node.assembly import Setup
from settings import Config
from tests.network.devnet import COMMAND, ROOT, WAIT_S, myceld

SEED: Final = hashlib.sha256(b"a seed to look for").digest()
PHRASE: Final = "a passphrase to look for"
OTHER_PHRASE: Final = "the one of an encrypted copy"
CHAT: Final = "only the receiver is to read this"
COST: Final = ("--ops", "2", "--memory-mib", "64")


def _spellings(secret: bytes) -> Iterator[bytes]:
    """Yield how a secret could be written. Of base64 the part that no neighbour changes."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield repr(secret)[2:-1].encode()
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(shift) + secret)[4 if shift else 0 :].rstrip(b"=")[:-2]


def _needles() -> frozenset[bytes]:
    scalar = hashlib.sha512(SEED).digest()[:32]
    words = mnemonic.Mnemonic("english").to_mnemonic(SEED).encode()
    texts = [text.encode() for text in (PHRASE, OTHER_PHRASE, CHAT)]
    secrets = (SEED, SEED[:16], SEED[16:], scalar, words, *texts)
    return frozenset(spelling for secret in secrets for spelling in _spellings(secret))


NEEDLES: Final = _needles()


def _is_clean(text: bytes, needles: frozenset[bytes] = NEEDLES) -> bool:
    return not any(needle in text for needle in needles)


@pytest.mark.parametrize("spelling", sorted(_spellings(SEED)))
def test_the_search_finds_a_secret_however_it_is_written(spelling: bytes) -> None:
    assert not _is_clean(b"level=debug key=" + spelling + b" more")


@pytest.mark.parametrize("before", [b"", b"x", b"xy"])
def test_the_search_finds_a_secret_inside_of_base64(before: bytes) -> None:
    assert not _is_clean(base64.b64encode(before + SEED + b"and so on"))


def _phrase_file(path: Path, text: str) -> Path:
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def _left(*places: Path) -> Iterator[tuple[Path, bytes]]:
    for place in places:
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.is_file():
                yield path, path.read_bytes()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into Linux's /proc")
def test_a_cell_that_ran_was_asked_everything_and_crashed_left_no_secret(tmp_path: Path) -> None:
    home, copies = tmp_path / "home", tmp_path / "copies"
    copies.mkdir()
    phrase = _phrase_file(tmp_path / "phrase", PHRASE)
    at = ("--home", str(home))
    unlock = ("--passphrase-file", str(phrase))
    told = [
        myceld(
            "key", "import", "--seed", *at, "--new-passphrase-file", str(phrase), *COST,
            given=SEED.hex() + "\n",
        ),
        myceld("init", *at, *unlock, "--network", "solo"),
    ]  # fmt: skip
    with (home / "config.yaml").open("a") as config:
        config.write("logging:\n  file: cell.log\n  level: debug\n")
    log = tmp_path / "log"
    with phrase.open() as secret, log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "run", *at, "--log-level", "debug", "--passphrase-fd", str(secret.fileno())],
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=ROOT,
            env=os.environ | {"PYTHONFAULTHANDLER": "1"},
            pass_fds=(secret.fileno(),),
        )
    try:
        assert process.stdout is not None
        said = b"".join(iter(lambda: _until_ready(process), b"ready\n"))
        of_system = Path(f"/proc/{process.pid}")
        shown = (of_system / "cmdline").read_bytes() + (of_system / "environ").read_bytes()
        assert b"--passphrase-fd" in shown
        assert "0 0" in " ".join(_limit(process.pid, "Max core file size").split())
        assert not psutil.Process(process.pid).children()
        told += _asked_everything(tmp_path, phrase)
        scoped, ticket = _given_to_others(home)
        _plant(home / "old.log", scoped, ticket, _share_in(next((tmp_path / "shares").iterdir())))
        told.append(myceld("support-bundle", str(tmp_path / "bundle.tar.gz"), *at))
        process.send_signal(signal.SIGABRT)
        rest = process.stdout.read()
        assert process.wait(WAIT_S) == -signal.SIGABRT
    finally:
        process.kill()
        process.wait(WAIT_S)
        if process.stdout is not None:
            process.stdout.close()
    assert b"Fatal Python error: Aborted" in log.read_bytes()
    keys = keystore.open_keys(home / "key.json", PassphraseSource(file=phrase).read)
    assert [pair.seed for pair in keys.others] == [SEED]
    token = (home / "gateway.token").read_bytes().strip()
    shares = frozenset(_share_in(path) for path in (tmp_path / "shares").iterdir())
    assert len(shares) == 3
    needles = NEEDLES | shares | {token, scoped, ticket} | frozenset(_spellings(keys.pair.seed))
    assert _is_clean(shown, needles)
    assert _is_clean(said + rest, needles)
    for done in told:
        assert _is_clean(done.stdout.encode() + done.stderr.encode(), needles), done.args
    of_store = frozenset({CHAT.encode()})  # whoever sent a message has it
    known = {"gateway.token": frozenset({token}), "cell.db": of_store, "cell.db-wal": of_store}
    known["old.log"] = needles  # where all were put
    for path, data in _left(home, copies, log):
        assert _is_clean(data, needles - known.get(path.name, frozenset())), path
    assert not _is_clean((home / "old.log").read_bytes(), shares)
    _check_bundle(tmp_path / "bundle.tar.gz", tmp_path / "bundle", needles)
    for path, _ in _left(home, copies, tmp_path / "shares"):
        # The spore is for others to read.
        assert path.name == "seed.json" or path.stat().st_mode & 0o077 == 0, path
    assert not list(ROOT.glob("core*.[0-9]*"))


def _asked_everything(place: Path, phrase: Path) -> list[subprocess.CompletedProcess[str]]:
    """Ask a running cell for all sorts of things, with and without its passphrase."""
    at = ("--home", str(place / "home"))
    unlock = ("--passphrase-file", str(phrase))
    other = _phrase_file(place / "other", OTHER_PHRASE)
    return [
        myceld("tx", "put", "hello", "world", *at, "--wait", "certified"),
        myceld("tx", "sign", "hello", "again", *at, "--nonce", "9", *unlock),
        myceld("spore", "export", str(place / "home" / "seed.json"), *at),
        myceld("invite", *at, "--json"),
        *(myceld(*words, *at) for words in (("status",), ("peers",), ("member", "list"))),
        myceld("key", "show", *at, "--json"),
        myceld(
            "key", "export", str(place / "copies" / "copy.json"), *at, *unlock,
            "--new-passphrase-file", str(other), *COST,
        ),
        myceld("key", "export", "--seed", *at, "--passphrase-file", str(other), expect=1),
        myceld(
            "key", "split", *at, *unlock, "--shares", "3", "--threshold", "2",
            "--out", str(place / "shares"),
        ),
        myceld("key", "rotate", *at),
        myceld("tx", "put", "hello", "again", *at, "--wait", "certified"),
    ]  # fmt: skip


def _given_to_others(home: Path) -> tuple[bytes, bytes]:
    """Send a message, and make a token and a ticket; return the two, which are shown once."""
    at = ("--home", str(home))
    receiver = cell_id_of(KeyPair(hashlib.sha256(b"somebody who is away").digest()).public_key)
    myceld("send", receiver, CHAT, *at)
    made = myceld("token", "create", "--name", "shop", "--scope", "read", *at, "--json")
    invited = myceld("invite", *at, "--json")
    return json.loads(made.stdout)["token"].encode(), json.loads(invited.stdout)["ticket"].encode()


def _plant(path: Path, scoped: bytes, ticket: bytes, share: bytes) -> None:
    """Write a log as no cell does: everything that is secret is in it."""
    seed_words = mnemonic.Mnemonic("english").to_mnemonic(SEED)
    lines = [
        "round 7 decided",
        f"Authorization: Bearer {scoped.decode()}",
        f"joined by {ticket.decode()}",
        f"share {share.decode()} end",
        f"words {seed_words}",
        json.dumps({"event": "opened", "passphrase": PHRASE, "round": 7}),
        f"passphrase='{OTHER_PHRASE}' round=7",
        f"passphrase: {PHRASE}",
        f"seed={SEED.hex()}",
    ]
    path.write_text("\n".join([*lines, ""]))
    path.chmod(0o600)


def _check_bundle(file: Path, place: Path, needles: frozenset[bytes]) -> None:
    """The support bundle has the logs, and no secret."""
    with tarfile.open(file) as bundle:
        bundle.extractall(place, filter="data")
    parts = dict(_left(place))
    assert len(parts) > 10
    logs = [data for path, data in parts.items() if path.name.startswith("log-")]
    assert [b"assembly" in data or b"round 7 decided" in data for data in logs] == [True, True]
    for path, data in parts.items():
        assert _is_clean(data, needles), path


def _limit(pid: int, name: str) -> str:
    (line,) = [
        line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if name in line
    ]
    return line.removeprefix(name)


def _share_in(path: Path) -> bytes:
    (words,) = [line for line in path.read_bytes().splitlines() if not line.startswith(b"#")]
    assert len(words.split()) == 33
    return words


def _until_ready(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    line: bytes = process.stdout.readline()
    assert line, "it ended before it was ready"
    return line


def test_nothing_secret_shows_in_what_holds_it() -> None:
    pair = KeyPair(SEED)
    genesis = Genesis("solo", (Member(pair.public_key, 1, "one"),), 0)
    holders = [
        pair,
        PlainKey(pair),
        Passphrase(PHRASE),
        Lock(Passphrase(PHRASE)),
        OpenKeys(pair, (pair,), DerivedKey(Cost(), bytes(16), SEED)),
        PassphraseSource(),
        HostConfig(SEED, (), "/x"),
        Setup(pair, genesis, Config),
    ]
    for holder in holders:
        assert _is_clean(f"{holder} {holder!r} {[holder]}".encode()), type(holder)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into Linux's /proc")
def test_a_command_that_works_with_secrets_shows_none_to_ps_and_dumps_no_core(
    tmp_path: Path,
) -> None:
    home, phrase = tmp_path / "home", _phrase_file(tmp_path / "phrase", PHRASE)
    other = _phrase_file(tmp_path / "other", OTHER_PHRASE)
    at = ("--home", str(home))
    myceld("key", "import", "--seed", *at, given=SEED.hex() + "\n")
    new = ("--new-passphrase-file", str(other), "--ops", "16", "--memory-mib", "1024")
    with subprocess.Popen(
        [*COMMAND, "key", "change-passphrase", *at, "--passphrase-file", str(phrase), *new],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONFAULTHANDLER": "1"},
    ) as process:
        try:
            _wait_for_core_limit(process.pid)
            of_system = Path(f"/proc/{process.pid}")
            shown = (of_system / "cmdline").read_bytes() + (of_system / "environ").read_bytes()
            assert b"change-passphrase" in shown
            assert not psutil.Process(process.pid).children()
            process.send_signal(signal.SIGABRT)
            said, _ = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGABRT
    assert b"Fatal Python error: Aborted" in said
    assert _is_clean(shown)
    assert _is_clean(said)


def _wait_for_core_limit(pid: int) -> None:
    """Wait until the command is so far that it writes no core, and derives the new key."""
    process, until_s = psutil.Process(pid), time.monotonic() + WAIT_S
    # Where nobody may write cores the limit says nothing: the memory of the derivation does.
    while process.memory_info().rss < _DERIVING_BYTES_MIN:
        assert time.monotonic() < until_s, "the command derives no key"
        time.sleep(0.01)
    assert _limit(pid, "Max core file size").split()[:2] == ["0", "0"], "a core could hold the key"


_DERIVING_BYTES_MIN: Final = 192 << 20
"""More than a command takes that derives no key of 1 GiB."""


_PLACES: Final = (
    "node.keyring KeyRing settle",
    "node.supervisor Supervisor _run_once",
    "node.assembly Assembly assemble",
    "node.services.message Messages run",
)
_FORMS: Final = ((), ("--log-json",))
_BREAK_OFF: Final = """
import importlib, json, os, sys
import node.daemon
from gossip.host.loading import load_libp2p
from node.__main__ import entry

def fail(self, *_):
    raise RuntimeError(f"{self!r} {vars(self) if hasattr(self, '__dict__') else ''}")

def die(place, output, words):
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT, 0o600), 1)
    os.dup2(1, 2)
    module, name, method = place.split()
    owner = getattr(importlib.import_module(module), name)
    assert hasattr(owner, method)
    setattr(owner, method, fail)
    sys.argv[1:] = words
    entry()

load_libp2p()
for case in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        die(*case)
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Imports a daemon's program once; each child runs it on its own, with one method that fails."""


@pytest.fixture(scope="module")
def last_words(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[tuple[str, tuple[str, ...]], tuple[int, bytes]]:
    """What cells exited with and said that died of a mistake: by its place, and the log's form."""
    place = tmp_path_factory.mktemp("mistakes")
    phrase, home = _phrase_file(place / "phrase", PHRASE), place / "home"
    lock = ("--passphrase-file", str(phrase))
    myceld(
        "key", "import", "--seed", "--home", str(home),
        "--new-passphrase-file", str(phrase), *COST,
        given=SEED.hex() + "\n",
    )  # fmt: skip
    myceld("init", "--home", str(home), *lock, "--network", "solo")
    cases = list(product(_PLACES, _FORMS))
    outputs = [place / f"said-{number}" for number in range(len(cases))]
    orders = []
    for number, ((where, form), output) in enumerate(zip(cases, outputs, strict=True)):
        own = shutil.copytree(home, place / f"home-{number}")
        words = ["run", "--home", str(own), "--log-level", "debug", *form, *lock]
        orders.append((where, str(output), words))
    done = subprocess.run(
        [sys.executable, "-c", _BREAK_OFF, json.dumps(orders)],
        cwd=ROOT,
        capture_output=True,
        timeout=2 * WAIT_S,
        check=True,
        env=os.environ | {"PYTHONFAULTHANDLER": "1"},
    )
    ends = zip(map(int, done.stdout.split()), outputs, strict=True)
    return dict(zip(cases, ((status, path.read_bytes()) for status, path in ends), strict=True))


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("place", _PLACES)
def test_a_cell_that_dies_of_its_own_mistake_prints_no_secret(
    last_words: dict[tuple[str, tuple[str, ...]], tuple[int, bytes]],
    place: str,
    form: tuple[str, ...],
) -> None:
    status, said = last_words[place, form]
    assert status > 0
    assert b"RuntimeError: " in said
    assert _is_clean(said)


_CRASH: Final = """
import sys, structlog
from gateway.process import start_logging
from identity.keys import KeyPair
from pathlib import Path
from settings import LoggingConfig
start_logging(LoggingConfig(file="cell.log"), Path(sys.argv[3]), as_json=sys.argv[2] == "json")
def open_it(seed: bytes, phrase: str) -> None:
    pair = KeyPair(seed)
    raise RuntimeError(f"no {pair}")
try:
    open_it(bytes.fromhex(sys.argv[1])[::-1], "a passphrase to look for")
except RuntimeError:
    structlog.get_logger("x").exception("failed")
    raise
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_shows_no_values_of_variables(form: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CRASH, SEED[::-1].hex(), form, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    in_file = (tmp_path / "cell.log").read_bytes()
    assert (tmp_path / "cell.log").stat().st_mode & 0o077 == 0
    for text in (done.stderr, in_file):
        assert b"RuntimeError: no KeyPair(" in text
        assert _is_clean(text)


def test_an_error_of_a_damaged_key_file_shows_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    keystore.create(path, SEED)
    path.write_text(path.read_text().replace(SEED.hex(), SEED.hex()[:-1] + "zz"))
    done = myceld("key", "show", "--home", str(tmp_path), expect=1)
    assert "MYC-IDENTITY-003" in done.stderr
    assert _is_clean(done.stderr.encode())
