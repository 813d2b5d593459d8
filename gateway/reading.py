"""Request models, and how the fields of a request are read into one.

A model that is wrong raises BadRequest about the first field that is, in the words of its kind.
"""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from gateway.bodies import Fields, refuse
from gateway.kinds import Wrong

_WORDS: Final = {
    "missing": "is needed",
    "extra_forbidden": "is unknown here",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected an object",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
}
"""What is said of what pydantic finds wrong itself; all else is said by `gateway.kinds`."""


class Ask(BaseModel):
    """Base of request models: of a path, a query or a body.

    A field's type is an `Annotated` with one of `gateway.kinds`, and the text under it is its
    description. What a model does not declare is refused. Validators are built at first use: most
    routes are never asked, and each takes memory.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, defer_build=True, hide_input_in_errors=True
    )


AskT = TypeVar("AskT", bound=Ask)


def names_of(model: type[Ask] | None) -> frozenset[str]:
    """Return the names of the fields that a model takes, as they stand in requests."""
    if model is None:
        return frozenset()
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def read_ask(model: type[AskT], fields: Fields) -> AskT:
    """Return what the fields say; raises BadRequest about the first that is wrong."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        refuse(*_complaint(first))


def _complaint(error: ErrorDetails) -> tuple[str, str]:
    """Return the place of the field, such as `writes[0].key`, and what is wrong with it."""
    cause = error.get("ctx", {}).get("error")
    wrong = cause if isinstance(cause, Wrong) else None
    place = ""
    for part in (*error["loc"], *([wrong.field] if wrong and wrong.field else [])):
        if isinstance(part, int):
            place += f"[{part}]"
        else:
            place += f".{part}" if place else part
    if wrong is not None:
        return place, wrong.why
    return place, _WORDS.get(error["type"], error["msg"])
