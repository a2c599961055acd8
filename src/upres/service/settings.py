"""Settings of the service: from the environment and a file, checked all at once, secrets masked.

Each field is a setting: `UPRES_SERVICE_` and its name in capitals in the environment, its name in
the TOML file that `UPRES_SERVICE_CONFIG` names. The environment wins; an empty variable is an
unset one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from operator import ge
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from platformdirs import user_data_path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from upres.errors import InvalidOption
from upres.service.given import CONFIG, HIDDEN, from_file, from_variables, mistakes_of

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=1)]
Pixels = Annotated[int, Field(ge=1)]

_SCHEMES = {"database_url": ("sqlite", "postgresql"), "rate_limit_url": ("redis", "rediss")}
"""The settings that may hold a password, and how they may begin."""
_ROOM_FOR_ONE = "output_pixels", ge, "at least output_pixels"
_RELATIONS: dict[str, tuple[str, Callable[[Any, Any], bool], str]] = {
    "api_keys_required": (
        "api_keys_file",
        lambda required, file: not required or file is not None,
        "false without api_keys_file",
    ),
    "nginx": ("proxies", lambda on, proxies: not on or proxies > 0, "false without proxies"),
    "heartbeat_s": ("lease_s", lambda beat, lease: 2 * beat <= lease, "at most half of lease_s"),
    "sse_streams": ("web_threads", lambda own, all_: own < all_, "less than web_threads"),
    "queued_pixels": _ROOM_FOR_ONE,
    "queued_pixels_per_client": _ROOM_FOR_ONE,
    "output_megapixels_per_minute": (
        "output_pixels",
        lambda own, one: own * 1_000_000 >= one,
        "at least output_pixels",
    ),
}
"""What a setting must be in regard to another, for otherwise nothing could ever be done."""


def _default_database(values: dict[str, Any]) -> SecretStr:
    return SecretStr(f"sqlite:///{(values['data_folder'] / 'jobs.sqlite').as_posix()}")


class ServiceSettings(BaseModel):
    """Everything about the service that can be set from outside; safe for a public machine."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    listen_host: str = "127.0.0.1"
    """address that requests are taken at; `0.0.0.0` is every address of this machine"""
    listen_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """port; 0 takes a free one"""
    proxies: Annotated[int, Field(ge=0, le=10)] = 0
    """reverse proxies on the way, exactly: so many addresses of `X-Forwarded-For` are believed"""
    nginx: bool = False
    """nginx, set up as in `deploy/nginx`, sends files, and asks anew where a process ends"""
    allowed_hosts: Annotated[str | None, Field(pattern=r"^[\w.:\[\]-]+(,[\w.:\[\]-]+)*$")] = None
    """names it answers to beside `localhost`, with commas between; unset: any, unless local"""
    allow_pull: bool = True
    """let the page of a server that nobody else reaches download models without a key"""
    web_threads: Count = 24
    """requests that are answered at the same time"""
    api_keys_file: Path | None = None
    """file with the hashes of API keys"""
    api_keys_required: bool = False
    """refuse whoever brings no API key"""
    upload_model: str | None = None
    """model of `POST /upload`; unset: `edsr` when it is installed, else `auto`"""
    metrics: bool = False
    """answer `/metrics`, which tells anyone who may ask how busy the service is"""
    log_format: Literal["text", "json"] = "text"
    """`text` for people, `json` for programs: a line each"""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """the least that is logged"""

    data_folder: Path = Field(default_factory=lambda: user_data_path("upres") / "service")
    """folder for pictures, results and the database; on a local disk"""
    database_url: SecretStr = Field(default_factory=_default_database)
    """SQLAlchemy's URL of the job table, for SQLite or PostgreSQL"""
    blob_folder_bytes: Bytes = 10_000_000_000
    """what pictures and results may take together; past it uploads are refused"""
    free_floor_bytes: Annotated[int, Field(ge=0)] = 1_000_000_000
    """what is left free on the disk; past it uploads are refused"""
    keep_sources: bool = True
    """keep an uploaded picture after its job, to compare; false: remove it soon after"""
    source_retention_s: Seconds = 86_400
    """how long it is kept after its job; an upload that no job needs stays for an hour"""
    result_retention_s: Seconds = 86_400
    """how long a result is kept"""

    workers: Count = 1
    """processes that enlarge"""
    worker_threads: Count | None = None
    """threads of each; unset: the CPUs that may be used, divided by the workers"""
    worker_memory_bytes: Bytes | None = None
    """memory that a worker may take for itself; past it a fresh one tries its job; unset: any"""
    lease_s: Seconds = 30
    """a job whose worker has not been heard of for so long is given to another"""
    heartbeat_s: Seconds = 5
    """how often a worker is heard of; at most half the lease"""
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """how often a job may end its worker before it fails"""
    job_timeout_s: Seconds = 3600
    """longest time that one job may take"""
    stall_s: Seconds = 300
    """a worker whose job gets no further for so long ends, and another tries"""
    drain_s: Seconds = 25
    """time to finish after SIGTERM; jobs that need longer are given back"""

    upload_bytes: Bytes = 50_000_000
    """largest upload"""
    input_pixels: Pixels = 50_000_000
    """largest picture taken in, all frames or pages together"""
    output_pixels: Pixels = 200_000_000
    """largest result, all frames or pages together"""
    clip_output_pixels: Annotated[int, Field(ge=0)] = 10_000_000_000
    """largest result of a clip, width x height x frames; 0 takes no clips"""
    clip_frame_pixels: Pixels = 8_847_360
    """largest picture of a clip, and of its result"""
    held_pixels: Pixels = 50_000_000
    """largest result as AVIF, WebP or GIF, whose encoders keep the picture in memory"""
    frames: Count = 100
    """most frames of an animation or pages of a TIFF"""
    queued_pixels: Pixels = 2_000_000_000
    """output pixels of all jobs that wait; past it requests get 503"""
    queued_pixels_per_client: Pixels = 400_000_000
    """the same of one client; past it that client gets 429"""
    requests_per_minute: Count = 120
    """pictures that one client may send"""
    output_megapixels_per_minute: Count = 400
    """megapixels of results that one client may ask for"""
    rate_limit_url: SecretStr | None = None
    """Redis for the counts per client; unset: the job table's database"""
    sse_streams: Annotated[int, Field(ge=0)] = 8
    """progress streams open at the same time, fewer than `web_threads`; further clients poll"""
    sse_seconds: Seconds = 300
    """after so long a stream ends, and its client asks anew"""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read variables and file; raises InvalidOption naming all that is wrong in either."""
        given, mistakes = from_file(environment.get(CONFIG, ""))
        given |= from_variables(environment)
        settings = None
        try:
            settings = cls.model_validate({field: value for field, (_, value) in given.items()})
        except ValidationError as error:
            names = {field: name for field, (name, _) in given.items()}
            mistakes += mistakes_of(error, names, known=cls.model_fields, secret=_SCHEMES)
        if mistakes or settings is None:  # raised here, where no error with secrets is its context
            first, *others = mistakes
            expected = "; ".join([first.expected, *map(str, others)])
            raise InvalidOption(first.name, first.value, expected)
        return settings

    def describe(self) -> dict[str, str]:
        """Return every setting's value as text that may be shown and logged."""
        return {name: _shown(getattr(self, name)) for name in type(self).model_fields}

    def model_for_upload(self, *, edsr_installed: bool) -> str:
        """Return the model that `POST /upload` means."""
        return self.upload_model or ("edsr" if edsr_installed else "auto")

    def threads_of_worker(self, cpus: int) -> int:
        """Return the threads of one worker where so many CPUs may be used."""
        return self.worker_threads or max(1, cpus // self.workers)

    @property
    def blob_folder(self) -> Path:
        """Where pictures and results lie."""
        return self.data_folder / "blobs"

    @field_validator("data_folder", "api_keys_file")
    @classmethod
    def _expanded(cls, path: Path | None) -> Path | None:
        try:
            return path and path.expanduser().absolute()
        except RuntimeError as error:
            raise ValueError("a path that begins with no unknown user's ~") from error

    @field_validator(*_SCHEMES)
    @classmethod
    def _of_a_known_kind(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        allowed = _SCHEMES[str(info.field_name)]
        if url is not None:
            scheme, mark, _ = url.get_secret_value().partition("://")
            if not mark or scheme.partition("+")[0] not in allowed:
                raise ValueError(f"a URL that begins with {' or '.join(allowed)}")
        return url

    @field_validator(*_RELATIONS)
    @classmethod
    def _related(cls, value: float, info: ValidationInfo) -> float:
        other, holds, expected = _RELATIONS[str(info.field_name)]
        # where the other one is wrong itself there is nothing to compare with
        if other in info.data and not holds(value, info.data[other]):
            raise ValueError(f"{expected}, which is {_shown(info.data[other])}")
        return value


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        url = value.get_secret_value()
        scheme = url.partition("://")[0]
        return url if scheme.startswith("sqlite") else f"{scheme}://{HIDDEN}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "unset" if value is None else str(value)
