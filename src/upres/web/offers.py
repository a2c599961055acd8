"""What answers about models and limits hold, as pydantic models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from upres.image.formats import FORMATS
from upres.jobs.job import CLIP
from upres.service.clip_files import clips_possible
from upres.upscale.size import MAX_FACTOR
from upres.web.schemas import Answer, Failure

if TYPE_CHECKING:
    from upres.models.spec import ModelSpec
    from upres.service.settings import ServiceSettings


class Pull(Answer):
    """A download of a model that runs, or how the last one ended."""

    state: Literal["running", "done", "failed"]
    done_bytes: int
    total_bytes: int
    error: Failure | None


class NetworkAnswer(Answer):
    """A model at one scale."""

    scale: int
    bytes: int
    """Of its file."""
    installed: bool


class ModelAnswer(Answer):
    """A model, for the option `model`."""

    name: str
    kind: Literal["auto", "network", "interpolation"]
    description: str
    licence: str | None
    installed: bool
    """At every scale that it has."""
    networks: list[NetworkAnswer]
    """By scale; other factors are made from the nearest. None for `auto` and interpolations."""
    clean: bool
    """It takes the option `clean`, a strength."""
    tta: bool
    """The option `tta` changes its results; others are the same from every side."""
    output_px_per_s: float | None
    """Pixels of results a second, by the jobs of this server; null: none was done with it yet."""
    pull: Pull | None
    """null: none since the service was started."""

    @classmethod
    def network(
        cls,
        specs: list[tuple[ModelSpec, bool]],
        *,
        clean: bool,
        pull: Pull | None,
        px_per_s: float | None,
    ) -> Self:
        """Return a model by its networks, each with whether it is installed."""
        first, _ = specs[0]
        return cls(
            name=first.name,
            kind="network",
            description=first.summary,
            licence=first.licence,
            installed=all(installed for _, installed in specs),
            networks=[
                NetworkAnswer(scale=spec.scale, bytes=spec.file.bytes, installed=installed)
                for spec, installed in specs
            ],
            clean=clean,
            tta=not all(spec.symmetric for spec, _ in specs),
            output_px_per_s=px_per_s,
            pull=pull,
        )


class ModelsAnswer(Answer):
    """Every model."""

    models: list[ModelAnswer]
    upload_model: str
    """What `POST /upload` uses."""
    may_pull: bool
    """Whether this client may have models downloaded."""


class LimitsAnswer(Answer):
    """What is refused beyond."""

    upload_bytes: int
    input_pixels: int
    """All frames or pages together."""
    output_pixels: int
    """All frames or pages together."""
    clip_output_pixels: int
    """Of a clip's result, width x height x frames; 0: clips are not taken."""
    clip_frame_pixels: int
    """Of each picture of a clip, and of its result."""
    frames: int
    max_scale: int
    requests_per_minute: int
    """Pictures that one client may send."""
    output_megapixels_per_minute: int
    """That one client may ask for."""
    queued_pixels: int
    """Output pixels of all jobs that wait."""
    queued_pixels_per_client: int
    wait_s: int
    """The longest `Prefer: wait`."""
    batch_pictures: int
    batch_bytes: int
    archive_jobs: int
    result_retention_s: float
    source_retention_s: float
    output_formats: list[str]

    @classmethod
    def of(
        cls,
        settings: ServiceSettings,
        *,
        wait_s: int,
        batch_pictures: int,
        batch_uploads: int,
        archive_jobs: int,
    ) -> Self:
        """Return the limits of a service."""
        return cls(
            upload_bytes=settings.upload_bytes,
            input_pixels=settings.input_pixels,
            output_pixels=settings.output_pixels,
            clip_output_pixels=settings.clip_output_pixels if clips_possible() else 0,
            clip_frame_pixels=settings.clip_frame_pixels,
            frames=settings.frames,
            max_scale=MAX_FACTOR,
            requests_per_minute=settings.requests_per_minute,
            output_megapixels_per_minute=settings.output_megapixels_per_minute,
            queued_pixels=settings.queued_pixels,
            queued_pixels_per_client=settings.queued_pixels_per_client,
            wait_s=wait_s,
            batch_pictures=batch_pictures,
            batch_bytes=batch_uploads * settings.upload_bytes,
            archive_jobs=archive_jobs,
            result_retention_s=settings.result_retention_s,
            source_retention_s=settings.source_retention_s if settings.keep_sources else 0,
            output_formats=[*FORMATS, CLIP],
        )
