"""Ways to break a cell's directory: how each is planted, what names it, and what mends it.

A breakage yields between planting and clearing away. What mends it is the finding's own command
where it has one; `mend` is for those whose remedy is words, and does what they say.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import resource
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.grants import Grants, Terms
from gateway.policy import Scope
from identity import keystore
from identity.keystore import Lock
from identity.passphrase import Passphrase
from identity.sealed_seed import Cost
from ledger.genesis import from_json, to_json
from node.home import Home

PHRASE = "the right passphrase"
_DEAD_PID = 4_194_303
_OTHER_CELL = "12D3KooWBTKZRmthXjyHbroDJdHsXEejDKPTCs3CzibFrhmsRjrt"


@dataclass
class Ward:
    """A cell's directory that something is done to, and a sound copy of it."""

    home: Home
    sound: Path
    environment: dict[str, str] = field(default_factory=dict)
    now_shift_ns: int = 0

    def put_back(self, name: str) -> None:
        """Have the file of the sound copy again."""
        shutil.copy2(self.sound / name, self.home.path / name)

    def edit(self, old: str, new: str) -> None:
        """Change config.yaml, which must have the old text."""
        text = self.home.config.read_text()
        assert old in text
        self.home.config.write_text(text.replace(old, new, 1))

    def add_config(self, text: str) -> None:
        """Add lines to the section `cell` of config.yaml."""
        self.edit("cell:\n", f"cell:\n{text}")

    def port(self, key: str) -> int:
        """The port that the cell is configured with."""
        lines = self.home.config.read_text().splitlines()
        (line,) = [one for one in lines if key in one]
        return int(line.replace("/", " ").split()[-1])


