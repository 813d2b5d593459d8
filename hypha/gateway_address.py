"""Where a gateway is, and what it is asked with: a URL, a token file, who vouches for its TLS."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from core.host_names import is_loopback
from hypha.errors import BadGateway, TokenFileUnusable
from hypha.limits import TOKEN_SIZE_BYTES_MAX, URL_LENGTH_MAX

_PORTS: Final = {"http": 80, "https": 443}
_OPEN_TO_OTHERS: Final = 0o077
_OPTIONS: Final = ("token", "ca")


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """One gateway. Construction checks the URL and raises BadGateway."""

    url: str
    token_file: str = ""
    """Relative to the directory of the hypha; empty: no token."""
    ca_file: str = ""
    """Certificates (PEM) that vouch for an https gateway; empty: those of the system."""

    def __post_init__(self) -> None:
        if len(self.url) > URL_LENGTH_MAX or not self.url.isascii() or not self.url.isprintable():
            raise BadGateway("the URL is too long, or not plain text")
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError as error:
            raise BadGateway(f"{self.url} is not a URL") from error
        if parts.scheme not in _PORTS or not parts.hostname or port == 0:
            raise BadGateway(f"{self.url} is not an http or https URL")
        if parts.username is not None or parts.query or parts.fragment or " " in self.url:
            raise BadGateway(f"{parts.hostname}: a URL holds no secrets, queries or fragments")
        if self.ca_file and not self.is_secure:
            raise BadGateway(f"{self.url}: certificates are for https only")
        if self.token_file and not self.is_secure and not is_loopback(self.host):
            raise BadGateway(f"{self.url}: a token goes over https, or to this machine only")

    @property
    def is_secure(self) -> bool:
        """Whether it is https."""
        return self.url.startswith("https:")

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
    url, *options = text.split(",")
    found: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if name not in _OPTIONS or not equals or not value or name in found:
            raise BadGateway(f"{option!r}: expected token=FILE or ca=FILE, each once")
        found[name] = value
    return GatewayAddress(url.rstrip("/"), found.get("token", ""), found.get("ca", ""))
