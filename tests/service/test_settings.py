"""Settings of the service: each from variable and file, mistakes at once, secrets never shown."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import service_reference
from hypothesis import given
from hypothesis import strategies as st
from platformdirs import user_data_path
from pydantic import SecretStr

from upres.errors import InvalidOption
from upres.service import given as service
from upres.service import settings as settings_module
from upres.service.given import PREFIX
from upres.service.settings import ServiceSettings

FIELDS = tuple(ServiceSettings.model_fields)
SECRET = "horse-battery-staple"  # noqa: S105 - it is a test's
OTHER: dict[str, Any] = {
    "listen_host": "0.0.0.0",  # noqa: S104 - nothing listens
    "listen_port": 0,
    "proxies": 2,
    "nginx": False,
    "allowed_hosts": "upres.example,[fd00::5]",
    "allow_pull": False,
    "web_threads": 40,
    "api_keys_file": "/etc/upres/keys",
    "api_keys_required": False,
    "upload_model": "lite",
    "metrics": True,
    "log_format": "json",
    "log_level": "debug",
    "data_folder": "/var/lib/upres",
    "database_url": f"postgresql+psycopg://upres:{SECRET}@db/upres?password={SECRET}",
    "blob_folder_bytes": 5,
    "free_floor_bytes": 0,
    "keep_sources": False,
    "source_retention_s": 0.5,
    "result_retention_s": 7.25,
    "workers": 4,
    "worker_threads": 2,
    "worker_memory_bytes": 2_000_000_000,
    "lease_s": 60.0,
    "heartbeat_s": 1.5,
    "attempts": 20,
    "job_timeout_s": 100.0,
    "stall_s": 60.0,
    "drain_s": 5.0,
    "upload_bytes": 1,
    "input_pixels": 2,
    "output_pixels": 3,
    "clip_output_pixels": 0,
    "clip_frame_pixels": 1_000_000,
    "held_pixels": 1_000_000,
    "frames": 1,
    "queued_pixels": 300_000_000,
    "queued_pixels_per_client": 250_000_000,
    "requests_per_minute": 5,
    "output_megapixels_per_minute": 1000,
    "rate_limit_url": f"rediss://:{SECRET}@cache:6379/0",
    "sse_streams": 0,
    "sse_seconds": 30.0,
}
"""A right value of each setting, other than its default but for one."""
WRONG: dict[str, list[str]] = {
    "listen_port": ["-1", "65536", "http", "1.5"],
    "proxies": ["-1", "11", "all"],
    "allowed_hosts": ["a b", "https://upres.example", "a,,b", ","],
    "web_threads": ["0"],
    "metrics": ["maybe", "2"],
    "log_format": ["xml", "JSON"],
    "log_level": ["loud"],
    "data_folder": ["~nobody-of-that-name/upres"],
    "database_url": ["jobs.sqlite", "mysql://u:p@h/d", "redis://h"],
    "rate_limit_url": ["memory://", "http://h"],
    "free_floor_bytes": ["-1"],
    "workers": ["0", "-1", "two", "1e3", "nan"],
    "lease_s": ["0", "-5", "inf", "nan", "long"],
    "heartbeat_s": ["0", "16", "30"],
    "attempts": ["0", "101"],
    "upload_bytes": ["0", "50MB"],
    "queued_pixels": ["199999999"],
    "queued_pixels_per_client": ["199999999"],
    "output_megapixels_per_minute": ["199"],
    "sse_streams": ["24", "-1"],
    "api_keys_required": ["true"],
    "nginx": ["true"],
}


def settings(**fields: Any) -> ServiceSettings:
    """Return the settings of an environment that sets these fields."""
    environment = {PREFIX + name.upper(): str(value) for name, value in fields.items()}
    return ServiceSettings.from_environment(environment)


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(InvalidOption) as caught:
        ServiceSettings.from_environment(environment)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None, "pydantic's own error holds the values"
    assert "\n" not in str(error)
    return str(error)


def plain(value: object) -> object:
    """Return a value as it was written."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value


def toml(values: dict[str, Any]) -> str:
    def text(value: object) -> str:
        return str(value).lower() if isinstance(value, bool) else repr(value)

    return "".join(f"{name} = {text(value)}\n" for name, value in values.items())


def test_nothing_needs_to_be_set() -> None:
    """This machine alone is served, and a folder of this user's holds everything."""
    default = settings()
    assert default.listen_host == "127.0.0.1"
    assert default.data_folder == user_data_path("upres") / "service"
    assert default.blob_folder == default.data_folder / "blobs"
    url = default.database_url.get_secret_value()
    assert url == f"sqlite:///{(default.data_folder / 'jobs.sqlite').as_posix()}"
    assert settings(**dict.fromkeys(FIELDS, "")) == default