Planting = Callable[[Ward], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Breakage:
    """One way to break a cell."""

    name: str
    code: str
    plant: Planting
    mend: Callable[[Ward], None] | None = None
    """None: the command of the finding does."""


BREAKAGES: list[Breakage] = []


def breakage(code: str, mend: Callable[[Ward], None] | None = None) -> Callable[..., Planting]:
    """Put a planting into the list under its name."""

    def take(plant: Callable[[Ward], Iterator[None]]) -> Planting:
        planted = contextlib.contextmanager(plant)
        name = plant.__name__.lstrip("_").replace("_", " ")
        BREAKAGES.append(Breakage(name, code, planted, mend))
        return planted

    return take


def _put(name: str) -> Callable[[Ward], None]:
    return lambda ward: ward.put_back(name)


@breakage("MYC-DOCTOR-001")
def _an_empty_directory(ward: Ward) -> Iterator[None]:
    shutil.rmtree(ward.home.path)
    ward.home.path.mkdir(mode=0o700)
    yield


@breakage("MYC-DOCTOR-002")
def _a_directory_that_can_not_be_written_to(ward: Ward) -> Iterator[None]:
    ward.home.path.chmod(0o500)
    yield


@breakage("MYC-DOCTOR-003")
def _a_directory_open_to_others(ward: Ward) -> Iterator[None]:
    ward.home.path.chmod(0o755)
    yield


@breakage("MYC-DOCTOR-004")
def _a_run_file_of_a_dead_process(ward: Ward) -> Iterator[None]:
    ward.home.run_file.write_text(json.dumps({"pid": _DEAD_PID, "url": "http://127.0.0.1:1"}))
    yield


@breakage("MYC-DOCTOR-005")
def _half_a_file_of_a_dead_process(ward: Ward) -> Iterator[None]:
    (ward.home.path / f".key.json.{_DEAD_PID}").write_text("half")
    yield


def _let_go(ward: Ward) -> None:
    """What ends the holder: see the planting."""
    ward.environment["LET_GO"] = "1"


@breakage("MYC-DOCTOR-006", _let_go)
def _a_lock_held_by_a_process_that_hangs(ward: Ward) -> Iterator[None]:
    descriptor = os.open(ward.home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.utime(ward.home.lock, (0, 0))  # for long: it does not start
    ward.environment["HELD"] = str(descriptor)
    yield


@breakage("MYC-DOCTOR-007", lambda ward: ward.home.moved.unlink())
def _a_cell_that_was_moved(ward: Ward) -> Iterator[None]:
    ward.home.moved.write_text("{}")
    yield


@breakage("MYC-DOCTOR-010")
def _a_key_that_all_can_read(ward: Ward) -> Iterator[None]:
    ward.home.key.chmod(0o644)
    yield


@breakage("MYC-DOCTOR-011", _put("key.json"))
def _a_damaged_key(ward: Ward) -> Iterator[None]:
    ward.home.key.write_text(ward.home.key.read_text()[:40])
    yield


@breakage("MYC-DOCTOR-011", _put("key.json"))
def _a_key_that_is_gone(ward: Ward) -> Iterator[None]:
    ward.home.key.unlink()
    yield


@breakage("MYC-DOCTOR-012")
def _a_key_of_another_user(ward: Ward) -> Iterator[None]:
    os.chown(ward.home.key, 12_345, -1)
    yield


def _protect(ward: Ward, phrase: str) -> Path:
    """Give the key a passphrase, and name a file with this one."""
    keys = keystore.open_keys(ward.home.key)
    keystore.rewrite(ward.home.key, keys, Lock(Passphrase(PHRASE), Cost(2, 64 << 10)))
    file = ward.home.path / "phrase"
    file.write_text(phrase + "\n")
    file.chmod(0o600)
    ward.add_config("  passphrase_file: phrase\n")
    return file


def _right_phrase(ward: Ward) -> None:
    (ward.home.path / "phrase").write_text(PHRASE + "\n")
    (ward.home.path / "phrase").chmod(0o600)


@breakage("MYC-DOCTOR-013", _right_phrase)
def _a_wrong_passphrase(ward: Ward) -> Iterator[None]:
    _protect(ward, "another passphrase")
    yield


@breakage("MYC-DOCTOR-014")
def _a_passphrase_that_all_can_read(ward: Ward) -> Iterator[None]:
    _protect(ward, PHRASE).chmod(0o644)
    yield


@breakage("MYC-DOCTOR-014", _right_phrase)
def _a_passphrase_file_that_is_gone(ward: Ward) -> Iterator[None]:
    _protect(ward, PHRASE).unlink()
    yield


@breakage("MYC-DOCTOR-020", _put("genesis.json"))
def _a_missing_genesis(ward: Ward) -> Iterator[None]:
    ward.home.genesis.unlink()
    yield


@breakage("MYC-DOCTOR-021", _put("genesis.json"))
def _a_damaged_genesis(ward: Ward) -> Iterator[None]:
    ward.home.genesis.write_text(ward.home.genesis.read_text()[:-30])
    yield


@breakage("MYC-DOCTOR-022", _put("genesis.json"))
def _the_genesis_of_another_network(ward: Ward) -> Iterator[None]:
    genesis = from_json(ward.home.genesis.read_text())
    ward.home.genesis.write_text(to_json(replace(genesis, name="duo")))
    yield


@breakage("MYC-DOCTOR-023", _put("key.json"))
def _the_key_of_another_cell(ward: Ward) -> Iterator[None]:
    ward.home.key.unlink()
    keystore.create(ward.home.key, bytes(range(32)))
    yield


@breakage("MYC-DOCTOR-030", _put("config.yaml"))
def _bad_yaml(ward: Ward) -> Iterator[None]:
    ward.edit("cell:", "cell: [")
    yield


@breakage("MYC-DOCTOR-030", _put("config.yaml"))
def _an_unknown_key(ward: Ward) -> Iterator[None]:
    ward.edit("gateway_port", "gateway_prot")
    yield


@breakage("MYC-DOCTOR-030", _put("config.yaml"))
def _a_value_of_a_wrong_type(ward: Ward) -> Iterator[None]:
    ward.add_config("  name: [1, 2]\n")
    yield


@breakage("MYC-DOCTOR-030", _put("config.yaml"))
def _an_impossible_value(ward: Ward) -> Iterator[None]:
    ward.edit(f"gateway_port: {ward.port('gateway_port')}", "gateway_port: 99999")
    yield


@breakage("MYC-DOCTOR-030", _put("config.yaml"))
def _a_damaged_configuration(ward: Ward) -> Iterator[None]:
    ward.home.config.write_bytes(b"\x00\xff\xfe")
    yield


@breakage("MYC-DOCTOR-031")
def _a_missing_configuration(ward: Ward) -> Iterator[None]:
    ward.home.config.unlink()
    yield


@breakage("MYC-DOCTOR-032", lambda ward: ward.environment.clear())
def _a_variable_for_tests(ward: Ward) -> Iterator[None]:
    ward.environment["MYCELD_FAULTS"] = "1"
    yield


@breakage("MYC-DOCTOR-040", _put("cell.db"))
def _a_truncated_database(ward: Ward) -> Iterator[None]:
    os.truncate(ward.home.database, ward.home.database.stat().st_size // 2)
    yield


@breakage("MYC-DOCTOR-040", _put("cell.db"))
def _a_database_of_noise(ward: Ward) -> Iterator[None]:
    ward.home.database.write_bytes(b"noise" * 4096)
    yield


@breakage("MYC-DOCTOR-040", _put("cell.db"))
def _a_database_with_a_forged_head(ward: Ward) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(ward.home.database)) as store, store:
        store.execute("UPDATE journal_head SET head = replace(head, char(10), char(10, 10))")
    yield


@breakage("MYC-DOCTOR-041", _put("cell.db"))
def _a_database_of_an_older_version(ward: Ward) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(ward.home.database)) as store, store:
        store.execute("UPDATE layout SET version = 2")
    yield


@breakage("MYC-DOCTOR-041", _put("cell.db"))
def _a_database_of_another_format(ward: Ward) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(ward.home.database)) as store, store:
        store.execute("PRAGMA user_version = 99")
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    yield


