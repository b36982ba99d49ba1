"""Read YAML files against a schema, so that every complaint names file, field and what was expected."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from isodose.errors import InputError


class Strict(BaseModel):
    """Base of the schemas of files: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Schema = TypeVar("Schema", bound=Strict)


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number, not true or false")
    return value


Number = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
"""A finite number; YAML 1.1 takes ``1e8`` for text, so text that spells a number is a number too."""

Positive = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False, gt=0)]
"""A finite number above zero."""

NotNegative = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False, ge=0)]
"""A finite number of at least zero."""

Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, le=1_000_000)]
"""A whole number of at least one."""

Text = Annotated[str, Field(min_length=1)]
"""Some text."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe loader that refuses a key given twice instead of dropping the first."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:str":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key.value!r} given twice", key.start_mark
                    )
                seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


_DEPTH_LIMIT = 200
_INDENTED = re.compile(rb"(?:[-?:]?[ \t\x00]){%d}" % _DEPTH_LIMIT)


def _may_nest_deeply(data: bytes) -> bool:
    """Whether a document could nest beyond the limit, where libyaml overflows the stack."""
    code = np.frombuffer(data, dtype=np.uint8)
    depth = np.cumsum(np.isin(code, list(b"[{")), dtype=np.int64) - np.cumsum(np.isin(code, list(b"]}")))
    flow = int(np.max(depth - np.minimum.accumulate(np.minimum(depth, 0)), initial=0))
    return flow > _DEPTH_LIMIT or _INDENTED.search(data) is not None


def read_yaml(path: str | Path, schema: type[Schema]) -> Schema:
    """Contents of a YAML file as an instance of a schema.

    Parameters
    ----------
    path
        The file.
    schema
        Model of what the file must hold.

    Raises
    ------
    InputError
        If the file cannot be read, is not YAML, or does not fit the schema; names the first field that is
        wrong, and a near name for a key that does not exist.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
        if _may_nest_deeply(raw):
            raise InputError(
                "file", f"more than {_DEPTH_LIMIT} levels of nesting or indentation", "fewer", path
            )
        data = yaml.load(raw, Loader=_Loader)
    except InputError:
        raise
    except OSError as error:
        raise InputError("file", error.strerror or error, "a readable file", path) from error
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        found = " ".join(str(error).split()) or type(error).__name__
        raise InputError("file", found[:300], "valid YAML", path) from error
    if not isinstance(data, dict):
        expected = f"keys {', '.join(schema.model_fields)}"
        raise InputError("file", f"{type(data).__name__} at the top", expected, path)
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise _input_error(error, schema, path) from error


def field_path(location: tuple[int | str, ...]) -> str:
    """Place in a document as the user knows it: ``beams[0].layers[2].energy_mev_u``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "file"


def _input_error(error: ValidationError, schema: type[Strict], path: Path) -> InputError:
    # A key that is wrong explains the key that is missing, so it comes first.
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    place = field_path(first["loc"])
    if first["type"] == "missing":
        return InputError(place, "nothing", "a value", path)
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        near = difflib.get_close_matches(key, _keys(schema), n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return InputError(place, f"unknown key {key!r}", f"only documented keys{hint}", path)
    found = repr(first["input"])
    return InputError(place, found if len(found) < 100 else found[:97] + "...", _expected(first["msg"]), path)


def _keys(schema: type[Strict]) -> list[str]:
    document = schema.model_json_schema()
    tables = [document, *document.get("$defs", {}).values()]
    return sorted({key for table in tables for key in table.get("properties", {})})


def _expected(message: str) -> str:
    for lead in ("Value error, ", "Input should be "):
        message = message.removeprefix(lead)
    return message[:1].lower() + message[1:]
