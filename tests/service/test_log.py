from __future__ import annotations

import io
import json
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from upres.service import log

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Return where logs are written, and leave everything as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    log.clear()
    yield io.StringIO()
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    log.clear()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_for_programs(stream: io.StringIO) -> None:
    log.set_up(format="json", to=stream)
    log.logger("web").info("answered", status=200)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "answered", "level": "info", "logger": "upres.web", "status": 200}


def test_a_line_for_people(stream: io.StringIO) -> None:
    log.set_up(to=stream)
    log.logger("web").warning("odd", what="x")
    assert stream.getvalue().count("\n") == 1
    assert "what=x" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()  # no colours but on a terminal


def test_libraries_speak_in_the_same_lines(stream: io.StringIO) -> None:
    log.set_up(format="json", to=stream)
    log.bind(request_id="r1")
    logging.getLogger("gunicorn.error").warning("worker %s is gone", 7)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    first, second = lines(stream)
    assert (first["event"], first["request_id"]) == ("worker 7 is gone", "r1")
    assert "DeprecationWarning" in second["event"]


@pytest.mark.parametrize(
    ("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)]
)
def test_the_least_that_is_logged(stream: io.StringIO, level: Any, count: int) -> None:
    log.set_up(format="json", level=level, to=stream)
    made = log.logger("web")
    for say in (made.debug, made.info, made.warning, made.error):
        say("x")
    assert len(lines(stream)) == count
    logging.getLogger("any").debug("x")
    assert (len(lines(stream)) > count) == (level == "debug")


def test_what_is_bound_is_in_every_line_until_it_is_not(stream: io.StringIO) -> None:
    log.set_up(format="json", to=stream)
    made = log.logger("worker")
    log.bind(request_id="r1")
    with log.bound(job_id="j1"):
        made.info("in")
    made.info("after")
    log.clear()
    made.info("later")
    kept = [{name: line.get(name) for name in ("request_id", "job_id")} for line in lines(stream)]
    assert kept == [
        {"request_id": "r1", "job_id": "j1"},
        {"request_id": "r1", "job_id": None},
        {"request_id": None, "job_id": None},
    ]


def test_threads_do_not_share_it(stream: io.StringIO) -> None:
    log.set_up(format="json", to=stream)
    log.bind(request_id="r1")
    thread = threading.Thread(target=lambda: log.logger("web").info("x"))
    thread.start()
    thread.join()
    assert "request_id" not in lines(stream)[0]


@pytest.mark.parametrize("format_", ["json", "text"])
def test_names_of_files_are_dropped(stream: io.StringIO, format_: Any) -> None:
    log.set_up(format=format_, to=stream)
    log.logger("web").info("x", file_name="holiday.jpg", source_name="holiday.jpg", status=1)
    assert "holiday" not in stream.getvalue()


@pytest.mark.parametrize("format_", ["json", "text"])
def test_variables_are_not_in_tracebacks(stream: io.StringIO, format_: Any) -> None:
    """They may be keys and names."""
    log.set_up(format=format_, to=stream)

    def read(name: str) -> int:
        return int(name.partition("-")[0])

    try:
        read("secret-".upper() * 2)
    except ValueError as error:
        log.logger("web").error("bug", exc_info=error)
    text = stream.getvalue()
    assert "ValueError" in text
    assert "SECRET-SECRET-" not in text


def test_control_characters_stay_in_their_line(stream: io.StringIO) -> None:
    """Nobody can forge a line of the log."""
    for format_ in ("json", "text"):
        log.set_up(format=format_, to=stream)
        log.logger("web").info("x", what="a\n2026 [error] forged\x1b[2J")
    assert stream.getvalue().count("\n") == 2
    assert "\x1b" not in stream.getvalue()


def test_setting_up_twice_says_everything_once(stream: io.StringIO) -> None:
    log.set_up(format="json", to=stream)
    log.set_up(format="json", to=stream)
    log.logger("web").info("x")
    assert len(lines(stream)) == 1
