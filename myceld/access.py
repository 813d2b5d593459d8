"""How a client reaches one cell, and what lets it in: a token, or a key that signs each request."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from core.errors import MyceldError
from myceld.errors import CellAnswerUnreadable, CellNotTrusted, CellUnreachable, CellWithoutTls
from myceld.home import HOME_DEFAULT, RunFile, not_running, read_token
from myceld.tls import tls_of

if TYPE_CHECKING:
    from identity.keys import KeyPair

URL_VARIABLE: Final = "MYCELD_URL"
TOKEN_VARIABLE: Final = "MYCELD_TOKEN"  # noqa: S105 - the name of a variable
CA_VARIABLE: Final = "MYCELD_CA"
HOME_VARIABLE: Final = "MYCELD_HOME"
_NONCE_SIZE_BYTES: Final = 16
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})
"""What the TLS library calls it when the first bytes are of another protocol."""


@dataclass(frozen=True, slots=True)
class Who:
    """Which cell a signature is for, as it says itself."""

    network_id: bytes
    cell_id: str


@dataclass(frozen=True, slots=True)
class Access:
    """Where a cell is, and what lets us in."""

    url: str
    token: str = ""
    key: KeyPair | None = None
    """Signs requests when there is no token."""
    certificate: Path | str = ""
    """File with the one certificate that an https URL must show."""
    ca: Path | str = ""
    """File with the certificates that may vouch for the name in an https URL."""
    home: Path | None = None
    """Directory of a cell of this machine, which says all of it anew after a restart."""

    def __post_init__(self) -> None:
        self.address()

    @classmethod
    def of_home(cls, home: Path | str) -> Self:
        """Return the way to the cell of `home`; raises CellUnreachable, HomeUnreadable."""
        path = Path(home)
        run = RunFile.read(path)
        return cls(run.url, read_token(path), certificate=run.certificate, home=path)

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return what MYCELD_URL, MYCELD_TOKEN and MYCELD_CA say; without a URL, MYCELD_HOME."""
        url = environment.get(URL_VARIABLE, "")
        if not url:
            return cls.of_home(Path(environment.get(HOME_VARIABLE) or HOME_DEFAULT).expanduser())
        return cls(url, environment.get(TOKEN_VARIABLE, ""), ca=environment.get(CA_VARIABLE, ""))

    def renewed(self) -> Self:
        """Return the way as it is now: a cell that restarts may take another port."""
        return self if self.home is None else self.of_home(self.home)

    def address(self) -> tuple[str, int]:
        """Return host and port; raises CellAnswerUnreadable if that is no URL of a gateway."""
        parts = urlsplit(self.url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise CellAnswerUnreadable(f"{self.url} is not the URL of a gateway") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CellAnswerUnreadable(f"{self.url} is not the URL of a gateway")
        return parts.hostname, port

    def tls(self) -> ssl.SSLContext | None:
        """Return what checks an https server, None for http; raises HomeUnreadable."""
        return tls_of(self.certificate, self.ca) if self.url.startswith("https:") else None

    @property
    def signs(self) -> bool:
        """Whether requests are signed, for which it must be known which cell that is."""
        return self.key is not None and not self.token

    def headers(
        self, method: str, target: str, body: bytes | None, who: Who | None
    ) -> dict[str, str]:
        """Return the headers of one request; each signed one has another signature."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        elif self.key is not None and who is not None:
            from identity.request_signature import Asked  # noqa: PLC0415 - for those who sign
            from myceld.signing import authorization  # noqa: PLC0415 - for those who sign

            headers["Authorization"] = authorization(
                self.key,
                Asked(who.network_id, who.cell_id, method, target),
                body or b"",
                time_ms=time.time_ns() // 1_000_000,
                nonce=os.urandom(_NONCE_SIZE_BYTES),
            )
        return headers

    def unreachable(self, error: BaseException) -> MyceldError:
        """Return what to say of a connection that was not made, or was lost.

        CellUnreachable if there may be one later.
        """
        if isinstance(error, ssl.SSLCertVerificationError):
            return CellNotTrusted(f"{self.url}: {error.verify_message}")
        if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
            return CellWithoutTls(f"{self.url}: the answer is not TLS")
        if self.home is not None and isinstance(error, ConnectionRefusedError):
            return not_running(self.home)
        reason = getattr(error, "strerror", None) or "the connection was closed"
        return CellUnreachable(f"no cell answers at {self.url} ({reason})")