def test_the_examples_here_are_of_all_settings() -> None:
    """So that the tests below leave none out."""
    assert tuple(OTHER) == FIELDS


@pytest.mark.parametrize("name", FIELDS)
def test_each_has_a_variable(name: str) -> None:
    """It sets its own field, and no other but those that follow from it."""
    chosen, default = settings(**{name: OTHER[name]}), settings()
    assert plain(getattr(chosen, name)) == OTHER[name]
    follows = {"data_folder": {"database_url"}}.get(name, set())
    changed = {one for one in FIELDS if getattr(chosen, one) != getattr(default, one)}
    assert changed - {name} == follows


def test_the_file_sets_everything_too(tmp_path: Path) -> None:
    """With values of TOML's own kinds."""
    file = tmp_path / "service.toml"
    file.write_text(toml(OTHER), "utf-8")
    assert ServiceSettings.from_environment({service.CONFIG: str(file)}) == settings(**OTHER)


def test_variables_count_before_the_file(tmp_path: Path) -> None:
    """Empty ones do not count."""
    file = tmp_path / "service.toml"
    file.write_text("workers = 3\nattempts = 7\n", "utf-8")
    chosen = ServiceSettings.from_environment(
        {service.CONFIG: str(file), f"{PREFIX}WORKERS": "2", f"{PREFIX}ATTEMPTS": ""}
    )
    assert (chosen.workers, chosen.attempts) == (2, 7)


def test_database_lies_in_the_chosen_folder(tmp_path: Path) -> None:
    """One folder to keep, one variable to set; nothing is made yet."""
    chosen = settings(data_folder=tmp_path / "data")
    url = chosen.database_url.get_secret_value()
    assert url == f"sqlite:///{(tmp_path / 'data' / 'jobs.sqlite').as_posix()}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["data_folder", "api_keys_file"])
def test_paths_are_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Home, which no shell puts in for a unit file, and the current folder, which may change."""
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert getattr(settings(**{name: "~/here"}), name) == tmp_path / "here"
    assert getattr(settings(**{name: "here"}), name) == Path.cwd() / "here"


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts]
)
def test_what_makes_no_sense_is_refused(name: str, text: str, tmp_path: Path) -> None:
    """Variable and value are told, or key and file."""
    variable = PREFIX + name.upper()
    shown = "'***'" if name.endswith("_url") else repr(text)
    assert refusal({variable: text}).startswith(f"{variable} is {shown}; expected ")
    file = tmp_path / "service.toml"
    file.write_text(f"{name} = {text!r}\n", "utf-8")
    told = refusal({service.CONFIG: str(file)})
    assert told.startswith(f"{name} in {file} is {shown}; expected ")


def test_a_default_that_no_longer_fits_is_told() -> None:
    """It is named, with what it does not fit."""
    assert refusal({f"{PREFIX}LEASE_S": "8"}) == (
        "UPRES_SERVICE_HEARTBEAT_S is 5; expected at most half of lease_s, which is 8"
    )


def test_keys_can_be_required_where_there_are_some(tmp_path: Path) -> None:
    """Otherwise nobody could ever come in."""
    chosen = settings(api_keys_required="yes", api_keys_file=tmp_path / "keys")
    assert chosen.api_keys_required


def test_nginx_can_be_relied_on_where_it_is() -> None:
    """Whoever came past it would get empty answers."""
    assert settings(nginx="yes", proxies=1).nginx


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Of variables and file, each once, and nothing that is right."""
    file = tmp_path / "service.toml"
    file.write_text("frames = 0\nattempts = 5\nworkers = 'two'\nextra = 1\n", "utf-8")
    text = refusal(
        {
            service.CONFIG: str(file),
            f"{PREFIX}WORKERS": "0",
            f"{PREFIX}LISTEN_PORT": "http",
            f"{PREFIX}LEASE_S": "-1",
            f"{PREFIX}DATA_FOLDER": "~nobody-of-that-name",
            f"{PREFIX}SSE_STREAMS": "99",
            f"{PREFIX}FREE_FLOR_BYTES": "1",
        }
    )
    named = re.findall(r"(?:^|; )(\S+(?: in \S+)?) is ", text)
    assert set(named) == {
        f"frames in {file}",
        f"extra in {file}",
        f"{PREFIX}WORKERS",
        f"{PREFIX}LISTEN_PORT",
        f"{PREFIX}LEASE_S",
        f"{PREFIX}DATA_FOLDER",
        f"{PREFIX}SSE_STREAMS",
        f"{PREFIX}FREE_FLOR_BYTES",
    }
    assert len(named) == 8
    assert "expected the name of a setting such as UPRES_SERVICE_FREE_FLOOR_BYTES" in text


