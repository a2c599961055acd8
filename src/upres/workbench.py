"""Catalogue, store and open networks of one process: from a model's name to something that runs."""

from __future__ import annotations

import math
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from upres.engines import engine as engine_named
from upres.engines import wanted_file
from upres.engines.choose import chosen_engine, chosen_setting
from upres.engines.threads import usable_cpus
from upres.errors import DiskFull, InvalidOption, ModelFolderNotWritable
from upres.models.blend import Blend, blended_graph
from upres.models.catalogue import AUTO, AUTO_MODEL, BASELINES, CLEAN_MODEL, Catalogue
from upres.models.store import ModelStore
from upres.upscale.resample import KERNELS
from upres.upscale.upscaler import Interpolation, Network

if TYPE_CHECKING:
    from upres.config import Settings
    from upres.engines.base import Engine, Precision
    from upres.engines.measurements import Setting
    from upres.models.spec import ModelSpec

OPEN_NETWORKS = 4
"""Networks kept ready; one more closes the one unused for longest."""

_Key = tuple[str, str, "Precision", int, int]
"""Model id, engine, precision, threads, bytes of a tile."""
PullNotice = Callable[["ModelSpec"], AbstractContextManager[Callable[[int, int], None] | None]]
"""Entered around a download; may give a callback for (bytes done, bytes in all)."""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """How networks are run."""

    engine: str = "auto"
    """`openvino`, `onnxruntime`, `opencv`; `auto` takes the fastest that was measured here."""
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"
    """`auto`: the fastest within 0.05 dB of fp32 that `upres tune` found, or the usual one."""
    threads: int | None = None
    """None: every CPU that this process may use."""
    exact: bool = False
    """Have the network compute flat parts, too, which `auto`'s precision leaves to bicubic."""

    def __post_init__(self) -> None:
        whole = isinstance(self.threads, int) and not isinstance(self.threads, bool)
        if self.threads is not None and not (whole and self.threads >= 1):
            raise InvalidOption("threads", self.threads, "a whole number, 1 or more")


def spares_flat(spec: ModelSpec, runtime: Runtime) -> bool:
    """Tell whether flat parts of pictures are interpolated with a network that is run so."""
    return spec.flat_below > 0 and runtime.precision == "auto" and not runtime.exact


def check_clean(clean: float | None) -> None:
    """Raise InvalidOption unless a strength is None or a number from 0 to 1."""
    number = isinstance(clean, int | float) and not isinstance(clean, bool)
    if clean is not None and not (number and math.isfinite(clean) and 0 <= clean <= 1):
        raise InvalidOption("clean", clean, "a number from 0 to 1")


