"""The web application, put together in one place."""

from __future__ import annotations

from http import HTTPMethod, HTTPStatus
from typing import TYPE_CHECKING, Any

from apiflask import APIFlask
from werkzeug.middleware.proxy_fix import ProxyFix

from upres import __version__
from upres.web import (
    batches,
    catalogue,
    compress,
    enlarge,
    events,
    guards,
    jobs,
    limits,
    operations,
    page,
    problems,
    reference,
    refusals,
    upload,
)
from upres.web.forms import FormRequest
from upres.web.keys import Keyring
from upres.web.serving import Serving

if TYPE_CHECKING:
    from upres.service.parts import Service

_FORM_BYTES = 2**20
"""What a form may have beside its picture."""
_FIELD_BYTES = 2**19
"""Also what the form's parser holds at a time: it reads 64 KiB and may hold as much already."""
_FORM_PARTS = 50
_ABOUT = """Enlarge pictures: send one, follow its job, fetch the result.

A job's id is a secret of 128 bits: whoever knows it may see and cancel the job. Errors are problems
as RFC 9457 has them. What is sent is kept for a while and then removed; metadata stays behind
unless `keep_metadata` is asked for."""
_KEY = "An API key; needed where the server demands one."
_BLUEPRINTS = (
    jobs.blueprint,
    events.blueprint,
    enlarge.blueprint,
    batches.blueprint,
    upload.blueprint,
    page.blueprint,
    catalogue.blueprint,
    operations.blueprint,
    reference.blueprint,
)


def create_app(service: Service) -> APIFlask:
    """Make the application that serves a service. Raises KeysUnusable and what databases raise."""
    settings = service.settings
    app = APIFlask(
        "upres.web",
        title="upres",
        version=__version__,
        docs_path=None,
        json_errors=False,
        static_folder="static",
        template_folder="templates",
    )
    app.config.update(
        MAX_CONTENT_LENGTH=settings.upload_bytes + _FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=_FIELD_BYTES,
        MAX_FORM_PARTS=_FORM_PARTS,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        DESCRIPTION=_ABOUT,
        SECURITY_SCHEMES={
            "bearer": {"type": "http", "scheme": "bearer", "description": _KEY},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": _KEY},
        },
    )
    app.request_class = FormRequest
    keys = Keyring(settings.api_keys_file)
    keys.all()  # what is wrong with the file is told now
    here = Serving.of(service, keys)
    here.install(app)
    problems.install(app)
    guards.install(app, settings)
    compress.install(app)
    limits.install(app, service)
    operations.install(app, here)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.spec_processor(_described)
    if settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=0, x_host=0, x_port=0, x_prefix=0
        )
    return app


def _described(spec: Any) -> Any:
    """Complete the OpenAPI document with what holds for every operation."""
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = problems.SCHEMA
    for methods in spec["paths"].values():
        for method, operation in methods.items():
            if method.upper() not in HTTPMethod.__members__:
                continue
            # a key is optional, as far as this document goes
            operation.setdefault("security", [{}, {"bearer": []}, {"header": []}])
            answers = operation.setdefault("responses", {})
            answers.setdefault("default", {"description": "Any other error."})
            for status, answer in answers.items():
                if status == "default" or int(status) >= HTTPStatus.BAD_REQUEST:
                    answer["content"] = {
                        refusals.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}},
                        "text/html": {"schema": {"type": "string"}},
                    }
    return spec
