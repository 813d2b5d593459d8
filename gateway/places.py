"""From where a request may come: the names of this gateway, and the web pages that may use it.

A web page anywhere can have a browser on this machine send requests here. The Host header tells
under which name: a name that is not ours was rebound in the DNS. The Origin header tells which
page: others than our own are let in only if the owner named them, and never all of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from starlette.types import Scope as AsgiScope

from core.host_names import is_loopback, name_in_host
from gateway.errors import ForeignHost, ForeignOrigin
from gateway.limits import PREFLIGHT_AGE_S

_PORTS: Final = {"http": 80, "https": 443}


class Places:
    """Names and origins that are let in; `proxies` are addresses whose headers are believed."""

    def __init__(
        self, hosts: Sequence[str] = (), origins: Sequence[str] = (), proxies: Sequence[str] = ()
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origins)
        self._proxies = frozenset(proxies)

    @property
    def lets_pages_in(self) -> bool:
        """Whether there are pages of other origins that may use this gateway."""
        return bool(self._origins)

    def is_proxy(self, address: str) -> bool:
        """Return whether an address is that of a proxy that says who asks."""
        return address in self._proxies

    def check(self, scope: AsgiScope) -> str | None:
        """Return the foreign origin that is let in, if there is one behind a request.

        Raises ForeignHost, ForeignOrigin.
        """
        hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0], scope):
            raise ForeignHost("the Host header does not name this gateway")
        if not origins:
            return None
        if len(origins) == 1 and self._is_own_page(origins[0], hosts[0], scope):
            return None
        if len(origins) == 1 and origins[0] in self._origins:
            return origins[0]
        raise ForeignOrigin("a page of another origin is behind the request")

    def client_of(self, scope: AsgiScope) -> str:
        """Return the address of who asks; what a trusted proxy says if it comes through one."""
        client = scope.get("client")
        address = str(client[0]) if client else "?"
        if address not in self._proxies:
            return address
        named = ",".join(_values(scope, b"x-forwarded-for")).split(",")
        for hop in reversed([hop.strip() for hop in named]):
            try:
                ipaddress.ip_address(hop)
            except ValueError:
                break
            address = hop
            if hop not in self._proxies:
                break
        return address

    def _is_ours(self, host: str, scope: AsgiScope) -> bool:
        name = name_in_host(host)
        if name is None:
            return False
        if name.lower() in self._hosts or is_loopback(name):
            return True
        # An address is no name that could be rebound.
        server = scope.get("server")
        return server is not None and name == str(server[0])

    def _is_own_page(self, origin: str, host: str, scope: AsgiScope) -> bool:
        scheme, _, rest = origin.partition("://")
        of_request = "https" if scope["scheme"] in ("https", "wss") else "http"
        # A proxy in front may end TLS.
        is_scheme = scheme == of_request or (bool(self._proxies) and scheme == "https")
        port = f":{_PORTS.get(scheme, 0)}"
        return is_scheme and rest.lower().removesuffix(port) == host.lower().removesuffix(port)


def preflight_headers(origin: str, methods: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Return what a browser is told that asks what an origin may send here."""
    return [
        *cors_headers(origin),
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", b"authorization, content-type"),
        (b"access-control-max-age", str(PREFLIGHT_AGE_S).encode()),
    ]


def cors_headers(origin: str) -> list[tuple[bytes, bytes]]:
    """Return what lets pages of one named origin see an answer."""
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"RateLimit-Remaining, RateLimit-Reset, Retry-After"),
        (b"vary", b"Origin"),
    ]


def _values(scope: AsgiScope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for header, value in scope["headers"] if header == name]
