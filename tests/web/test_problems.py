from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from apiflask import abort
from test_errors import SAMPLES

from upres.errors import Blame, EngineFailed, JobNotReady, PictureTooLarge, UnknownModel
from upres.web.problems import SCHEMA, STATUSES
from upres.web.refusals import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from apiflask import APIFlask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def raising(app: APIFlask, error: BaseException, path: str = "/raise") -> FlaskClient:
    """Return a client of an application with an address where that is raised."""

    def view(**_: Any) -> str:
        raise error

    app.add_url_rule(path, "raise", view)
    return app.test_client()


def checked(answer: TestResponse) -> dict[str, Any]:
    """Return a problem that is as the OpenAPI document says, and that fits its answer."""
    assert answer.mimetype == MEDIA_TYPE
    body: dict[str, Any] = json.loads(answer.text)
    kinds = {"string": str, "integer": int}
    for name, schema in SCHEMA["properties"].items():
        assert type(body[name]) is kinds[schema["type"]]
    assert re.fullmatch(SCHEMA["properties"]["code"]["pattern"], body["code"])
    assert set(SCHEMA["required"]) == SCHEMA["properties"].keys()
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["type"].endswith(f"#problem-{body['code']}")
    assert answer.headers["Cache-Control"] == "no-store"
    return body


@pytest.mark.parametrize("code", SAMPLES)
def test_every_error_is_a_problem_of_its_code(app: APIFlask, code: str) -> None:
    """The status is that of whose fault it is; whoever may come again is told when."""
    error = SAMPLES[code]
    answer = raising(app, error).get("/raise")
    assert checked(answer)["code"] == code
    fault = {Blame.CALLER: "4", Blame.CAPACITY: "45", Blame.SETUP: "45", Blame.BUG: "5"}
    assert str(answer.status_code)[0] in fault[error.blame]
    if answer.status_code in {429, 503}:
        assert int(answer.headers["Retry-After"]) >= 1
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "code", [code for code, one in SAMPLES.items() if one.blame != Blame.CALLER]
)
def test_what_is_inside_stays_inside(app: APIFlask, code: str) -> None:
    """No path, no database, no engine is named to those who ask."""
    text = raising(app, SAMPLES[code]).get("/raise").text
    for word in (
        "/models",
        "jobs.db",
        "keys.toml",
        "openvino",
        "edsr.pb",
        "out.png",
        "out of luck",
    ):
        assert word not in text


def test_retry_after_is_the_errors_own(app: APIFlask) -> None:
    assert raising(app, SAMPLES["queue-full"]).get("/raise").headers["Retry-After"] == "7"


def test_codes_have_known_statuses() -> None:
    """No status is kept for a code that nothing has."""
    assert set(STATUSES) <= set(SAMPLES)


@pytest.mark.parametrize(("path", "status"), [("/raise", 422), ("/raise/<name>", 404)])
def test_an_unknown_model_is_missing_only_where_the_address_names_it(
    app: APIFlask, path: str, status: int
) -> None:
    http = raising(app, UnknownModel("x", ["lite"]), path)
    assert http.get(path.replace("<name>", "x")).status_code == status


@pytest.mark.parametrize(("state", "status"), [("queued", 409), ("failed", 409), ("expired", 410)])
def test_what_is_not_yet_and_what_is_no_longer(app: APIFlask, state: str, status: int) -> None:
    assert raising(app, JobNotReady("abc", state)).get("/raise").status_code == status


def test_a_mistake_of_ours_is_logged_and_not_told(
    app: APIFlask, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    body = checked(raising(app, ZeroDivisionError("the secret of /etc")).get("/raise"))
    assert (body["status"], body["code"]) == (500, "internal-error")
    assert "secret" not in json.dumps(body)
    (line,) = [line for line in logged() if line["level"] == "error"]
    assert line["request_id"] == body["request_id"]
    assert "the secret of /etc" in json.dumps(line["exception"])


def test_a_pictures_name_is_told_and_not_logged(
    app: APIFlask, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """It is the client's own word, and nobody's business afterwards."""
    error = PictureTooLarge("my-secret.png", what="it has", value=2, limit=1)
    assert "my-secret" in checked(raising(app, error).get("/raise"))["detail"]
    assert "my-secret" not in json.dumps(logged())
    assert any(line.get("code") == "picture-too-large" for line in logged())


def test_an_engines_words_are_not_told(app: APIFlask) -> None:
    body = checked(raising(app, EngineFailed("openvino", "edsr", "at 0x7f")).get("/raise"))
    assert (body["status"], "0x7f" in body["detail"]) == (500, False)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/api/v1/nothing/else", 404, "not-found"),
        ("DELETE", "/livez", 405, "method-not-allowed"),
        ("POST", "/readyz", 405, "method-not-allowed"),
    ],
)
def test_the_frameworks_errors_are_problems(
    http: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    answer = http.open(path, method=method)
    assert (answer.status_code, checked(answer)["code"]) == (status, code)
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("status", [400, 406, 408, 413, 415, 416, 422, 429, 500, 503])
def test_statuses_that_views_abort_with(app: APIFlask, status: int) -> None:
    @app.get("/abort")
    def view() -> None:
        abort(status)

    answer = app.test_client().get("/abort")
    assert (answer.status_code, checked(answer)["status"]) == (status, status)
    assert ("Retry-After" in answer.headers) == (status in {429, 503})


def test_a_silent_client_is_given_up(app: APIFlask) -> None:
    """The server's sockets have a time limit, which reading the body then raises."""
    body = checked(raising(app, TimeoutError("timed out")).get("/raise"))
    assert (body["status"], body["code"]) == (408, "request-timeout")


def test_a_body_past_the_limit(make_app: Callable[..., APIFlask]) -> None:
    http = make_app(upload_bytes=1000).test_client()
    answer = http.post("/api/v1/jobs", data=b"x" * 2_000_000)
    assert (answer.status_code, checked(answer)["code"]) == (413, "request-too-large")


@pytest.mark.parametrize("path", ["/nothing", "/raise"])
def test_a_browser_gets_a_page(app: APIFlask, path: str) -> None:
    """With the same status, and nothing in it that could be taken for markup."""
    http = raising(app, UnknownModel("<script>x</script>", ["lite"]))
    answer = http.get(path, headers=BROWSER)
    assert (answer.mimetype, answer.status_code) == ("text/html", 404 if "no" in path else 422)
    assert "<script>" not in answer.text
    assert "Accept" in answer.vary


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/problem+json"])
def test_programs_get_json(http: FlaskClient, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
    checked(http.get("/nothing", headers=headers))


def test_redirects_are_no_problem(app: APIFlask) -> None:
    @app.get("/folder/")
    def view() -> str:
        return "here"

    assert app.test_client().get("/folder").status_code == 308
