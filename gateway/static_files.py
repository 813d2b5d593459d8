"""The files of the web explorer: what a browser needs to show a cell, and nothing else.

Only the names in the table are served, so there is no path to escape from. A file is read from the
package when it is first asked for; a cell whose explorer nobody opens holds none of them. The files
hold nothing of the cell: they are open to whoever passes the door, and ask for data with a token.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.answers import error_answer
from gateway.errors import NoSuchFile, NotAFileMethod

PREFIX: Final = "/explorer/"
"""Where the explorer is."""

PAGES: Final = (
    "accounts",
    "governance",
    "hashgraph",
    "journals",
    "logs",
    "messages",
    "overview",
    "peers",
    "rounds",
    "services",
    "state",
    "transactions",
    "trust",
    "verify",
)
"""Modules of the folder `pages`."""

VERIFIERS: Final = (
    *("base58", "bytes", "claims", "crypto", "journal", "merkle", "msgpack", "proof", "trie"),
)
"""Modules of the folder `verify`."""

FRAME: Final = ("api", "app", "dom", "format", "live", "names", "network", "parts", "verdict")
"""Modules that all pages share."""

GRAPH: Final = ("camera", "feed", "layout", "model", "paint", "panel", "stage")
"""Modules of the folder `graph`."""

NAMES: Final = frozenset(
    {
        "index.html",
        "style.css",
        "icon.svg",
        *(f"{name}.js" for name in FRAME),
        *(f"pages/{name}.js" for name in PAGES),
        "graph/graph.css",
        *(f"graph/{name}.js" for name in GRAPH),
        *(f"verify/{name}.js" for name in VERIFIERS),
    }
)
"""All that is served, below PREFIX."""

MEDIA_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""By the ending of a name."""

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""No script or style but our files, no request but to this cell, no frame around it."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is served."""

    content: bytes
    media_type: str
    etag: str
    """Changes with the content: a browser asks each time, and is told that nothing changed."""


class ExplorerFiles:
    """ASGI application that serves the explorer, and leaves every other path to `inner`."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self._read: dict[str, StaticFile] = {}
        """Bounded by NAMES."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and is_explorer(scope["path"]):
            await self._answer(scope)(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            refusal = error_answer(NotAFileMethod(f"{scope['method']} is not possible here"))
            refusal.headers["Allow"] = "GET, HEAD"
            return refusal
        if path in ("/", PREFIX[:-1]):
            return Response(status_code=307, headers={"Location": PREFIX, **SECURITY_HEADERS})
        name = path.removeprefix(PREFIX) or "index.html"
        if name not in NAMES:
            return error_answer(NoSuchFile("the explorer has no such file"))
        file = self._file(name)
        headers = {"ETag": file.etag, "Cache-Control": "no-cache", **SECURITY_HEADERS}
        if file.etag in Headers(scope=scope).get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        # Starlette adds the length; a server sends no body for HEAD.
        return Response(file.content, media_type=file.media_type, headers=headers)

    def _file(self, name: str) -> StaticFile:
        if name not in self._read:
            self._read[name] = read_file(name)
        return self._read[name]


def is_explorer(path: str) -> bool:
    """Tell whether a path is the explorer's: these need no token."""
    return path in ("/", PREFIX[:-1]) or path.startswith(PREFIX)


def read_file(name: str) -> StaticFile:
    """Return a file of the table, out of the installed package."""
    content = files("gateway").joinpath("explorer", *name.split("/")).read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return StaticFile(content, MEDIA_TYPES[name.rpartition(".")[2]], etag)
