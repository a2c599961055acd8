"""Pieces of the OpenAPI document that neither view functions nor models say by themselves."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from upres.service.clip_files import CLIPS
from upres.web.incoming import FIELD
from upres.web.options import PictureOptions
from upres.web.results import JSON, PICTURES, RESULTS
from upres.web.schemas import EncodedResult

Described = dict[str, Any]

BINARY: Described = {"type": "string", "format": "binary"}
_TEXT: Described = {"type": "string"}
_SECONDS: Described = {"type": "integer", "minimum": 0}
_PROBLEM = "application/problem+json"
_REFERENCE = "#/components/schemas/"

LOCATION: Described = {
    "Location": {"description": "The job.", "required": True, "schema": _TEXT},
}
RETRY_AFTER: Described = {
    "Retry-After": {
        "description": "Seconds; where it is worth to come again.",
        "required": False,
        "schema": _SECONDS,
    },
}
IDEMPOTENCY_KEY: Described = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Your own name for the request: sent again, it gives the same job.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
AFTER: Described = {
    "name": "after",
    "in": "query",
    "required": False,
    "description": "`next` of the answer before.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
}
_PREFERENCES = "^(respond-async|(respond-async, ?)?wait=[0-9]{1,4})$"
PREFER: Described = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=N`: at most so many seconds; `respond-async`: none.",
    "schema": {"type": "string", "pattern": _PREFERENCES},
}
_RETRIED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

PICTURE_PROBLEMS = (400, 401, 403, 413, 415, 422, 429, 500, 503)
"""Statuses of everything that takes a picture."""
JOB_PROBLEMS = (401, 403, 404, 500, 503)
"""Statuses of everything about a job."""


def problems(*statuses: int) -> dict[int | str, Any]:
    """Describe problem answers."""
    described: dict[int | str, Any] = {}
    for status in statuses:
        described[status] = {
            "description": HTTPStatus(status).phrase,
            "content": {_PROBLEM: {"schema": {"$ref": f"{_REFERENCE}Problem"}}},
        }
        if status in _RETRIED:
            described[status]["headers"] = RETRY_AFTER
    return described


def answer(model: str, description: str, *, headers: Described | None = None) -> Described:
    """Describe an answer in JSON by the name of a model that some view puts out."""
    content = {JSON: {"schema": {"$ref": f"{_REFERENCE}{model}"}}}
    return {"description": description, "content": content, "headers": headers or {}}


def picture(description: str) -> Described:
    """Describe an answer that is a picture, or JSON where the client prefers it."""
    content: Described = {one: {"schema": BINARY} for one in RESULTS}
    content[JSON] = {"schema": EncodedResult.model_json_schema()}
    etag = {"description": "The file's SHA-256.", "required": True, "schema": _TEXT}
    return {"description": description, "content": content, "headers": {"ETag": etag}}


def source(description: str) -> Described:
    """Describe an answer that is an uploaded picture."""
    types = (*PICTURES, *CLIPS, "image/bmp", "application/octet-stream")
    return {
        "description": description,
        "content": {one: {"schema": BINARY} for one in types},
    }


def bare(description: str) -> Described:
    """Describe an answer without a body."""
    return {"description": description}


def one_picture(*parameters: Described) -> dict[str, Any]:
    """Describe a request with one picture, raw or in a form, and options in query or form."""
    raw = {
        one: {"schema": BINARY}
        for one in (*PICTURES, *CLIPS, "image/bmp", "application/octet-stream")
    }
    return {
        "parameters": [*_options_in_query(), IDEMPOTENCY_KEY, *parameters],
        "requestBody": {
            "required": True,
            "description": "The content decides what it is, whatever its type says.",
            "content": {
                "multipart/form-data": {"schema": _form(BINARY, **_option_schemas())},
                **raw,
            },
        },
    }


def plain_upload() -> dict[str, Any]:
    """Describe a form with one picture and nothing to choose."""
    return {
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": _form(BINARY)}},
        },
    }


def many_pictures() -> dict[str, Any]:
    """Describe a form with several pictures that share their options."""
    several = {"type": "array", "items": BINARY, "minItems": 1}
    return {
        "parameters": [*_options_in_query(), IDEMPOTENCY_KEY],
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": _form(several, **_option_schemas())}},
        },
    }


def _option_schemas() -> dict[str, Described]:
    properties: dict[str, Described] = PictureOptions.model_json_schema()["properties"]
    return {
        name: {key: value for key, value in schema.items() if key != "title"}
        for name, schema in properties.items()
    }


def _options_in_query() -> list[Described]:
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema.get("description", ""),
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in _option_schemas().items()
    ]


def _form(file: Described, **fields: Described) -> Described:
    """Describe a form with a file; where there are options, other fields are refused."""
    return {
        "type": "object",
        "properties": {FIELD: file, **fields},
        "required": [FIELD],
        "additionalProperties": not fields,
    }
