"""The FastAPI application: families of operations, each of which is one route.

What FastAPI and pydantic need for the document of the API is made in `gateway.openapi`, and only
when somebody asks for that: it takes more memory than all the rest of the gateway.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from gateway.openapi import Document, document
from gateway.operations import Family, Operation

Answer: TypeAlias = Callable[[Request], Awaitable[Response]]
Guard: TypeAlias = Callable[[Operation], Answer]
"""Makes of an operation what answers its requests, whatever goes wrong."""

API_VERSION: Final = "1"
"""As in the paths; what is added does not change it."""


class OperationRoute(APIRoute):
    """The route of one operation."""

    def __init__(self, operation: Operation, tag: str, answer: Answer) -> None:
        self.operation, self.tag = operation, tag

        async def endpoint(request: Request) -> Response:
            return await answer(request)

        super().__init__(operation.path, endpoint, methods=[operation.method], response_model=None)

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            response = await answer(Request(scope, receive, send))
            await response(scope, receive, send)

        # FastAPI's own opens two exit stacks for dependencies, of which there are none.
        self.app = serve


class Api(FastAPI):
    """The application of the gateway, behind its door."""

    def __init__(
        self,
        families: Sequence[Family],
        guard: Guard,
        *,
        more: Sequence[BaseRoute] = (),
    ) -> None:
        """`more`: routes that are no operations, such as pages; no document tells of them."""
        super().__init__(
            title="myceld", version=API_VERSION, openapi_url=None, docs_url=None, redoc_url=None
        )
        self.router.redirect_slashes = False
        self.families = families
        for family in families:
            for operation in family.operations():
                self.router.routes.append(OperationRoute(operation, family.tag, guard(operation)))
        self.router.routes.extend(more)

    def openapi(self) -> Document:
        """Return the document of the API; takes a second, and tens of megabytes."""
        return document(self.families, title=self.title, version=self.version)