class Workbench:
    """Opens networks by name and keeps the last few open; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalogue = Catalogue.load(added=settings.added_models_folder)
        self.store = ModelStore(settings.store)
        self._open: OrderedDict[_Key, Network] = OrderedDict()
        self._opening: dict[_Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def spec(self, model: str, *, factor: float, clean: float | None = None) -> ModelSpec | None:
        """Return the network meant by a model's name at a factor; None for an interpolation.

        `clean` is a strength from 0 (`lite`) to 1 (`photo`), for these two and `auto` alone. Raises
        UnknownModel, InvalidOption.
        """
        check_clean(clean)
        if clean is not None:
            if model not in (AUTO, AUTO_MODEL, CLEAN_MODEL):
                between = f"{AUTO}, {AUTO_MODEL} or {CLEAN_MODEL} where a strength is given"
                raise InvalidOption("model", model, between)
            return self.catalogue.strength(factor, clean)
        if model in BASELINES:
            return None
        return self.catalogue.nearest(AUTO_MODEL if model == AUTO else model, factor)

    def measures(self, model: str, clean: float | None) -> bool:
        """Tell whether the strength depends on the picture: `auto`, and none is given."""
        return model == AUTO and clean is None and self.catalogue.has_strengths()

    def method(
        self,
        model: str,
        *,
        factor: float,
        runtime: Runtime,
        clean: float | None = None,
        pull: PullNotice | None = None,
    ) -> Network | Interpolation:
        """Return what enlarges by `factor` under a model's name; `clean` as for `spec`.

        A missing model is downloaded only when `pull` is given, and `pull` is told first. Raises
        UnknownModel, InvalidOption, ModelMissing, EngineMissing and what downloading may raise.
        """
        spec = self.spec(model, factor=factor, clean=clean)
        if spec is None:
            return Interpolation(kernel=KERNELS[model])
        for part in spec.parts:
            if pull is not None and not self.store.installed(part):
                with pull(part) as report:
                    self.store.pull(part, progress=report)
        return self.network(spec, runtime=runtime)

    def choice(self, spec: ModelSpec, *, runtime: Runtime) -> tuple[str, Precision, int]:
        """Return engine, arithmetic and threads that a network would be run with."""
        name, precision, threads, setting = self._choice(spec, runtime)
        given = runtime.threads or self.settings.threads
        return name, precision, given or (threads if setting is None else setting.threads)

    def tile_memory_bytes(self, spec: ModelSpec, *, runtime: Runtime) -> int:
        """Return what a tile may take with a network: as was measured to be fastest, else much."""
        setting = self._choice(spec, runtime)[3]
        if setting is None or setting.tile_px is None:
            return Network.tile_memory_bytes
        fastest = setting.tile_px**2 * spec.working_bytes_per_px
        return min(fastest, Network.tile_memory_bytes)

    def _choice(
        self, spec: ModelSpec, runtime: Runtime
    ) -> tuple[str, Precision, int, Setting | None]:
        threads = runtime.threads or self.settings.threads or usable_cpus()
        folder = self.settings.cache_folder
        name, precision = chosen_engine(
            spec,
            engine=runtime.engine,
            precision=runtime.precision,
            threads=threads,
            cache_folder=folder,
        )
        setting = chosen_setting(
            spec, engine=name, precision=precision, threads=threads, cache_folder=folder
        )
        return name, precision, threads, setting

    def network(self, spec: ModelSpec, *, runtime: Runtime) -> Network:
        """Return a network ready to run, opened now or before."""
        network = self._network(spec, runtime=runtime)
        return replace(network, spares_flat=True) if spares_flat(spec, runtime) else network

    def _network(self, spec: ModelSpec, *, runtime: Runtime) -> Network:
        name, precision, threads = self.choice(spec, runtime=runtime)
        tile_memory_bytes = self.tile_memory_bytes(spec, runtime=runtime)
        key = (spec.id, name, precision, threads, tile_memory_bytes)
        with self._lock:
            opening = self._opening.setdefault(key, threading.Lock())
        with opening:  # two callers of one network open it once; other networks do not wait
            network = self._kept(key)
            if network is None:
                engine = engine_named(name)
                with self._file(spec, engine, precision) as path:
                    session = engine.open(path, spec, precision=precision, threads=threads)
                opened = Network(
                    spec=spec,
                    session=session,
                    tile_memory_bytes=tile_memory_bytes,
                    engine=name,
                    precision=precision,
                )
                network = self._keep(key, opened)
            return network

    @contextmanager
    def graph(self, spec: ModelSpec, *, runtime: Runtime) -> Iterator[Path]:
        """Give the verified file that a network would be opened from, of the engine's format."""
        name, precision, _ = self.choice(spec, runtime=runtime)
        with self._file(spec, engine_named(name), precision) as path:
            yield path

    @contextmanager
    def _file(self, spec: ModelSpec, engine: Engine, precision: Precision) -> Iterator[Path]:
        """Give the verified file to open; what cannot be kept is removed when it was read."""
        wanted = wanted_file(engine, spec, precision=precision)
        graph: bytes | None = None
        if wanted == "int8":
            try:
                path = self.store.find(spec, format=wanted)
            except (ModelFolderNotWritable, DiskFull):
                graph = self.store.twin_bytes(spec)
        elif isinstance(spec, Blend):
            graph = blended_graph(spec, self.store.find)
        else:
            path = self.store.find(spec, format=wanted)
        if graph is None:
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="upres-") as folder:
            path = Path(folder) / spec.file.name
            path.write_bytes(graph)
            yield path

    def _kept(self, key: _Key) -> Network | None:
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
            return self._open.get(key)

    def _keep(self, key: _Key, network: Network) -> Network:
        with self._lock:
            self._open[key] = network
            while len(self._open) > OPEN_NETWORKS:
                self._open.popitem(last=False)  # closes when its last user lets go
        return network
