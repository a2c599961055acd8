"""Where settings come from, and what is wrong with them, told by the name under which they came."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

PREFIX = "UPRES_SERVICE_"
CONFIG = f"{PREFIX}CONFIG"
UPLOAD_MODEL = "UPRES_UPLOAD_MODEL"
"""A second name of one setting; `UPRES_SERVICE_UPLOAD_MODEL` counts before it."""
HIDDEN = "***"

_KUBERNETES = re.compile(rf"{PREFIX}(HOST|PORT)(_\w+)?")
"""What Kubernetes sets in every container where its cluster has a service named `upres`."""


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong, to be told among others."""

    name: str
    """Of the variable, or of the key in the file."""
    value: object
    expected: str

    def __str__(self) -> str:
        return f"{self.name} is {self.value!r}; expected {self.expected}"


Given = dict[str, tuple[str, Any]]
"""By field: how it was named where it was set, and the value."""


def from_variables(environment: Mapping[str, str]) -> Given:
    """Return what variables say; an empty one is an unset one."""
    in_kubernetes = "KUBERNETES_SERVICE_HOST" in environment
    given: Given = {}
    if environment.get(UPLOAD_MODEL):
        given["upload_model"] = UPLOAD_MODEL, environment[UPLOAD_MODEL]
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name == CONFIG or not text:
            continue
        if not (in_kubernetes and _KUBERNETES.fullmatch(name)):
            given[name.removeprefix(PREFIX).lower()] = name, text
    return given


def from_file(path: str) -> tuple[Given, list[Mistake]]:
    """Return what a TOML file says, nothing without a path, and why it could not be read."""
    if not path:
        return {}, []
    try:
        with Path(path).expanduser().open("rb") as file:
            values = tomllib.load(file)
    except RuntimeError as error:  # no such user's ~
        return {}, [Mistake(CONFIG, path, f"a file that can be read ({error})")]
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return {}, [Mistake(CONFIG, path, f"a file that can be read ({reason})")]
    except ValueError as error:
        reason = str(error).splitlines()[0]
        return {}, [Mistake(CONFIG, path, f"a TOML file ({reason})")]
    return {field: (f"{field} in {path}", value) for field, value in values.items()}, []


def mistakes_of(
    error: ValidationError,
    names: Mapping[str, str],
    *,
    known: Collection[str],
    secret: Collection[str],
) -> list[Mistake]:
    """Return what is wrong with values.

    `names` are those under which fields were set, `known` all fields, and `secret` those whose
    values are not shown.
    """
    mistakes = []
    for one in error.errors(include_url=False, include_context=False):
        field = str(one["loc"][0])
        name = names.get(field, PREFIX + field.upper())
        if one["type"] == "extra_forbidden":
            expected = f"the name of a setting{_hint(name, field, known)}"
            mistakes.append(Mistake(name, HIDDEN, expected))
        elif one["type"] != "default_factory_not_called":  # what it follows from is wrong, and told
            value = HIDDEN if field in secret else one["input"]
            expected = one["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            mistakes.append(Mistake(name, value, expected))
    return mistakes


def _hint(name: str, field: str, known: Collection[str]) -> str:
    near = get_close_matches(field, known, n=1) or [one for one in known if field in one]
    if not near:
        return ""
    return f" such as {PREFIX + near[0].upper() if name.startswith(PREFIX) else near[0]}"
