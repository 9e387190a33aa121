"""From pydantic's errors to problems that a person can mend."""

import difflib
from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from scrim.errors import Problem
from scrim.wording import show

_ELSEWHERE = "see config/scrim.toml"


def problems_of(error: ValidationError, root: type[BaseModel]) -> list[Problem]:
    """Each thing that pydantic found, with what would be right.

    Args:
        error: from validating a document against ``root``. Errors of type ``contradiction`` are left out:
            they concern several keys, and the caller knows better words for them.
        root: the document's model; what is allowed is read from its fields' ``json_schema_extra["allowed"]``.
    """
    details = error.errors(include_url=False)
    return [_problem(detail, root) for detail in details if detail["type"] != "contradiction"]


def _problem(detail: ErrorDetails, root: type[BaseModel]) -> Problem:
    names = list(_names(detail["loc"], root))
    if detail["type"] == "extra_forbidden":
        return _unknown_key(names, detail["input"], root)
    field = _field(names, root)
    message = detail["msg"][:1].lower() + detail["msg"][1:]
    value = "(section)" if isinstance(detail["input"], Mapping | BaseModel) else show(detail["input"])
    return Problem(".".join(names) or "settings", value, message, _allowed(field) if field else _ELSEWHERE)


def _names(location: tuple[int | str, ...], root: type[BaseModel]) -> Iterator[str]:
    """The location without pydantic's own words for the branches of a union."""
    section: type[BaseModel] | None = root
    for part in location:
        if section is not None or isinstance(part, int):
            yield str(part)
        section = _section_of(section, str(part))


def _field(names: list[str], root: type[BaseModel]) -> FieldInfo | None:
    """The innermost field on the way."""
    section: type[BaseModel] | None = root
    found: FieldInfo | None = None
    for name in names:
        field = section.model_fields.get(name) if section else None
        if field is None:
            return found
        found, section = field, _section_of(section, name)
    return found


def _section_of(parent: type[BaseModel] | None, name: str) -> type[BaseModel] | None:
    field = parent.model_fields.get(name) if parent else None
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _allowed(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "allowed" in extra:
        return str(extra["allowed"])
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "a section with " + ", ".join(kind.model_fields)
    return _ELSEWHERE


def _unknown_key(names: list[str], value: object, root: type[BaseModel]) -> Problem:
    section: type[BaseModel] | None = root
    for name in names[:-1]:
        section = _section_of(section, name)
    known = (section or root).model_fields
    near = difflib.get_close_matches(names[-1], known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Problem(".".join(names), show(value), f"is not a known key{hint}", ", ".join(known))
