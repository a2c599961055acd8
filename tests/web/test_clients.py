from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upres.errors import Forbidden, Unauthorized
from upres.web.clients import check, client, owner_at
from upres.web.keys import add

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from apiflask import APIFlask


def bearing(key: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {key}"}}


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("203.0.113.7", "address:203.0.113.7"),
        ("::ffff:203.0.113.7", "address:203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
        ("fe80::1%eth0", "address:fe80::/64"),
        ("203.0.113.7:51234", "address:203.0.113.7"),
        ("[2001:db8:1:2::3]:443", "address:2001:db8:1:2::/64"),
        ("[2001:db8:1:2::3]", "address:2001:db8:1:2::/64"),
        (" 203.0.113.7 ", "address:203.0.113.7"),
        ("", "address:unknown"),
        (None, "address:unknown"),
        ("nonsense", "address:unknown"),
    ],
)
def test_owners_of_addresses(address: str | None, owner: str) -> None:
    assert owner_at(address) == owner


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_a_subscriber_is_one_client(address: Any, host: int) -> None:
    """Whatever the lower half of an IPv6 address is; half the world's would be far too many."""
    if address.ipv4_mapped is None:
        same = type(address)((int(address) >> 64 << 64) | host)
        if same.ipv4_mapped is None:
            assert owner_at(str(same)) == owner_at(str(address))


def owner_of(app: APIFlask, forwarded: str | None, *, remote: str = "10.0.0.1") -> str:
    """Return who an application takes a request for, through its WSGI side."""
    seen: list[str] = []

    @app.get("/who")
    def who() -> str:
        seen.append(client().owner)
        return ""

    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    environ = {"REMOTE_ADDR": remote}
    app.test_client().get("/who", headers=headers, environ_overrides=environ)
    return seen[0].removeprefix("address:")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "owner"),
    [
        (0, "1.1.1.1", "10.0.0.1"),
        (1, "1.1.1.1", "1.1.1.1"),
        (1, "9.9.9.9, 1.1.1.1", "1.1.1.1"),
        (2, "9.9.9.9, 1.1.1.1, 2.2.2.2", "1.1.1.1"),
        (2, "2.2.2.2", "10.0.0.1"),
        (1, None, "10.0.0.1"),
    ],
)
def test_exactly_so_many_proxies_are_believed(
    make_app: Callable[..., APIFlask], proxies: int, forwarded: str | None, owner: str
) -> None:
    """What a client writes in the header itself stands further left, and counts for nothing."""
    assert owner_of(make_app(proxies=proxies), forwarded) == owner


def test_other_forwarded_headers_are_not_believed(make_app: Callable[..., APIFlask]) -> None:
    app = make_app(proxies=1)
    headers = {"X-Forwarded-For": "1.1.1.1", "X-Forwarded-Host": "evil", "X-Forwarded-Proto": "x"}

    @app.get("/host")
    def host() -> str:
        from flask import request

        return request.host_url

    assert app.test_client().get("/host", headers=headers).text == "http://localhost/"


@pytest.fixture
def keyed(make_app: Callable[..., APIFlask], tmp_path: Path) -> tuple[APIFlask, str]:
    """Return an application with one key, for pictures, which nobody needs."""
    file = tmp_path / "keys.toml"
    key = add(file, "shop")
    return make_app(api_keys_file=file), key


def test_a_key_is_its_own_client(keyed: tuple[APIFlask, str]) -> None:
    app, key = keyed
    for given_ in (bearing(key), {"headers": {"X-API-Key": key}}):
        with app.test_request_context("/", environ_base={"REMOTE_ADDR": "10.0.0.1"}, **given_):
            who = client()
        assert who.owner == f"key:{key.split('_')[1]}"
        assert (who.key, who.scopes) == ("shop", frozenset({"enlarge"}))


def test_another_scheme_is_no_key(keyed: tuple[APIFlask, str]) -> None:
    """A proxy's password is none of our business."""
    with keyed[0].test_request_context("/", headers={"Authorization": "Basic eDp5"}):
        assert client().key is None


@pytest.mark.parametrize("key", ["", "x", "upres_000000000000_x"])
def test_a_wrong_key_is_refused_even_where_none_is_needed(
    keyed: tuple[APIFlask, str], key: str
) -> None:
    answer = keyed[0].test_client().get("/api/v1/limits", **bearing(key))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_scopes(keyed: tuple[APIFlask, str]) -> None:
    app, key = keyed
    with app.test_request_context("/", **bearing(key)):
        check("enlarge")
        with pytest.raises(Forbidden, match="shop lacks the scope models"):
            check("models")


def test_without_a_key_where_one_is_needed(
    make_app: Callable[..., APIFlask], tmp_path: Path
) -> None:
    file = tmp_path / "keys.toml"
    key = add(file, "shop")
    app = make_app(api_keys_file=file, api_keys_required=True)
    for path in ("/api/v1/limits", "/api/v1/jobs/abc"):
        assert app.test_client().get(path).status_code == 401
        assert app.test_client().get(path, **bearing(key)).status_code != 401
    assert app.test_client().post("/upload").status_code == 401
    assert app.test_client().get("/livez").status_code == 200


HERE = "http://localhost:8080"


def may_pull(app: APIFlask, **request: Any) -> bool:
    given_ = {"environ_base": {"REMOTE_ADDR": "127.0.0.1"}, "base_url": HERE} | request
    with app.test_request_context("/", **given_):
        try:
            check("models")
        except Unauthorized:
            return False
        return True


def test_who_sits_at_the_machine_may_pull_models(app: APIFlask) -> None:
    assert may_pull(app)
    assert may_pull(app, headers={"Origin": HERE})


@pytest.mark.parametrize(
    "settings",
    [{"allow_pull": False}, {"listen_host": "0.0.0.0"}, {"proxies": 1}],  # noqa: S104
)
def test_only_where_nobody_else_reaches_the_server(
    make_app: Callable[..., APIFlask], settings: dict[str, Any]
) -> None:
    assert not may_pull(make_app(**settings))


@pytest.mark.parametrize(
    "request_",
    [
        {"environ_base": {"REMOTE_ADDR": "10.0.0.1"}},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Forwarded": "for=127.0.0.1"}},
        {"headers": {"Via": "1.1 nginx"}},
        {"headers": {"Host": "evil.example"}},
        {"headers": {"Host": "localhost"}},  # another port than the server's, or none
        {"headers": {"Host": "localhost:80"}},
        {"headers": {"Host": "upres"}},
        {"headers": {"Origin": "https://pictures.example"}},
        {"headers": {"Origin": "null"}},
        {"environ_overrides": {"SERVER_PROTOCOL": "HTTP/1.0"}},
    ],
)
def test_others_may_not(app: APIFlask, request_: dict[str, Any]) -> None:
    """Not through a proxy that runs on the machine, and not a page by a name of 127.0.0.1."""
    assert not may_pull(app, **request_)


def test_nobody_may_by_address_where_there_are_keys(keyed: tuple[APIFlask, str]) -> None:
    assert not may_pull(keyed[0])