@breakage("MYC-DOCTOR-042", _let_go)
def _a_database_locked_by_another_program(ward: Ward) -> Iterator[None]:
    store = sqlite3.connect(ward.home.database, isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    _LOCKERS.append(store)
    yield


_LOCKERS: list[sqlite3.Connection] = []


def _some_room(ward: Ward) -> None:
    del ward.environment["FULL"]


@breakage("MYC-DOCTOR-050", _some_room)
def _a_full_disk(ward: Ward) -> Iterator[None]:
    ward.environment["FULL"] = "1"
    real = shutil.disk_usage

    def usage(path: str | Path) -> object:
        told = real(path)
        return told._replace(free=4096) if "FULL" in ward.environment else told

    with patch("shutil.disk_usage", usage):
        yield


def _listening(port: int) -> socket.socket:
    taken = socket.create_server(("127.0.0.1", port))
    taken.listen(1)
    return taken


@breakage("MYC-DOCTOR-060")
def _a_gateway_port_in_use(ward: Ward) -> Iterator[None]:
    with _listening(ward.port("gateway_port")):
        yield


@breakage("MYC-DOCTOR-061")
def _a_port_for_cells_in_use(ward: Ward) -> Iterator[None]:
    with _listening(ward.port("/tcp/")):
        yield


@breakage("MYC-DOCTOR-062")
def _an_address_of_another_machine(ward: Ward) -> Iterator[None]:
    ward.edit("/ip4/127.0.0.1/", "/ip4/192.0.2.7/")
    yield


@breakage("MYC-DOCTOR-063", None)
def _loopback_while_others_are_far_away(ward: Ward) -> Iterator[None]:
    with _refusing_quickly():
        ward.add_config(f"  bootstrap: [/ip4/10.255.255.1/tcp/4710/p2p/{_OTHER_CELL}]\n")
        yield


@contextlib.contextmanager
def _refusing_quickly() -> Iterator[None]:
    with patch("node.doctor.ports._can_not_connect", lambda _: ""):
        yield


def _without_bootstrap(ward: Ward) -> None:
    lines = ward.home.config.read_text().splitlines(keepends=True)
    ward.home.config.write_text("".join(one for one in lines if "bootstrap" not in one))


@breakage("MYC-DOCTOR-064", _without_bootstrap)
def _a_dead_bootstrap(ward: Ward) -> Iterator[None]:
    ward.add_config(f"  bootstrap: [/ip4/127.0.0.1/tcp/9/p2p/{_OTHER_CELL}]\n")
    yield


@breakage("MYC-DOCTOR-067", _without_bootstrap)
def _itself_as_bootstrap(ward: Ward) -> Iterator[None]:
    own = keystore.inspect(ward.home.key).public_key
    from core.ids import cell_id_of

    ward.add_config(f"  bootstrap: [/ip4/127.0.0.1/tcp/9/p2p/{cell_id_of(own)}]\n")
    yield


@breakage("MYC-DOCTOR-070")
def _a_token_that_all_can_read(ward: Ward) -> Iterator[None]:
    ward.home.token.chmod(0o640)
    yield


@breakage("MYC-DOCTOR-071")
def _an_empty_token(ward: Ward) -> Iterator[None]:
    ward.home.token.write_text("\n")
    yield


def _clock_right(ward: Ward) -> None:
    ward.now_shift_ns = 0


@breakage("MYC-DOCTOR-080", _clock_right)
def _a_clock_an_hour_behind(ward: Ward) -> Iterator[None]:
    ward.now_shift_ns = -3_600_000_000_000
    yield


def _more_files(ward: Ward) -> None:
    soft = int(ward.environment.pop("FILES"))
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )


