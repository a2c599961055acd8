"""The Dockerfile's steps without Docker: each stage is a layer over this machine's own files.

This machine, a Debian with Python, stands in for the base image; the folders where people keep
things are hidden. What RUN does happens in a root of its own, by its own shell; what comes of
it is run as the image says: as its user, with a root that cannot be written, with an empty volume.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

_HIDDEN = ("work", "home", "root", "tmp", "srv", "var/tmp", "run")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Stage = list[tuple[str, str]]


def instructions(dockerfile: Path) -> list[Stage]:
    """Return the stages of a Dockerfile as instructions with their arguments."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text("utf-8"), flags=re.MULTILINE)
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            if word == "FROM":
                stages.append([])
            if stages:
                stages[-1].append((word, rest.strip()))
    return stages


def shell(*words: str | Path) -> None:
    """Run a command; raise what it said where it fails."""
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(
            f"{words[0]} ended with {run.returncode}: {(run.stdout + run.stderr)[-1500:]}"
        )


class Root:
    """A root of its own over this machine's files; everything is undone with `undo`."""

    def __init__(self, folder: Path, undo: ExitStack) -> None:
        self.path = folder / "root"
        self.env: dict[str, str] = {"PATH": _PATH, "HOME": "/root"}
        self.words: dict[str, list[str]] = {}
        self.user = "0:0"
        self._folder = folder
        self._undo = undo
        self._work = "/"
        self.mounted("tmpfs", folder, "-t", "tmpfs")
        for name in ("upper", "work", "root"):
            (folder / name).mkdir()
        layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
        self.mounted("overlay", self.path, "-t", "overlay", "-o", layers)
        for name in _HIDDEN:
            if (self.path / name).is_dir():
                self.mounted("tmpfs", self.path / name, "-t", "tmpfs", "-o", "mode=1777")
        self.mounted("/proc", self.path / "proc", "--bind")
        self.mounted("/dev", self.path / "dev", "--rbind")

    def mounted(self, what: str | Path, where: Path, *options: str) -> None:
        """Mount something until the end."""
        shell("mount", *options, what, where)
        self._undo.callback(shell, "umount", "-l", where)

    def build(self, stage: Stage, *, context: Path, stages: Mapping[str, Root]) -> int:
        """Do the instructions of a stage; return how many commands were run."""
        ran = 0
        for word, rest in stage:
            if word == "RUN":
                self._run(rest)
                ran += 1
            elif word == "COPY":
                self._copy(shlex.split(rest), context=context, stages=stages)
            elif word == "ENV":
                for pair in shlex.split(rest):
                    name, _, value = pair.partition("=")
                    self.env[name] = value.replace("$PATH", self.env["PATH"])
            elif word == "WORKDIR":
                self._work = rest
                (self.path / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif word == "USER":
                self.user = rest
            elif word in {"ENTRYPOINT", "CMD"}:
                self.words[word] = [one.strip(' "') for one in rest.strip("[]").split(",")]
        return ran

    def started(
        self, more: Mapping[str, str], *, log: Path, network: bool
    ) -> subprocess.Popen[bytes]:
        """Run the image's command as its user, without any right to more."""
        uid, gid = self.user.split(":")
        lone = ["unshare", "--net"] if not network else []
        drop = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        drop += ["--no-new-privs", "--bounding-set=-all"]
        command = [*lone, "chroot", str(self.path), *drop]
        with log.open("wb") as file:
            return subprocess.Popen(
                [*command, *self.words["ENTRYPOINT"], *self.words["CMD"]],
                env=self.env | {"HOME": "/"} | dict(more),
                stdout=file,
                stderr=file,
                process_group=0,
            )

    def freeze(self, volume: Path, where: str) -> None:
        """Let nothing be written from now on but in a volume, /tmp and /dev/shm."""
        shell("mount", "-o", "remount,ro", self.path)
        os.chown(volume, *map(int, self.user.split(":")))
        self.mounted(volume, self.path / where.lstrip("/"), "--bind")

    def _run(self, command: str) -> None:
        given = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        run = subprocess.run(
            ["chroot", str(self.path), "/bin/sh", "-ec", f"cd {self._work}; {command}"],
            env=given | self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise RuntimeError(f"RUN {command[:80]}: {(run.stdout + run.stderr)[-1500:]}")

    def _copy(self, words: list[str], *, context: Path, stages: Mapping[str, Root]) -> None:
        options = dict(one[2:].split("=") for one in words if one.startswith("--"))
        *names, last = [one for one in words if not one.startswith("--")]
        source = stages[options["from"]].path if "from" in options else context
        target = self.path / (Path(self._work) / last).as_posix().lstrip("/")
        for name in names:
            path = source / name.lstrip("/")
            into_folder = last.endswith("/") or len(names) > 1
            place = target / path.name if into_folder and not path.is_dir() else target
            place.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, place, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy2(path, place)
            if "chmod" in options:
                place.chmod(int(options["chmod"], 8))
