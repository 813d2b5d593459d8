"""One gateway's line: requests over HTTP/1.1 or HTTPS, bounded, one connection kept open.

Deadlines are the caller's. What comes back is counted before it is parsed, redirects are not
followed, and a gateway's words never lead anywhere but into an error's text.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import h11

from core.json_text import NotJson, parse_json
from hypha.errors import AnswerGarbled, GatewayRefuses, GatewaySilent
from hypha.gateway_address import GatewayAddress
from hypha.limits import (
    ANSWER_SIZE_BYTES_MAX,
    EVENTS_MAX,
    HEAD_SIZE_BYTES_MAX,
    IDLE_S_MAX,
    READ_SIZE_BYTES,
)

JsonObject: TypeAlias = dict[str, Any]
_SHOWN_MAX: Final = 120


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    state: h11.Connection
    used_s: float

    def close(self) -> None:
        """Close without waiting for the other end."""
        self.writer.transport.abort()


class Line:
    """Requests to one gateway. Every method raises GatewaySilent, AnswerGarbled, GatewayRefuses."""

    def __init__(
        self, address: GatewayAddress, token: str, trust: ssl.SSLContext | None = None
    ) -> None:
        """`trust` is for https."""
        self.address = address
        self._trust = trust
        self._token = token
        self._idle: _Connection | None = None

    async def get(self, path: str, query: Mapping[str, object]) -> JsonObject:
        """Return the answer to a question; a connection that was closed is opened once more."""
        target = f"{path}?{urlencode(query)}" if query else path
        kept = self._take_idle()
        if kept is not None:
            with contextlib.suppress(GatewaySilent):
                return await self._exchange(kept, "GET", target, b"")
        return await self._exchange(await self._connect(), "GET", target, b"")

    async def post(self, path: str, fields: JsonObject) -> JsonObject:
        """Return the answer to a request that is made once only."""
        body = json.dumps(fields).encode()
        return await self._exchange(await self._connect(), "POST", path, body)

    def close(self) -> None:
        """Close the kept connection."""
        if self._idle is not None:
            self._idle.close()
            self._idle = None

    def _take_idle(self) -> _Connection | None:
        kept, self._idle = self._idle, None
        if kept is None:
            return None
        if kept.reader.at_eof() or asyncio.get_running_loop().time() - kept.used_s > IDLE_S_MAX:
            kept.close()
            return None
        return kept

    async def _connect(self) -> _Connection:
        address = self.address
        try:
            reader, writer = await asyncio.open_connection(
                address.host,
                address.port,
                ssl=self._trust if address.is_secure else None,
                limit=READ_SIZE_BYTES,
            )
        except (OSError, ssl.CertificateError) as error:
            reason = getattr(error, "verify_message", "") or error.strerror or "no connection"
            raise GatewaySilent(f"{address.url}: {reason}") from error
        state = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_SIZE_BYTES_MAX)
        return _Connection(reader, writer, state, asyncio.get_running_loop().time())

    async def _exchange(
        self, connection: _Connection, method: str, target: str, body: bytes
    ) -> JsonObject:
        done = False
        try:
            await self._send(connection, method, target, body)
            status, data = await self._receive(connection)
            done = connection.state.their_state is h11.DONE
        except h11.RemoteProtocolError as error:
            raise AnswerGarbled(f"{self.address.url} does not speak HTTP as a cell does") from error
        except (OSError, h11.LocalProtocolError) as error:
            raise GatewaySilent(f"{self.address.url}: the connection broke") from error
        finally:
            if done and self._idle is None:
                connection.state.start_next_cycle()
                connection.used_s = asyncio.get_running_loop().time()
                self._idle = connection
            else:
                connection.close()
        return parse_answer(status, data, self.address.url)

    async def _send(self, connection: _Connection, method: str, target: str, body: bytes) -> None:
        headers = [("Host", self.address.authority), ("Accept", "application/json")]
        if self._token:
            headers.append(("Authorization", f"Bearer {self._token}"))
        if body:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        path = self.address.path + target
        request = h11.Request(method=method, target=path, headers=headers)
        state, writer = connection.state, connection.writer
        parts = [state.send(request)]
        if body:
            parts.append(state.send(h11.Data(data=body)))
        parts.append(state.send(h11.EndOfMessage()))
        writer.write(b"".join(part for part in parts if part))
        await writer.drain()

    async def _receive(self, connection: _Connection) -> tuple[int, bytes]:
        """Return status and body; everything that comes counts, whatever it is."""
        state, status, parts = connection.state, 0, []
        left_bytes = ANSWER_SIZE_BYTES_MAX
        for _ in range(EVENTS_MAX):
            event = state.next_event()
            if event is h11.NEED_DATA:
                data = await connection.reader.read(min(READ_SIZE_BYTES, left_bytes + 1))
                left_bytes -= len(data)
                if left_bytes < 0:
                    raise AnswerGarbled(f"an answer of more than {ANSWER_SIZE_BYTES_MAX} bytes")
                if not data and not status:
                    raise GatewaySilent(f"{self.address.url} closed the connection")
                state.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                return status, b"".join(parts)
            elif isinstance(event, h11.ConnectionClosed):
                raise GatewaySilent(f"{self.address.url} closed the connection")
        raise AnswerGarbled(f"an answer in more than {EVENTS_MAX} pieces")


def parse_answer(status: int, data: bytes, url: str) -> JsonObject:
    """Return the JSON object of an answer; raises GatewaySilent, AnswerGarbled, GatewayRefuses."""
    try:
        answer = parse_json(data)
    except NotJson as error:
        if status >= 500:  # what stands before a cell that is not there
            raise GatewaySilent(f"{url}: HTTP {status}") from error
        raise AnswerGarbled(f"HTTP {status}, and what came is not JSON") from error
    if not isinstance(answer, dict):
        raise AnswerGarbled(f"HTTP {status}, and what came is not a JSON object")
    if status == 200:
        return answer
    error_object = answer.get("error")
    fields = error_object if isinstance(error_object, dict) else {}
    code, message = fields.get("code"), fields.get("message")
    raise GatewayRefuses(
        f"{str(code)[:_SHOWN_MAX]}: {str(message)[:_SHOWN_MAX]}", told=str(code)[:_SHOWN_MAX]
    )