@breakage("MYC-DOCTOR-090", _more_files)
def _too_few_files(ward: Ward) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ward.environment["FILES"] = str(soft)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    yield


def _with_certificate(ward: Ward, days: int, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> None:
    """Have the gateway speak TLS, with a certificate that ends after so many days."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(curve())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (ward.home.path / "tls.crt").write_bytes(made.public_bytes(pem))
    secret = ward.home.path / "tls.key"
    secret.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    secret.chmod(0o600)
    if "tls_key" not in ward.home.config.read_text():
        text = "gateway:\n  tls_certificate: tls.crt\n  tls_key: tls.key\n"
        ward.home.config.write_text(ward.home.config.read_text() + text)


def _renew(ward: Ward) -> None:
    _with_certificate(ward, 365)


@breakage("MYC-DOCTOR-073", _renew)
def _an_expired_certificate(ward: Ward) -> Iterator[None]:
    _with_certificate(ward, -1)
    yield


@breakage("MYC-DOCTOR-073", _renew)
def _a_certificate_of_another_key(ward: Ward) -> Iterator[None]:
    _with_certificate(ward, 300)
    kept = (ward.home.path / "tls.crt").read_bytes()
    _with_certificate(ward, 300)
    (ward.home.path / "tls.crt").write_bytes(kept)
    yield


@breakage("MYC-DOCTOR-074", _renew)
def _a_certificate_that_ends_soon(ward: Ward) -> Iterator[None]:
    _with_certificate(ward, 3)
    yield


@breakage("MYC-DOCTOR-076", _renew)
def _a_key_that_is_slow_to_sign_with(ward: Ward) -> Iterator[None]:
    _with_certificate(ward, 365, ec.SECP384R1)
    yield


@breakage("MYC-DOCTOR-075", lambda ward: ward.home.grants.unlink())
def _a_token_that_is_over(ward: Ward) -> Iterator[None]:
    grants = Grants.open(ward.home.grants, now_ms=lambda: 1_000_000, random=os.urandom)
    asyncio.run(_make_token(grants))
    yield


async def _make_token(grants: Grants) -> None:
    await grants.make_token(Terms("old", (Scope.READ,), 1_060_000))


def clear_away(ward: Ward) -> None:
    """Let go of what a planting held, once that was wanted."""
    if ward.environment.pop("LET_GO", None):
        if (held := ward.environment.pop("HELD", None)) is not None:
            os.close(int(held))
        while _LOCKERS:
            _LOCKERS.pop().close()
