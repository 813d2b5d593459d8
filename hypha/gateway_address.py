"""Where a gateway is, and what it is asked with: a URL, a token file, who vouches for its TLS."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hypha.errors import BadGateway, TokenFileUnusable
from hypha.limits import TOKEN_SIZE_BYTES_MAX
from settings.gateways import GatewayText, gateway_text
from settings.keys import Wrong

_PORTS: Final = {"http": 80, "https": 443}
_OPEN_TO_OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """One gateway. Construction checks the URL and raises BadGateway."""

    url: str
    token_file: str = ""
    """Relative to the directory of the hypha; empty: no token."""
    ca_file: str = ""
    """Certificates (PEM) that vouch for an https gateway; empty: those of the system."""

    def __post_init__(self) -> None:
        wrong = GatewayText(self.url, self.token_file, self.ca_file).wrong()
        if wrong is not None:
            raise BadGateway(wrong)

    @property
    def is_secure(self) -> bool:
        """Whether it is https."""
        return self.url.startswith("https:")

    @property
    def text(self) -> str:
        """Itself as `URL[,token=FILE][,ca=FILE]`."""
        options = (("token", self.token_file), ("ca", self.ca_file))
        return ",".join([self.url, *(f"{name}={file}" for name, file in options if file)])

    @property
    def host(self) -> str:
        """The name or address to connect to."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port to connect to."""
        parts = urlsplit(self.url)
        return parts.port or _PORTS[parts.scheme]

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        """What comes before the paths of the API."""
        return urlsplit(self.url).path.rstrip("/")

    def read_token(self, home: Path) -> str:
        """Return the token, empty without a file; raises TokenFileUnusable."""
        if not self.token_file:
            return ""
        path = home / Path(self.token_file).expanduser()
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                data = file.read(TOKEN_SIZE_BYTES_MAX + 1)
        except OSError as error:
            raise TokenFileUnusable(f"{path}: {error.strerror}") from error
        if mode & _OPEN_TO_OTHERS:
            raise TokenFileUnusable(f"{path} has mode {mode:04o}, it should be 0600")
        token = data.decode("latin-1").strip()
        if not token or len(data) > TOKEN_SIZE_BYTES_MAX or not token.isascii():
            raise TokenFileUnusable(f"{path} holds no token")
        if not token.isprintable() or " " in token:
            raise TokenFileUnusable(f"{path} holds no token")
        return token


def parse_gateway(text: str) -> GatewayAddress:
    """Return the gateway in `URL[,token=FILE][,ca=FILE]`; raises BadGateway."""
    parts = gateway_text(text)
    if isinstance(parts, Wrong):
        raise BadGateway(parts.message)
    return GatewayAddress(parts.url, parts.token_file, parts.ca_file)
