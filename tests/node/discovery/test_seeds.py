"""Seeds are read within bounds, over TLS or from disk, and lead nowhere else."""

from __future__ import annotations

import asyncio
import datetime
import http.server
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.errors import MyceldError
from gossip.discovery.spore import Variant
from gossip.discovery.spore_file import to_json
from node.discovery import seeds as module
from node.discovery.limits import SEED_SIZE_BYTES_MAX
from node.discovery.locations import check_location
from node.discovery.seeds import SeedFinder, read_seed
from node.errors import SeedRefused, SeedUnreachable
from tests.gossip.discovery.spore_world import NETWORK_IDENTITY, spore

MADE = spore(variant=Variant.SEED)
FILE = to_json(MADE).encode()
HANG_S = 60.0
"""For what must happen."""
PIECES = 1200
"""Of a long answer; a whole one is no fault, so a reader without bounds is noticed."""


@pytest.fixture(autouse=True)
def _long_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadlines are not what ends a download, but where a test sets one."""
    monkeypatch.setattr(module, "SEED_TIMEOUT_S", HANG_S)
    monkeypatch.setattr(module, "SEED_READ_TIMEOUT_S", HANG_S)


class Web(http.server.BaseHTTPRequestHandler):
    """Good and bad answers by path."""

    stop = threading.Event()

    def do_GET(self) -> None:  # the standard library's name
        moved = {"/moved": "/seed", "/to-file": "file:///etc/passwd", "/loop": "/loop"}
        moved["/to-plain"] = "http://192.0.2.1/seed"
        if self.path in moved:
            self.send_response(302)
            self.send_header("Location", moved[self.path])
            self.end_headers()
            return
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Type", "application/x-anything")
        self.end_headers()
        if self.path == "/seed":
            self.wfile.write(FILE)
        elif self.path == "/huge":
            self._write_for_long(b" " * 65536, 0)
        elif self.path == "/drip":
            self._write_for_long(b" ", 0.05)

    def _write_for_long(self, piece: bytes, pause_s: float) -> None:
        try:
            for _ in range(PIECES):
                if self.stop.wait(pause_s):
                    return
                self.wfile.write(piece)
                self.wfile.flush()
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _served(context: ssl.SSLContext | None = None) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that leave are the test
    Web.stop.clear()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        Web.stop.set()
        server.shutdown()
        thread.join(10)
        server.server_close()


def _read(location: str, home: Path = Path()) -> bytes:
    return asyncio.run(read_seed(location, home))


@pytest.mark.parametrize(
    "location",
    ["seed.json", "/srv/seed.json", "~/seed", "https://a.example/s", "http://127.0.0.1:8/s",
     "http://localhost/s", "http://[::1]:80/s"],
)  # fmt: skip
def test_paths_https_and_loopback_are_where_a_seed_may_be(location: str) -> None:
    check_location(location)


@pytest.mark.parametrize(
    "location",
    ["", "http://a.example/s", "http://127.0.0.1.example/s", "file:///etc/passwd", "ftp://a/s",
     "https://", "https://user:secret@a.example/s", "https://a:port/s", "https://[::1/s"],
)  # fmt: skip
def test_nothing_else_is(location: str) -> None:
    with pytest.raises(SeedRefused):
        check_location(location)


def test_a_file_is_read_relative_to_the_home(tmp_path: Path) -> None:
    (tmp_path / "seed.json").write_bytes(FILE)
    assert _read("seed.json", tmp_path) == FILE
    assert _read(str(tmp_path / "seed.json")) == FILE
    with pytest.raises(SeedUnreachable):
        _read("none.json", tmp_path)
    with pytest.raises(SeedUnreachable):
        _read(".", tmp_path)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(SEED_SIZE_BYTES_MAX + 1)
    with pytest.raises(SeedRefused):
        _read("huge", tmp_path)


def test_a_server_is_asked_and_redirects_are_followed_to_where_a_seed_may_be() -> None:
    with _served() as url:
        assert _read(f"{url}/seed") == FILE
        assert _read(f"{url}/moved") == FILE
        with pytest.raises(SeedRefused):
            _read(f"{url}/to-plain")
        for path in ("/to-file", "/loop", "/none"):
            with pytest.raises(SeedUnreachable):
                _read(url + path)
        with pytest.raises(SeedRefused):
            _read(f"{url}/huge")


def test_a_server_that_drips_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEED_TIMEOUT_S", 0.5)
    with _served() as url, pytest.raises(SeedUnreachable, match=r"not read in 0\.5 s"):
        _read(f"{url}/drip")


def test_a_server_that_is_silent_or_absent_is_told_as_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SEED_READ_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SeedUnreachable):
        _read(f"http://127.0.0.1:{silent.getsockname()[1]}/seed")
    with pytest.raises(SeedUnreachable):
        _read("http://127.0.0.1:1/seed")


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with _served(context) as url, pytest.raises(SeedUnreachable, match="CERTIFICATE"):
        _read(f"{url}/seed")


def test_one_seed_that_fails_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(FILE)
    (tmp_path / "latent").write_bytes(to_json(spore()).encode())
    (tmp_path / "broken").write_bytes(FILE[:-40])
    locations = ["none", "latent", "broken", "good"]
    finder = SeedFinder(locations, NETWORK_IDENTITY, tmp_path)

    async def find() -> None:
        await finder.announce(["/ip4/10.0.0.1/tcp/1"])
        findings = await finder.find()
        assert list(findings.spores) == [MADE]
        assert list(findings.hints) == []
        await finder.close()

    asyncio.run(find())


def test_the_errors_say_what_to_do() -> None:
    for error in (SeedRefused("x"), SeedUnreachable("x")):
        assert isinstance(error, MyceldError)
        assert error.remedy
