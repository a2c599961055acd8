"""Runs tests of the page and keeps what became of each, with the figures that they noted."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from proofs.record import ROOT


def measured(*places: str) -> Callable[[int], dict[str, Any]]:
    """Return a bar: all tests at these places pass, none is skipped."""

    def measure(seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
        return run(*places)

    return measure


def run(*places: str) -> dict[str, Any]:
    """Run tests and return their verdicts."""
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report.xml"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q"),
                *("-o", "junit_family=xunit1", f"--junitxml={report}"),
                *places,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - our own file
    tests = {str(case.get("name")): _told(case) for case in cases}
    passed = [test for test in tests.values() if test["verdict"] == "passed"]
    return {
        "tests": tests,
        "passed_tests": len(passed),
        "browser": browser_version(),
        "last_line": re.sub(r" in .*", "", done.stdout.strip().splitlines()[-1]),
        "passed": done.returncode == 0 and bool(cases) and len(passed) == len(cases),
    }


def browser_version() -> str:
    """Return what the browser calls itself."""
    done = subprocess.run(["chromium", "--version"], capture_output=True, text=True, check=False)
    return " ".join(done.stdout.split()[:2])


def _told(case: ET.Element) -> dict[str, Any]:
    wrong = next(
        (kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), ""
    )
    told: dict[str, Any] = {
        "verdict": wrong or "passed",
        "seconds": round(float(case.get("time", 0)), 1),
    }
    if wrong:
        told["said"] = str(case.find(wrong).get("message"))[:500]  # type: ignore[union-attr]
    for noted in case.iter("property"):
        told[str(noted.get("name"))] = noted.get("value")
    return told
