"""Settings from the environment: the one place that reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from upres.errors import InvalidOption
from upres.image.limits import Limits
from upres.models.download import configured_index
from upres.models.store import StoreSettings


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set from outside, checked."""

    store: StoreSettings
    cache_folder: Path
    """For what can be measured again, such as the engines' speed."""
    limits: Limits
    threads: int | None = None
    """None: every CPU that this process may use."""

    @property
    def added_models_folder(self) -> Path:
        """Where catalogue entries of the user's own models lie."""
        return self.store.folder / "added"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read every UPRES_ variable; raises InvalidOption naming all that are wrong."""
        numbers = _Numbers(environment)
        default = Limits()
        settings = cls(
            store=StoreSettings(
                folder=_folder(environment, "UPRES_MODEL_DIR", user_data_path("upres") / "models"),
                mirror=_mirror(environment.get("UPRES_MODEL_MIRROR", "")),
                package_index=environment.get("UPRES_PACKAGE_INDEX")
                or configured_index(environment),
            ),
            cache_folder=_folder(environment, "UPRES_CACHE_DIR", user_cache_path("upres")),
            limits=Limits(
                input_bytes=numbers.get("UPRES_MAX_INPUT_BYTES") or default.input_bytes,
                input_pixels=numbers.get("UPRES_MAX_INPUT_PIXELS") or default.input_pixels,
                output_pixels=numbers.get("UPRES_MAX_OUTPUT_PIXELS") or default.output_pixels,
                frames=numbers.get("UPRES_MAX_FRAMES") or default.frames,
            ),
            threads=numbers.get("UPRES_THREADS"),
        )
        numbers.check()
        return settings


class _Numbers:
    """Reads positive whole numbers and remembers every variable that held something else."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._wrong: dict[str, str] = {}

    def get(self, name: str) -> int | None:
        text = self._environment.get(name, "")
        if not text:
            return None
        if not re.fullmatch(r"0*[1-9][0-9]{0,17}", text):
            self._wrong[name] = text
            return None
        return int(text)

    def check(self) -> None:
        if self._wrong:
            raise InvalidOption(
                " and ".join(self._wrong),
                " and ".join(self._wrong.values()),
                "whole numbers above 0",
            )


def _folder(environment: Mapping[str, str], name: str, default: Path) -> Path:
    return _expanded(environment[name]) if environment.get(name) else default


def _mirror(text: str) -> str | None:
    if not text or "://" in text:
        return text or None
    return str(_expanded(text))


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no such user: then it is meant as it is written
        return Path(text)
