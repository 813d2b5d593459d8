"""What one gateway can send, and what of it gets through: bounded, whole, JSON, over TLS or not."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.errors import MyceldError
from hypha.errors import AnswerGarbled, GatewayRefuses, GatewaySilent
from hypha.gateway_address import GatewayAddress
from hypha.limits import ANSWER_SIZE_BYTES_MAX, EVENTS_MAX, HEAD_SIZE_BYTES_MAX
from hypha.line import Line
from tests.hypha.fake_gateway import FakeGateway, Json, as_http, refusal, story
from tests.hypha.wired_loop import run_wired

PATH = "/api/light/head"


def asking(work: Callable[[FakeGateway, Line], Awaitable[None]]) -> None:
    """Run `work` with a gateway and a line to it."""

    async def run() -> None:
        async with FakeGateway(story(1)).served() as gateway, asyncio.timeout(20):
            line = Line(GatewayAddress(gateway.url), "secret")
            try:
                await work(gateway, line)
            finally:
                line.close()

    run_wired(run())


def always(data: bytes) -> Callable[[FakeGateway, str, Json], Awaitable[bytes]]:
    async def answer(gateway: FakeGateway, path: str, query: Json) -> bytes:
        del gateway, path, query
        return data

    return answer


def test_questions_share_one_connection_and_carry_the_token() -> None:
    async def work(gateway: FakeGateway, line: Line) -> None:
        for _ in range(3):
            answer = await line.get(PATH, {"epoch": 0})
            assert answer["certified_round"] == gateway.round
        assert gateway.connections == 1
        assert "Authorization: Bearer secret" in gateway.heads[0]

    asking(work)


def test_a_connection_that_was_closed_is_opened_again() -> None:
    async def work(gateway: FakeGateway, line: Line) -> None:
        await line.get(PATH, {"epoch": 0})
        for task in list(gateway._tasks):  # the other end hangs up
            task.cancel()
        answer = await line.get(PATH, {"epoch": 0})
        assert answer["certified_round"] == gateway.round
        assert gateway.connections == 2

    asking(work)


def test_what_is_handed_on_goes_over_a_fresh_connection() -> None:
    async def work(gateway: FakeGateway, line: Line) -> None:
        await line.get(PATH, {"epoch": 0})
        with pytest.raises(GatewayRefuses):
            await line.post("/api/light/transactions", {"transactions": ["00"]})
        assert gateway.connections == 2
        assert gateway.posted == [{"transactions": ["00"]}]

    asking(work)


def _big(size: int) -> bytes:
    return b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % size + b"[" * size


BAD: dict[str, tuple[bytes, type[MyceldError]]] = {
    "nothing": (b"", GatewaySilent),
    "half a head": (b"HTTP/1.1 200 X\r\nContent-Le", GatewaySilent),
    "half a body": (b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{", AnswerGarbled),
    "not HTTP": (b"SSH-2.0-OpenSSH_9\r\n\r\n", AnswerGarbled),
    "an endless head": (b"HTTP/1.1 200 X\r\nX: " + b"a" * (HEAD_SIZE_BYTES_MAX * 2), AnswerGarbled),
    "too large a body": (_big(ANSWER_SIZE_BYTES_MAX + 1), AnswerGarbled),
    "not JSON": (b"HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\noops", AnswerGarbled),
    "a list": (b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n[]", AnswerGarbled),
    "a bomb": (_big(1_000_000), AnswerGarbled),
    "a redirect": (as_http({}, 302), GatewayRefuses),
    "a refusal": (as_http(refusal("MYC-GATEWAY-010", "no\x1b[31m")), GatewayRefuses),
    "a proxy without a cell": (b"HTTP/1.1 502 X\r\nContent-Length: 3\r\n\r\nbad", GatewaySilent),
    "endless news": (b"HTTP/1.1 100 Continue\r\n\r\n" * (EVENTS_MAX + 1), AnswerGarbled),
    "crumbs": (
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n[\r\n" * (EVENTS_MAX + 1),
        AnswerGarbled,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_cell_sends_ends_in_a_declared_error(name: str) -> None:
    data, expected = BAD[name]

    async def answer(gateway: FakeGateway, path: str, query: Json) -> bytes:
        del path, query
        for task in gateway._tasks:  # what is sent is sent, then it hangs up
            asyncio.get_running_loop().call_later(0.2, task.cancel)
        return data

    async def work(gateway: FakeGateway, line: Line) -> None:
        gateway.answer = answer
        with pytest.raises(expected):
            await line.get(PATH, {})

    asking(work)


def test_a_refusal_tells_the_gateways_code() -> None:
    async def work(gateway: FakeGateway, line: Line) -> None:
        gateway.answer = always(as_http(refusal("MYC-LEDGER-560", "not certified yet")))
        with pytest.raises(GatewayRefuses) as caught:
            await line.get(PATH, {})
        assert caught.value.told == "MYC-LEDGER-560"

    asking(work)


def test_nobody_there_is_silence() -> None:
    async def run() -> None:
        line = Line(GatewayAddress("http://127.0.0.1:9"), "")
        with pytest.raises(GatewaySilent):
            await line.get(PATH, {})

    run_wired(run())


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of this machine, that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names: list[Any] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "key.pem", folder / "cert.pem"
    files[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    files[1].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return files


def test_https_needs_somebody_who_vouches(tmp_path: Path) -> None:
    key, certificate = _certificate(tmp_path)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(certificate, key)

    async def run() -> None:
        async with FakeGateway(story(1)).served(own) as gateway, asyncio.timeout(120):
            address = GatewayAddress(gateway.url, ca_file=str(certificate))
            trusting = Line(address, "secret", ssl.create_default_context(cafile=str(certificate)))
            assert (await trusting.get(PATH, {"epoch": 0}))["certified_round"] == gateway.round
            trusting.close()
            wary = Line(GatewayAddress(gateway.url), "secret", ssl.create_default_context())
            with pytest.raises(GatewaySilent):
                await wary.get(PATH, {"epoch": 0})
            assert len(gateway.asked) == 1  # nor did the token go there

    asyncio.run(run())
