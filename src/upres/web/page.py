"""`GET /`: the page, in the visitor's language; without scripts it is a form for `/upload`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from apiflask import APIBlueprint
from flask import make_response, render_template, request

from upres.image.formats import INPUT_FORMATS
from upres.web.catalogue import limits_now
from upres.web.incoming import FIELD
from upres.web.serving import serving
from upres.web.upload import SCALE

LANGUAGES = {"en": "English", "zh-CN": "简体中文"}
"""By tag, as each names itself; the first is for visitors who want none of them."""
SAMPLES = ("cat.jpg", "print.jpg", "text.png")
"""In `static/samples`; each has its name among the words."""
_COOKIE = "upres_language"
_CLIPS = ("MP4", "MOV", "WebM")
"""Of the kinds of clips that are taken, those that people know."""
_YEAR_S = 365 * 86_400

blueprint = APIBlueprint("page", __name__, tag="Page")


@cache
def words(language: str) -> dict[str, str]:
    """Return what the page says in a language, by key; `{name}` is put in where it is shown."""
    text = files("upres.web").joinpath(f"words/{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def modules() -> tuple[str, ...]:
    """Return the page's scripts, so that a browser asks for all of them at once."""
    folder = files("upres.web").joinpath("static/page")
    return tuple(sorted(one.name for one in folder.iterdir() if one.name.endswith(".js")))


@blueprint.get("/")
@blueprint.doc(hide=True)
def page() -> Any:
    """Show the page."""
    language = _language()
    settings = serving().service.settings
    said = words(language)
    data: dict[str, Any] = {
        "language": language,
        "words": said,
        "limits": limits_now().model_dump(mode="json"),
        "keyNeeded": settings.api_keys_required,
    }
    clips = _CLIPS if data["limits"]["clip_output_pixels"] else ()
    answer = make_response(
        render_template(
            "page.html",
            data=data,
            say=said,
            language=language,
            languages=LANGUAGES,
            modules=modules(),
            samples=SAMPLES,
            field=FIELD,
            scale=SCALE,
            formats=", ".join([*(name.upper() for name in INPUT_FORMATS), *clips]),
            limits=data["limits"],
            key_needed=settings.api_keys_required,
        )
    )
    if request.args.get("lang") == language:
        answer.set_cookie(_COOKIE, language, max_age=_YEAR_S, samesite="Lax", httponly=True)
    answer.headers["Content-Language"] = language
    answer.vary.update(("Accept-Language", "Cookie"))
    return answer


def _language() -> str:
    """Return what the visitor chose, now or before, else what the browser asks for."""
    for chosen in (request.args.get("lang"), request.cookies.get(_COOKIE)):
        if chosen in LANGUAGES:
            return str(chosen)
    # zh-TW is better served in zh-CN than in English
    plain = {tag.partition("-")[0]: tag for tag in LANGUAGES}
    offers = plain | {tag: tag for tag in LANGUAGES}
    return offers.get(request.accept_languages.best_match(offers) or "", next(iter(LANGUAGES)))
