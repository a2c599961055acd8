from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from upres.web.guards import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from apiflask import APIFlask
    from flask.testing import FlaskClient


@pytest.mark.parametrize("path", ["/livez", "/nothing", "/openapi.json", "/docs", "/api/v1/limits"])
def test_every_answer_has_the_headers(http: FlaskClient, path: str) -> None:
    headers = http.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"]
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "Access-Control-Allow-Origin" not in headers


def test_a_view_may_say_otherwise(app: APIFlask) -> None:
    @app.get("/own")
    def view() -> tuple[str, dict[str, str]]:
        return "x", {"Cache-Control": "max-age=60", "Content-Security-Policy": "sandbox"}

    headers = app.test_client().get("/own").headers
    assert headers["Cache-Control"] == "max-age=60"
    assert headers["Content-Security-Policy"] == "sandbox"


@pytest.mark.parametrize("name", ["abc", "A.b-c_9", "x" * 64])
def test_a_sane_request_id_is_kept(http: FlaskClient, name: str) -> None:
    assert http.get("/livez", headers={"X-Request-ID": name}).headers["X-Request-ID"] == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a;b", "ä", "<b>", "a\tb"])
def test_another_gets_a_new_one(http: FlaskClient, name: str) -> None:
    headers = {"X-Request-ID": name.encode().decode("latin-1")}
    made = http.get("/livez", headers=headers).headers["X-Request-ID"]
    assert len(made) == 32
    assert made != http.get("/livez").headers["X-Request-ID"]


def test_the_request_id_is_in_the_log(
    http: FlaskClient, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """In every line of the request, and in none of the next one."""
    http.get("/api/v1/jobs/abc", headers={"X-Request-ID": "first"})
    http.get("/livez", headers={"X-Request-ID": "second"})
    ids = [line["request_id"] for line in logged()]
    assert ids.count("first") >= 2
    assert ids[-1] == "second"


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ],
)
def test_own_pages_and_programs_may_change_things(
    http: FlaskClient, headers: dict[str, str]
) -> None:
    assert http.post("/upload", headers=headers).status_code == 400  # no file: it was let in


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "rubbish"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/upload"), ("DELETE", "/api/v1/jobs/x")])
def test_pages_of_other_sites_may_not(
    http: FlaskClient, headers: dict[str, str], method: str, path: str
) -> None:
    answer = http.open(path, method=method, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden")


def test_looking_is_allowed_from_everywhere(http: FlaskClient) -> None:
    """A link to the page works; what is read stays unreadable to the other site."""
    assert http.get("/livez", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:80", "a.localhost"]
)
def test_names_of_this_machine(http: FlaskClient, host: str) -> None:
    assert http.get("/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1", "127.0.0.1.nip.io"],
)
def test_other_names_get_nothing_from_a_server_for_this_machine(
    http: FlaskClient, host: str
) -> None:
    """A page whose name was made to mean 127.0.0.1 is of the same origin to its browser."""
    answer = http.get("/api/v1/limits", headers={"Host": host})
    assert (answer.status_code, answer.get_json()["code"]) == (421, "wrong-host")
    assert http.get("/livez", headers={"Host": host}).status_code == 200  # which tells nothing


@pytest.mark.parametrize(
    "settings",
    [{"listen_host": "0.0.0.0"}, {"listen_host": "::"}, {"proxies": 1}],  # noqa: S104
)
def test_servers_for_others_have_any_name(
    make_app: Callable[..., APIFlask], settings: dict[str, Any]
) -> None:
    http = make_app(**settings).test_client()
    assert http.get("/docs", headers={"Host": "pictures.example"}).status_code == 200


@pytest.mark.parametrize(
    "settings",
    [{}, {"listen_host": "0.0.0.0"}, {"proxies": 1}],  # noqa: S104
)
def test_names_that_are_allowed(
    make_app: Callable[..., APIFlask], settings: dict[str, Any]
) -> None:
    """Beside those of the machine, and then no others, wherever the server listens."""
    app = make_app(allowed_hosts="Pictures.example,[fd00::5]", **settings)
    http = app.test_client()
    for host in ("pictures.example", "PICTURES.example:8080", "[fd00::5]:80", "localhost"):
        assert http.get("/docs", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "a.pictures.example", "fd00::5", ""):
        assert http.get("/docs", headers={"Host": host}).status_code == 421


def test_our_own_form_may_be_sent_from_any_name(make_app: Callable[..., APIFlask]) -> None:
    """Over plain HTTP browsers send no Sec-Fetch-Site, and an Origin as the page's policy says."""
    http = make_app(listen_host="0.0.0.0").test_client()  # noqa: S104
    host = "pictures.lan:8080"
    policy = http.get("/", headers={"Host": host}).headers["Referrer-Policy"]
    origin = "null" if policy == "no-referrer" else f"http://{host}"
    answer = http.post("/upload", headers={"Host": host, "Origin": origin})
    assert answer.get_json()["code"] == "no-file"


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "::ffff:127.0.0.1", "LOCALHOST"]
)
def test_loopback(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name",
    [None, "", "0.0.0.0", "::", "10.0.0.1", "localhosts", "::ffff:8.8.8.8"],  # noqa: S104
)
def test_no_loopback(name: str | None) -> None:
    assert not is_loopback(name)
