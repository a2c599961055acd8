"""The files of deploy/: what linters, their own programs, and the code they name say of them."""

from __future__ import annotations

import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from job_cases import unsynced
from picture_files import saved, scene
from service_cases import accepted, result_of, service_in

from proofs.deployment.image import instructions
from proofs.deployment.stack import DEPLOY, NGINX, nginx_files
from upres.service.run import run_job
from upres.service.settings import ServiceSettings
from upres.service.worker import EXIT_SPENT
from upres.web.batches import BATCH_UPLOADS

if TYPE_CHECKING:
    from upres.service.parts import Service

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
_LEASE_S = 1.0
DOCKERFILE = DEPLOY / "Dockerfile"
TEXTS = [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc"]


def said(*words: str | Path) -> str:
    """Return all that a program says; it must be content."""
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def test_hadolint_is_content() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not in this environment: it has no wheel for this machine")
    assert said(hadolint, "--no-color", DOCKERFILE) == ""


def test_the_image_runs_as_nobody_in_particular() -> None:
    last = [one for stage in instructions(DOCKERFILE)[-1:] for one in stage]
    users = [rest for word, rest in last if word == "USER"]
    assert users == ["10001:10001"]
    after = [word for word, _ in last[[word for word, _ in last].index("USER") :]]
    assert "RUN" not in after
    assert "COPY" not in after


def test_nothing_comes_into_the_image_unchecked() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert "curl" not in text
    assert "ADD " not in text
    for line in re.findall(r"pip install .*", text):
        assert "--require-hashes" in line or "--no-deps dist/" in line


def test_what_is_copied_exists_and_is_let_in() -> None:
    """The ignore file names what the build needs, and no more."""
    root = DEPLOY.parent
    let_in = [
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    ]
    for stage in instructions(DOCKERFILE):
        for word, rest in stage:
            words = [one for one in shlex.split(rest) if not one.startswith("--chmod")]
            if word != "COPY" or words[0].startswith("--from"):
                continue
            for name in words[:-1]:
                assert (root / name).exists(), name
                assert any(Path(name).match(one) for one in let_in), name


@pytest.mark.parametrize("lock", ["service.lock", "build.lock"])
def test_the_image_has_the_versions_that_are_tested(lock: str) -> None:
    folder = DEPLOY.parent / "requirements"
    pins = [
        set(re.findall(r"^([a-z0-9-]+==\S+)", (folder / name).read_text("utf-8"), re.MULTILINE))
        for name in (lock, "dev.lock")
    ]
    assert pins[0] <= pins[1]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_is_content(unit: Path, tmp_path: Path) -> None:
    """Every line is understood, and what is locked in is locked in well."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not on this machine")
    text = re.sub(r"/opt/upres/bin/\w+", "/bin/true", unit.read_text("utf-8"))
    copy = tmp_path / unit.name.replace("@", "@8081")
    (tmp_path / unit.name).write_text(text, "utf-8")
    copy.write_text(text, "utf-8")
    assert said(analyze, "verify", "--man=no", copy) == ""
    said(analyze, "security", "--offline=true", "--threshold=25", copy)


def test_nginx_is_content(tmp_path: Path) -> None:
    if NGINX is None:
        pytest.skip("nginx is not on this machine")
    main = nginx_files(tmp_path, listen=18080, upstreams=(18081, 18082), blobs=tmp_path)
    words = (NGINX, "-p", tmp_path, "-c", main, "-e", tmp_path / "early", "-t")
    told = [line for line in said(*words).splitlines() if "conflicting" in line or "emerg" in line]
    assert told == []


def test_nginx_lets_through_what_the_service_takes() -> None:
    """Up to its own limits it tells itself what is too large."""
    text = (DEPLOY / "nginx" / "upres.conf").read_text("utf-8")
    single, batch = (int(one) * 2**20 for one in re.findall(r"client_max_body_size (\d+)m", text))
    largest = ServiceSettings().upload_bytes
    assert single > largest + 2**20
    assert batch > BATCH_UPLOADS * largest


def test_every_setting_that_is_named_is_one() -> None:
    named = {
        name.lower()
        for path in TEXTS
        for name in re.findall(r"UPRES_SERVICE_([A-Z_]+[A-Z])\b", path.read_text("utf-8"))
    }
    assert named - {"config"} <= set(ServiceSettings.model_fields)
    assert named > {"proxies", "nginx", "allowed_hosts"}


def backup(source: Path, target: Path) -> str:
    return said(sys.executable, DEPLOY / "backup.py", source, target)


def work_off(service: Service) -> None:
    """Do every job that waits."""
    while claim := service.table.claim("w", lease_s=_LEASE_S, attempts_cap=3):
        run_job(service, claim)


def test_a_backup_is_whole_and_goes_on(tmp_path: Path) -> None:
    """What was done is there, what waited is done, and a second run copies what is new."""
    live = service_in(tmp_path / "live")
    unsynced(live.table)
    first = accepted(live, saved(scene(20, 20), "png"))
    work_off(live)
    second = accepted(live, saved(scene(24, 20), "png"))
    assert "3 new pictures" in backup(tmp_path / "live", tmp_path / "copy")
    third = accepted(live, saved(scene(28, 20), "png"))
    assert "1 new pictures" in backup(tmp_path / "live", tmp_path / "copy")
    work_off(live)
    again = service_in(tmp_path / "copy")
    work_off(again)
    for job in (first, second, third):
        assert result_of(again, job.id) == result_of(live, job.id)
    live.close()
    again.close()


def test_a_backup_is_taken_while_jobs_come_and_go(tmp_path: Path) -> None:
    live = service_in(tmp_path / "live")
    unsynced(live.table)
    over = threading.Event()

    def come_and_go() -> None:
        number = 0
        while not over.is_set():
            number += 1
            accepted(live, saved(scene(8 + number % 90, 8), "png"))
            work_off(live)

    coming = threading.Thread(target=come_and_go)
    coming.start()
    try:
        for _ in range(3):
            backup(tmp_path / "live", tmp_path / "copy")
    finally:
        over.set()
        coming.join()
    with sqlite3.connect(tmp_path / "copy" / "jobs.sqlite") as table:
        assert table.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    table.close()
    again = service_in(tmp_path / "copy")
    time.sleep(_LEASE_S)  # what was being worked on is taken up when its lease is over
    work_off(again)
    with sqlite3.connect(tmp_path / "copy" / "jobs.sqlite") as table:
        states = table.execute("SELECT DISTINCT state FROM jobs").fetchall()
    table.close()
    assert states == [("done",)]
    live.close()
    again.close()


def test_a_backup_of_nothing_says_so(tmp_path: Path) -> None:
    script = str(DEPLOY / "backup.py")
    words = [sys.executable, script, str(tmp_path / "none"), str(tmp_path / "copy")]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("backup.py: ")
    assert run.stderr.count("\n") == 1


def test_the_units_know_how_a_worker_asks_to_be_started_anew() -> None:
    text = (DEPLOY / "systemd" / "upres-worker.service").read_text("utf-8")
    assert f"SuccessExitStatus={EXIT_SPENT}\n" in text