@pytest.mark.parametrize("text", [None, "workers = ", "\xff", "workers = 1\nworkers = 2"])
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str | None) -> None:
    """It is told beside the mistakes of variables."""
    file = tmp_path / "service.toml"
    if text is not None:
        file.write_bytes(text.encode("latin-1"))
    told = refusal({service.CONFIG: str(file), f"{PREFIX}WORKERS": "0"})
    assert told.startswith(f"{service.CONFIG} is {str(file)!r}; expected a ")
    assert f"{PREFIX}WORKERS is '0'" in told


def test_what_kubernetes_sets_is_no_mistake_there() -> None:
    """It sets these in every container when a cluster has a service named upres."""
    injected = {f"{PREFIX}HOST": "10.3.4.5", f"{PREFIX}PORT": "80", f"{PREFIX}PORT_HTTP": "80"}
    inside = injected | {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert ServiceSettings.from_environment(inside) == settings()
    text = refusal(injected)
    assert f"{PREFIX}HOST is '***'; expected the name of a setting such as {PREFIX}LISTEN_HOST" in (
        text
    )


def test_upload_model() -> None:
    """EDSR where there is one; both names of the variable, ours first."""
    assert settings().model_for_upload(edsr_installed=True) == "edsr"
    assert settings().model_for_upload(edsr_installed=False) == "auto"
    short = {service.UPLOAD_MODEL: "lite"}
    chosen = ServiceSettings.from_environment(short)
    assert chosen.model_for_upload(edsr_installed=True) == "lite"
    both = ServiceSettings.from_environment(short | {f"{PREFIX}UPLOAD_MODEL": "fsrcnn"})
    assert both.upload_model == "fsrcnn"


@given(workers=st.integers(1, 50), cpus=st.integers(1, 50))
def test_workers_share_the_cpus(workers: int, cpus: int) -> None:
    """None goes without, and together they take no more than there are."""
    threads = settings(workers=workers).threads_of_worker(cpus)
    assert threads >= 1
    assert threads == 1 or threads * workers <= cpus
    assert settings(workers=workers, worker_threads=3).threads_of_worker(cpus) == 3


class TestSecrets:
    """A password is where it is used and nowhere else."""

    def test_they_are_not_shown(self) -> None:
        """In no text that is made of the settings."""
        chosen = settings(**OTHER)
        shown = chosen.describe()
        assert SECRET in chosen.database_url.get_secret_value()
        for text in (repr(chosen), str(chosen), str(shown), chosen.model_dump_json()):
            assert SECRET not in text
        assert shown["database_url"] == "postgresql+psycopg://***"
        assert shown["rate_limit_url"] == "rediss://***"

    def test_they_are_not_in_errors(self) -> None:
        """Whether they are wrong themselves, misspelt, or beside what is wrong."""
        text = refusal(
            {
                f"{PREFIX}DATABASE_URL": f"mysql://u:{SECRET}@h/d",
                f"{PREFIX}RATE_LIMIT_URL": f"http://{SECRET}",
                f"{PREFIX}DATABSE_URL": f"postgresql://u:{SECRET}@h/d",
                f"{PREFIX}WORKERS": "0",
            }
        )
        assert SECRET not in text

    def test_every_secret_is_known_to_be_one(self) -> None:
        """The list by which errors are masked is that of the fields' kinds."""
        kinds = {name: field.annotation for name, field in ServiceSettings.model_fields.items()}
        secret = {name for name, kind in kinds.items() if SecretStr in (kind, *get_args(kind))}
        assert secret == set(settings_module._SCHEMES)

    def test_they_reach_worker_processes(self) -> None:
        """Settings travel whole."""
        chosen = settings(**OTHER)
        assert pickle.loads(pickle.dumps(chosen)) == chosen  # noqa: S301 - made here


def test_settings_are_described_in_words() -> None:
    """Every one, as it would be written."""
    shown = settings(**OTHER | {"database_url": "", "upload_model": ""}).describe()
    assert tuple(shown) == FIELDS
    assert shown["metrics"] == "true"
    assert shown["upload_model"] == "unset"
    assert shown["source_retention_s"] == "0.5"
    assert shown["database_url"] == "sqlite:////var/lib/upres/jobs.sqlite"


def test_settings_do_not_change() -> None:
    """What was checked stays so."""
    with pytest.raises(ValueError, match="frozen"):
        settings().workers = 0


def test_the_process_environment_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once at import."""
    for workers in (3, 5):
        monkeypatch.setenv(f"{PREFIX}WORKERS", str(workers))
        assert ServiceSettings.from_environment().workers == workers


def test_the_page_is_what_the_settings_are() -> None:
    """`make docs` writes it anew; every setting is described."""
    assert service_reference.PAGE.read_text("utf-8") == service_reference.render()
    assert all(field.description for field in ServiceSettings.model_fields.values())
    assert set(service_reference.GROUPS) <= set(FIELDS)
