"""Writes docs/reference/openapi.md from the service's own OpenAPI document."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from upres.service.parts import Service
from upres.service.settings import ServiceSettings
from upres.web.app import create_app

PAGE = Path(__file__).parent / "reference" / "openapi.md"
_INTRODUCTION = """# Every operation

Written by `make docs` from the document that every server gives at `/openapi.json`.
[The HTTP interface](http.md) explains it, [a page of programs](../how-to/api.md) shows it in use.

Errors are `application/problem+json` with `type`, `title`, `status`, `detail`, `code` and
`request_id`, or a page for browsers.
"""


def document() -> dict[str, Any]:
    """Return the OpenAPI document of a server with the settings that everybody has."""
    with tempfile.TemporaryDirectory() as name:
        service = Service.open(ServiceSettings(data_folder=Path(name)))
        app = create_app(service)
        with app.app_context():
            found = cast("dict[str, Any]", app.spec)
        service.close()
    return found


def render() -> str:
    """Return the page's text."""
    spec = document()
    sections = [_INTRODUCTION]
    sections += [
        "\n".join(_operation(path, method, operation, shared=methods.get("parameters", [])))
        for path, methods in sorted(spec["paths"].items())
        for method, operation in methods.items()
        if method != "parameters"
    ]
    sections.append("\n".join(_schemas(spec["components"]["schemas"])))
    return "\n".join(sections).rstrip() + "\n"


def _operation(
    path: str, method: str, operation: dict[str, Any], *, shared: list[dict[str, Any]]
) -> Iterator[str]:
    yield f"## {method.upper()} {path}"
    yield ""
    yield " ".join(operation["summary"].split())
    yield ""
    if about := operation.get("description"):
        yield about.strip()
        yield ""
    if parameters := [*shared, *operation.get("parameters", [])]:
        yield from ("| parameter | where | kind | what it is |", "|---|---|---|---|")
        for one in parameters:
            must = ", required" if one.get("required") and one["in"] != "path" else ""
            about = _line(one.get("description", ""))
            yield f"| `{one['name']}` | {one['in']}{must} | {_kind(one['schema'])} | {about} |"
        yield ""
    if body := operation.get("requestBody"):
        yield f"Body: {', '.join(f'`{kind}`' for kind in body['content'])}."
        yield ""
    yield from ("| answer | what it is | kind |", "|---|---|---|")
    for status, answer in sorted(operation["responses"].items()):
        kinds = [kind for kind in answer.get("content", {}) if int(_number(status)) < 400]  # noqa: PLR2004
        about = _line(answer.get("description", ""))
        yield f"| {status} | {about} | {', '.join(f'`{kind}`' for kind in kinds)} |"
    yield ""


def _schemas(schemas: dict[str, Any]) -> Iterator[str]:
    yield "## What answers hold"
    for name, schema in sorted(schemas.items()):
        if not schema.get("properties"):
            continue
        yield from ("", f"### {name}", "", "| member | kind | what it is |", "|---|---|---|")
        for member, one in schema["properties"].items():
            yield f"| `{member}` | {_kind(one)} | {_line(one.get('description', ''))} |"


def _number(status: str) -> str:
    return status if status.isdigit() else "500"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _kind(schema: dict[str, Any]) -> str:
    """Return what kind of value a schema describes, in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_kind(one) for one in schema[several]))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type", "any"))


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
