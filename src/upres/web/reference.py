"""The page `/docs`: the OpenAPI document for people, as plain HTML without a script."""

from __future__ import annotations

import html
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from apiflask import APIBlueprint, APIFlask
from flask import Response, current_app

from upres.web.codes import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main>
<h1>{title} {version}</h1>
{about}
<p>The same for programs: <a href="/openapi.json">openapi.json</a>.</p>
<nav><ul>
{contents}
</ul></nav>
{operations}
<h2 id="problems">Problems</h2>
<p>Every error is <code>application/problem+json</code> (RFC 9457) with a stable <code>code</code>;
browsers that ask for a page get one. 429 and 503 carry <code>Retry-After</code>.</p>
<table><thead><tr><th>code</th><th>status</th></tr></thead><tbody>
{problems}
</tbody></table>
</main></body></html>
"""

blueprint = APIBlueprint("reference", __name__)


@blueprint.get("/docs")
@blueprint.doc(hide=True)
def docs() -> Response:
    """Show every operation, its parameters and its answers."""
    return Response(_page(cast("dict[str, Any]", _app()._get_spec())), mimetype="text/html")  # noqa: SLF001


def _app() -> APIFlask:
    return cast("APIFlask", current_app)


def _page(spec: dict[str, Any]) -> str:
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict)
    ]
    return _PAGE.format(
        title=html.escape(spec["info"]["title"]),
        version=html.escape(spec["info"]["version"]),
        about=_paragraphs(spec["info"].get("description", "")),
        contents="\n".join(
            f'<li><a href="#{html.escape(_anchor(one))}">{html.escape(name)}</a> '
            f"{html.escape(one.get('summary', ''))}</li>"
            for name, one in operations
        ),
        operations="\n".join(_operation(name, one) for name, one in operations),
        problems="\n".join(_problems()),
    )


def _operation(name: str, operation: dict[str, Any]) -> str:
    parts = [
        f'<h2 id="{html.escape(_anchor(operation))}">{html.escape(name)}</h2>',
        f"<p><b>{html.escape(operation.get('summary', ''))}</b></p>",
        _paragraphs(operation.get("description", "")),
    ]
    parameters = operation.get("parameters", [])
    if parameters:
        rows = "".join(
            f"<tr><td><code>{html.escape(one['name'])}</code></td><td>{html.escape(one['in'])}</td>"
            f"<td>{html.escape(one.get('description', ''))}</td></tr>"
            for one in parameters
        )
        head = "<tr><th>parameter</th><th>in</th><th>what it is</th></tr>"
        parts.append(f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>")
    answers = "".join(
        f"<tr><td>{html.escape(str(status))}</td><td>{html.escape(one['description'])}</td>"
        f"<td>{html.escape(', '.join(one.get('content', {})))}</td></tr>"
        for status, one in operation["responses"].items()
    )
    head = "<tr><th>status</th><th>what it says</th><th>type</th></tr>"
    parts.append(f"<table><thead>{head}</thead><tbody>{answers}</tbody></table>")
    return "\n".join(parts)


def _problems() -> Iterator[str]:
    for code, status in sorted(ALL.items(), key=lambda one: (one[1], one[0])):
        shown = f"{status} {HTTPStatus(status).phrase}"
        yield f'<tr id="problem-{code}"><td><code>{code}</code></td><td>{shown}</td></tr>'


def _paragraphs(text: str) -> str:
    blocks = [" ".join(block.split()) for block in text.split("\n\n")]
    return "\n".join(f"<p>{html.escape(block)}</p>" for block in blocks if block)


def _anchor(operation: dict[str, Any]) -> str:
    return f"operation-{operation.get('operationId', '')}"
