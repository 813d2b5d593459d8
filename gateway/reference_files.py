"""The OpenAPI document of this gateway, and a page that shows it without any outside request.

All of it is files of the package, written and checked when the program is made; a cell that nobody
asks for them holds none. They hold nothing of the cell, so no token is needed.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.answers import error_answer
from gateway.errors import NoSuchFile
from gateway.static_files import MEDIA_TYPES, SECURITY_HEADERS

DOCUMENT: Final = "openapi.json"
_FOLDER: Final = "reference"
_PAGE: Final = ("index.html", "reference.css", "reference.js")


def reference_routes() -> list[BaseRoute]:
    """Return the routes of the document and of its page."""
    return [
        Route(f"/api/v1/{DOCUMENT}", _document, methods=["GET"]),
        Route("/api/docs", _page, methods=["GET"]),
        Route("/api/docs/{name}", _page, methods=["GET"]),
    ]


async def _document(_request: Request) -> Response:
    return Response(_read(DOCUMENT), media_type="application/json", headers=SECURITY_HEADERS)


async def _page(request: Request) -> Response:
    name = request.path_params.get("name", _PAGE[0])
    if name not in _PAGE:
        return error_answer(NoSuchFile("the reference has no such file"))
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]
    return Response(_read(name), media_type=media_type, headers=SECURITY_HEADERS)


@cache
def _read(name: str) -> bytes:
    return files("gateway").joinpath(_FOLDER, name).read_bytes()
