"""A synchronous client of one cell over its HTTP API (docs/api.md), on the standard library.

    with Client.from_home(Path("~/.myceld").expanduser()) as cell:
        receipt = cell.put("hello", b"world", wait="certified", timeout_s=60)

Every call has a deadline. A client is for one thread; it keeps one connection open, and opens
another when the cell closed that one. Calls that only read are tried once more when it is closed
meanwhile; submits never are, so nothing is put twice. Answers are the plain JSON objects of the
API.
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlencode, urlsplit

from myceld.calls import JsonObject
from myceld.consensus_calls import ConsensusCalls
from myceld.doctor_calls import DoctorCalls
from myceld.errors import CellAnswerUnreadable, CellRefused, CellTooLate, CellUnreachable
from myceld.governance_calls import GovernanceCalls
from myceld.home import RunFile, not_running, read_token
from myceld.limits import (
    ANSWER_SIZE_BYTES_MAX,
    IDLE_S_MAX,
    STREAM_PATIENCE_S_DEFAULT,
    TIMEOUT_S_DEFAULT,
    WAIT_GRACE_S,
    WAIT_S_MAX,
)
from myceld.message_calls import MessageCalls
from myceld.prana_calls import PranaCalls
from myceld.proof_calls import ProofCalls
from myceld.service_calls import ServiceCalls
from myceld.state_calls import StateCalls
from myceld.tls import tls_of
from myceld.token_calls import TokenCalls

if TYPE_CHECKING:
    from myceld.streams import ItemStream

_READ_SIZE_BYTES = 1 << 16


class Client(
    MessageCalls,
    ServiceCalls,
    GovernanceCalls,
    StateCalls,
    PranaCalls,
    ProofCalls,
    DoctorCalls,
    ConsensusCalls,
    TokenCalls,
):
    """A connection to the cell at `url`.

    Every method raises CellUnreachable, CellTooLate, CellAnswerUnreadable, and CellRefused with
    the cell's own code when the cell says no. `timeout_s` is the deadline of calls that wait for
    no stage.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        certificate: Path | str = "",
        timeout_s: float = TIMEOUT_S_DEFAULT,
    ) -> None:
        """`certificate` is a file with the one certificate that an https URL must show.

        Without it those of the system vouch for the name in the URL.
        """
        parts = urlsplit(url)
        try:
            default = 443 if parts.scheme == "https" else 80
            self._address = (parts.hostname or "", parts.port or default)
        except ValueError as error:
            raise CellAnswerUnreadable(f"{url} is not the URL of a gateway") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CellAnswerUnreadable(f"{url} is not the URL of a gateway")
        self._certificate = certificate
        self._tls = tls_of(certificate) if parts.scheme == "https" else None
        self.url = url
        self.timeout_s = timeout_s
        self._token = token
        self._home: Path | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._used_at_s = 0.0

    @classmethod
    def from_home(cls, home: Path | str, *, timeout_s: float = TIMEOUT_S_DEFAULT) -> Self:
        """Return a client of the cell that runs in the directory `home`."""
        path = Path(home)
        run = RunFile.read(path)
        client = cls(run.url, read_token(path), certificate=run.certificate, timeout_s=timeout_s)
        client._home = path
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def twin(self) -> Self:
        """Return another client of the same cell, for another thread."""
        if self._home is not None:
            return self.from_home(self._home, timeout_s=self.timeout_s)
        return type(self)(
            self.url, self._token, certificate=self._certificate, timeout_s=self.timeout_s
        )

    def subscribe(
        self,
        what: str,
        *,
        after: str | None = None,
        after_round: int | None = None,
        sender: str | None = None,
        kind: str | None = None,
        patience_s: float = STREAM_PATIENCE_S_DEFAULT,
    ) -> ItemStream:
        """Return the items of `transactions`, `rounds`, `messages`, `peers` or `state:PREFIX`.

        From now on, or behind a cursor or a round. `sender` (public key in hex) and `kind` narrow
        transactions. See `myceld.streams.ItemStream`.
        """
        from myceld.streams import ItemStream  # noqa: PLC0415 - other calls need no WebSocket

        wish = {
            "subscribe": what,
            "after": after,
            "after_round": after_round,
            "sender": sender,
            "kind": kind,
        }
        given = {name: value for name, value in wish.items() if value is not None}
        return ItemStream(self._where, given, patience_s=patience_s)

    def health(self) -> JsonObject:
        """Return status, timestamp_ns, uptime_s, version and services; needs no token."""
        return self._get("/api/public/health")

    def info(self) -> JsonObject:
        """Return who the cell is; needs no token."""
        return self._get("/api/public/info")

    def status(self) -> JsonObject:
        """Return a StatusView."""
        return self._get("/api/v1/status")

    def peers(self) -> JsonObject:
        """Return the list of PeerViews."""
        return self._get("/api/v1/peers")

    def spore(self, *, seed: bool = False) -> JsonObject:
        """Return the SporeView of what a peer is told that connects now, or of a seed."""
        return self._get("/api/v1/spore", {"type": "seed"} if seed else None)

    def submit(
        self, transactions: Sequence[bytes], *, wait: str = "stored", timeout_s: float = 30.0
    ) -> JsonObject:
        """Hand in encoded, signed transactions, all or none; return the list of ReceiptViews."""
        body = {"transactions": [data.hex() for data in transactions]}
        return self._post("/api/v1/transactions", body, wait, timeout_s)

    def put(
        self,
        key: str,
        value: bytes,
        *,
        nonce: int | None = None,
        wait: str = "stored",
        timeout_s: float = 30.0,
    ) -> JsonObject:
        """Put a value, signed by the cell's own key; return the ReceiptView."""
        body: JsonObject = {"key": key, "value_hex": value.hex()}
        if nonce is not None:
            body["nonce"] = nonce
        return self._post("/api/v1/state/put", body, wait, timeout_s)

    def transactions(self, *, start: int = 0, limit: int = 100) -> JsonObject:
        """Return a page of the agreed order: TransactionViews from position `start`."""
        return self._get("/api/v1/transactions", {"start": start, "limit": limit})

    def receipt(
        self, transaction_id: str, *, wait: str | None = None, timeout_s: float = 30.0
    ) -> JsonObject:
        """Return a ReceiptView, once it has reached `wait` if that is given."""
        path = f"/api/v1/receipts/{quote(transaction_id, safe='')}"
        if wait is None:
            return self._get(path)
        asked_s = min(timeout_s, WAIT_S_MAX)
        query = {"wait": wait, "timeout_s": asked_s}
        return self._get(path, query, deadline_s=asked_s + WAIT_GRACE_S)

    def rounds(self, *, start: int = 0, limit: int = 100) -> JsonObject:
        """Return a page of decided rounds: RoundViews from number `start`."""
        return self._get("/api/v1/rounds", {"start": start, "limit": limit})

    def epochs(self, *, start: int = 0, limit: int = 100) -> JsonObject:
        """Return epochs from number `start` on, with their members and rules."""
        return self._get("/api/v1/epochs", {"start": start, "limit": limit})

    def members(self) -> JsonObject:
        """Return the MembersView: who votes now, and what was proposed."""
        return self._get("/api/v1/members")

    def change_members(
        self, action: str, *, wait: str = "stored", timeout_s: float = 30.0, **fields: object
    ) -> JsonObject:
        """Have the cell sign a change of the members and submit it; return its ReceiptView.

        `action`: `add` (fields cell, weight, name), `remove` (cell), `weight` (cell, weight),
        `approve` (proposal) or `leave`.
        """
        return self._post("/api/v1/members", {"action": action, **fields}, wait, timeout_s)

    def rotate_key(self, *, wait: str = "stored", timeout_s: float = 30.0) -> JsonObject:
        """Have the cell give its key up for a new one; return the RotationView.

        The cell starts again as the new one once that is applied: who is connected must reconnect.
        """
        return self._post("/api/v1/key/rotate", {}, wait, timeout_s)

    def create_invite(self, **fields: object) -> JsonObject:
        """Make a ticket; return the IssuedView, the only place where its text is told.

        Fields: role (`rhizomorph` or `sclerotium`), name, weight, expires_s, uses_max, addresses.
        """
        return self._send("/api/v1/invites", fields)

    def invites(self) -> JsonObject:
        """Return the list of InviteViews, the newest first."""
        return self._get("/api/v1/invites")

    def revoke_invite(self, invite_id: str) -> JsonObject:
        """Take a ticket back; return its InviteView."""
        return self._send(f"/api/v1/invites/{quote(invite_id, safe='')}/revoke", {})

    def account(self, public_key: str) -> JsonObject:
        """Return the AccountView of a public key (hex)."""
        return self._get(f"/api/v1/accounts/{quote(public_key, safe='')}")

    def attest(
        self,
        cell: str,
        score: float,
        *,
        scope: str = "general",
        expires_round: int = 0,
        wait: str = "stored",
        timeout_s: float = 30.0,
    ) -> JsonObject:
        """Say how far a cell (its id, or a member's name) is to be trusted; return the ReceiptView.

        `score` is 0 to 1. It counts up to `expires_round`, without an end if that is 0.
        """
        fields = {"cell": cell, "score": score, "scope": scope, "expires_round": expires_round}
        return self._post("/api/v1/trust/attest", fields, wait, timeout_s)

    def revoke_attestation(
        self, cell: str, *, scope: str = "general", wait: str = "stored", timeout_s: float = 30.0
    ) -> JsonObject:
        """Take back what the cell said of another one; return the ReceiptView."""
        return self._post("/api/v1/trust/revoke", {"cell": cell, "scope": scope}, wait, timeout_s)

    def trust_of(self, cell: str, *, paths_max: int = 8, scope: str = "general") -> JsonObject:
        """Return the TrustWhyView of a cell: its score, and what makes it."""
        return self._get("/api/v1/trust/cell", {"cell": cell, "limit": paths_max, "scope": scope})

    def interactions(
        self, cell: str = "", *, of: str = "", before: int | None = None, limit: int = 100
    ) -> JsonObject:
        """Return an InteractionsView: what this cell, or the cell `of`, signed with a cell."""
        asked = {"cell": cell or None, "of": of or None, "before": before, "limit": limit}
        fields = {name: value for name, value in asked.items() if value is not None}
        return self._get("/api/v1/trust/interactions", fields)

    def trust_graph(self, *, limit: int = 100, scope: str = "general") -> JsonObject:
        """Return the TrustGraphView of the cells with the highest scores."""
        return self._get("/api/v1/trust/graph", {"limit": limit, "scope": scope})

    def journals(self) -> JsonObject:
        """Return the list of JournalViews."""
        return self._get("/api/v1/journals")

    def journal_blocks(self, name: str, *, start: int = 0, limit: int = 100) -> JsonObject:
        """Return a page of a journal: BlockViews from index `start`."""
        path = f"/api/v1/journals/{quote(name, safe='')}/blocks"
        return self._get(path, {"start": start, "limit": limit})

    def journal_proof(self, name: str, index: int) -> JsonObject:
        """Return the ProofView of a block."""
        return self._get(f"{_journal_path(name)}/proof", {"index": index})

    def audit_journal(self, name: str) -> JsonObject:
        """Begin to check a whole journal; return the AuditView."""
        return self._send(f"{_journal_path(name)}/audit", {})

    def audit_of_journal(self, name: str) -> JsonObject:
        """Return the AuditView of the last audit of a journal."""
        return self._get(f"{_journal_path(name)}/audit")

    def prune_journal(self, name: str, min_index: int) -> JsonObject:
        """Delete the blocks before `min_index`; return the JournalView."""
        return self._send(f"{_journal_path(name)}/prune", {"min_index": min_index})

    def follows(self) -> JsonObject:
        """Return the list of FollowViews."""
        return self._get("/api/v1/follows")

    def follow(self, cell: str, journal: str) -> JsonObject:
        """Begin to follow a journal of another cell; return the FollowView."""
        return self._send("/api/v1/follows", {"cell": cell, "journal": journal})

    def stop_following(self, cell: str, journal: str) -> JsonObject:
        """Follow a journal no longer; return the FollowView."""
        return self._send("/api/v1/follows/stop", {"cell": cell, "journal": journal})

    def _send(self, path: str, fields: JsonObject) -> JsonObject:
        return self._call("POST", path, json.dumps(fields).encode(), self.timeout_s)

    def _get(
        self,
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> JsonObject:
        target = f"{path}?{urlencode(query)}" if query else path
        return self._call("GET", target, None, deadline_s or self.timeout_s)

    def _post(self, path: str, fields: JsonObject, wait: str, timeout_s: float) -> JsonObject:
        asked_s = min(timeout_s, WAIT_S_MAX)
        body = json.dumps({**fields, "wait": wait, "timeout_s": asked_s}).encode()
        return self._call("POST", path, body, asked_s + WAIT_GRACE_S)

    def _call(self, method: str, target: str, body: bytes | None, timeout_s: float) -> JsonObject:
        until_s = time.monotonic() + timeout_s
        kept = self._keeps_connection()
        if not kept:
            self.close()
        try:
            return self._exchange(method, target, body, until_s)
        except CellUnreachable:
            if not kept or method != "GET":
                raise
        return self._exchange(method, target, body, until_s)

    def _keeps_connection(self) -> bool:
        """Return whether a kept connection can take a request: the cell may have ended since."""
        sock = None if self._connection is None else self._connection.sock
        if sock is None or time.monotonic() - self._used_at_s > IDLE_S_MAX:
            return False
        if isinstance(sock, ssl.SSLSocket):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return not poll.poll(0)
        sock.settimeout(0)
        try:
            sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # its end, or words that nobody asked for

    def _exchange(self, method: str, target: str, body: bytes | None, until_s: float) -> JsonObject:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection = self._connected(until_s)
            connection.request(method, target, body=body, headers=headers)
            response = self._timed(connection, until_s).getresponse()
            data = self._read(connection, response, until_s)
        except TimeoutError as error:
            self.close()
            raise CellTooLate(f"no answer from {self.url} in time") from error
        except (OSError, http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
            self.close()
            raise self._unreachable(error) from error
        except http.client.HTTPException as error:
            self.close()
            raise CellAnswerUnreadable(f"{self.url} does not speak HTTP as a cell does") from error
        self._used_at_s = time.monotonic()
        if response.will_close:
            self.close()
        try:
            return _parsed(response.status, data)
        except CellAnswerUnreadable:
            self.close()
            raise

    def _connected(self, until_s: float) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port = self._address
            self._connection = (
                http.client.HTTPConnection(host, port, timeout=_left(until_s))
                if self._tls is None
                else http.client.HTTPSConnection(
                    host, port, timeout=_left(until_s), context=self._tls
                )
            )
            self._connection.connect()
        return self._timed(self._connection, until_s)

    def _timed(
        self, connection: http.client.HTTPConnection, until_s: float
    ) -> http.client.HTTPConnection:
        if connection.sock is not None:
            connection.sock.settimeout(_left(until_s))
        return connection

    def _read(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        until_s: float,
    ) -> bytes:
        parts: list[bytes] = []
        size_bytes = 0
        while part := response.read1(_READ_SIZE_BYTES):
            parts.append(part)
            size_bytes += len(part)
            if size_bytes > ANSWER_SIZE_BYTES_MAX:
                self.close()
                raise CellAnswerUnreadable(f"an answer of more than {size_bytes} bytes")
            self._timed(connection, until_s)
        # read1 leaves a finished answer open, and then the connection takes no further request.
        response.close()
        # A head that was cut off has no length; the gateway always gives one.
        if response.length or (not parts and response.getheader("content-length") is None):
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(parts)

    def _where(self) -> tuple[str, str]:
        """Return URL and token as they are now: a cell that restarts may take another port."""
        if self._home is None:
            return self.url, self._token
        return RunFile.read(self._home).url, read_token(self._home)

    def _unreachable(self, error: Exception) -> CellUnreachable:
        if self._home is not None and isinstance(error, ConnectionRefusedError):
            return not_running(self._home)
        reason = getattr(error, "strerror", None) or "the connection was closed"
        return CellUnreachable(f"no cell answers at {self.url} ({reason})")


def _journal_path(name: str) -> str:
    return f"/api/v1/journals/{quote(name, safe='')}"


def _left(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _parsed(status: int, data: bytes) -> JsonObject:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) and status == 503:
        raise CellUnreachable("the cell takes no more connections", remedy="Close other clients.")
    if not isinstance(answer, dict):
        text = data[:80].decode(errors="replace").strip()
        raise CellAnswerUnreadable(f"HTTP {status} without a JSON object: {text!r}")
    if status < 300:
        return answer
    error = answer.get("error")
    if not isinstance(error, dict):
        raise CellAnswerUnreadable(f"HTTP {status} without an error object")
    raise CellRefused(
        str(error.get("message", f"HTTP {status}")),
        code=str(error.get("code", CellRefused.code)),
        remedy=str(error.get("remedy", CellRefused.remedy)),
        retryable=error.get("retryable") is True,
        kind=str(error.get("type", "")),
        status=status,
    )
