"""`/api/v1/models`: what there is, what is installed, pulling the rest; and `/api/v1/limits`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from apiflask import APIBlueprint
from flask import current_app

from upres.errors import UpresError
from upres.models.catalogue import AUTO, AUTO_MODEL, BASELINES, CLEAN_MODEL
from upres.service.log import logger
from upres.upscale.size import DEFAULT_FACTOR
from upres.web import contract, failures
from upres.web.batches import ARCHIVE_JOBS, BATCH_PICTURES, BATCH_UPLOADS
from upres.web.clients import client, needs
from upres.web.enlarge import LONGEST_WAIT_S
from upres.web.offers import LimitsAnswer, ModelAnswer, ModelsAnswer, Pull
from upres.web.schemas import PREFIX, Failure
from upres.web.serving import serving

if TYPE_CHECKING:
    from flask.blueprints import BlueprintSetupState

    from upres.models.spec import ModelSpec
    from upres.workbench import Workbench

EDSR = "edsr"
_EXTENSION = "upres-pulls"

blueprint = APIBlueprint("catalogue", __name__, tag="Models", url_prefix=PREFIX)


class Pulls:
    """Downloads of models, each in a thread of its own; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, Pull] = {}

    def state(self, name: str) -> Pull | None:
        """Return how far a model's download is, or how the last one ended."""
        with self._lock:
            return self._states.get(name)

    def start(self, name: str, specs: list[ModelSpec], workbench: Workbench) -> None:
        """Begin to download a model's networks, unless that is going on."""
        total = sum(spec.file.bytes for spec in specs)
        with self._lock:
            there = self._states.get(name)
            if there is not None and there.state == "running":
                return
            self._states[name] = Pull(state="running", done_bytes=0, total_bytes=total, error=None)
        work = threading.Thread(
            target=self._pull, args=(name, specs, workbench, total), name=f"pull {name}"
        )
        work.daemon = True  # a download does not keep a server from ending; its part is swept
        work.start()

    def _pull(self, name: str, specs: list[ModelSpec], workbench: Workbench, total: int) -> None:
        before = 0
        error: Failure | None = None
        try:
            for spec in specs:
                done = before

                def report(here: int, _: int, done: int = done) -> None:
                    self._set(name, "running", min(total, done + here), total)

                workbench.store.pull(spec, progress=report)
                before += spec.file.bytes
        except UpresError as fault:
            logger("web").error("pull failed", code=fault.code, model=name, reason=str(fault))
            error = failures.of_error(fault)
        except BaseException:
            error = Failure(code="error", detail="an unexpected error; see the server's log")
            raise
        finally:
            self._set(name, "done" if error is None else "failed", before, total, error)

    def _set(
        self, name: str, state: Any, done: int, total: int, error: Failure | None = None
    ) -> None:
        with self._lock:
            self._states[name] = Pull(state=state, done_bytes=done, total_bytes=total, error=error)


@blueprint.record_once
def _made_once(state: BlueprintSetupState) -> None:
    state.app.extensions[_EXTENSION] = Pulls()


def pulls() -> Pulls:
    """Return the downloads of the current application."""
    return cast("Pulls", current_app.extensions[_EXTENSION])


@blueprint.get("/models")
@needs("enlarge")
@blueprint.output(ModelsAnswer, description="Every name that the option `model` takes.")
@blueprint.doc(operation_id="getModels", responses=contract.problems(401, 403, 500, 503))
def models() -> Any:
    """List the models: those that are installed, and those that can be pulled."""
    workbench = serving().service.workbench
    speeds = serving().service.table.speeds()
    networks = [
        _network(name, list(specs), workbench, speeds)
        for name, specs in groupby(workbench.catalogue, key=lambda spec: spec.name)
    ]
    choices = f"{AUTO_MODEL}, {CLEAN_MODEL} or between the two"
    strengths = workbench.catalogue.has_strengths()
    fits = f"what fits the picture: {choices if strengths else f'today always {AUTO_MODEL}'}"
    auto = _plain(AUTO, "auto", fits, speeds, clean=strengths, tta=_auto_averages(networks))
    plain = [
        _plain(name, "interpolation", "interpolation, no network", speeds) for name in BASELINES
    ]
    answer = ModelsAnswer(
        models=[auto, *networks, *plain],
        upload_model=upload_model(),
        may_pull="models" in client().scopes,
    )
    return answer, 200, {"Cache-Control": "no-store"}


@blueprint.post("/models/<name>/pull")
@needs("models")
@blueprint.output(ModelAnswer, status_code=202, description="The model; its download goes on.")
@blueprint.doc(
    operation_id="pullModel",
    responses=contract.problems(401, 403, 404, 422, 429, 500, 503),
)
def pull(name: str) -> Any:
    """Download a model's files, verified by their pinned hashes.

    Needs a key with the scope `models`; on a server without keys only this machine itself may ask.
    See `getModels` for how far it is.
    """
    workbench = serving().service.workbench
    scales = workbench.catalogue.scales(name)
    specs = [workbench.catalogue.get(name, scale) for scale in scales]
    missing = [spec for spec in specs if not workbench.store.installed(spec)]
    if missing:
        pulls().start(name, missing, workbench)
    speeds = serving().service.table.speeds()
    return _network(name, specs, workbench, speeds), 202, {"Location": f"{PREFIX}/models"}


@blueprint.get("/limits")
@needs("enlarge")
@blueprint.output(LimitsAnswer, description="What is refused beyond.")
@blueprint.doc(operation_id="getLimits", responses=contract.problems(401, 403, 500, 503))
def limits() -> Any:
    """Tell the limits of this server."""
    return limits_now(), 200, {"Cache-Control": "no-cache"}


def limits_now() -> LimitsAnswer:
    """Return the limits of the current application."""
    return LimitsAnswer.of(
        serving().service.settings,
        wait_s=LONGEST_WAIT_S,
        batch_pictures=BATCH_PICTURES,
        batch_uploads=BATCH_UPLOADS,
        archive_jobs=ARCHIVE_JOBS,
    )


def upload_model() -> str:
    """Return the model that `POST /upload` uses now."""
    service = serving().service
    edsr = service.workbench.catalogue.get(EDSR, DEFAULT_FACTOR)
    installed = service.workbench.store.installed(edsr)
    return service.settings.model_for_upload(edsr_installed=installed)


def _network(
    name: str, specs: list[ModelSpec], workbench: Workbench, speeds: Mapping[str, float]
) -> ModelAnswer:
    known = [(spec, workbench.store.installed(spec)) for spec in specs]
    mixed = name in {AUTO_MODEL, CLEAN_MODEL} and workbench.catalogue.has_strengths()
    return ModelAnswer.network(
        known, clean=mixed, pull=pulls().state(name), px_per_s=speeds.get(name)
    )


def _auto_averages(networks: list[ModelAnswer]) -> bool:
    """Tell whether `tta` changes what one of those that `auto` chooses from gives."""
    return any(one.tta for one in networks if one.name in {AUTO_MODEL, CLEAN_MODEL})


def _plain(
    name: str,
    kind: Any,
    description: str,
    speeds: Mapping[str, float],
    *,
    clean: bool = False,
    tta: bool = False,
) -> ModelAnswer:
    return ModelAnswer(
        name=name,
        kind=kind,
        description=description,
        licence=None,
        installed=True,
        networks=[],
        clean=clean,
        tta=tta,
        output_px_per_s=speeds.get(name),
        pull=None,
    )
