"""Results played in a real browser: as files, and by the page itself."""

from __future__ import annotations

import functools
import http.server
import tempfile
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from proofs.filming.material import enlarged, photo_clip
from proofs.serving.running import RunningService

from browser import launch_options, new_visit  # isort: skip - material finds the folder

_RESULTS = ("h264.mp4", "vp9.webm", "av1.mp4")
_WIDTH, _LEAST_S = 320, 1.9
_PLAY = """async name => {
  const video = document.createElement('video');
  video.muted = true; video.src = name; document.body.append(video);
  const ended = new Promise((done, failed) => {
    video.onended = () => done(null);
    video.onerror = () => failed(video.error.message);
  });
  await video.play(); await ended;
  return {width: video.videoWidth, height: video.videoHeight, duration: video.duration,
          at: video.currentTime, frames: video.getVideoPlaybackQuality().totalVideoFrames};
}"""


def measure(_: int) -> dict[str, Any]:
    """Enlarge a clip of two seconds in each way, and play it from a page."""
    played: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = photo_clip(folder / "clip.mkv", width=160, height=90, frames=50)
        (folder / "page.html").write_text("<!doctype html><title>player</title>", "utf-8")
        silent = clip.rename(folder / "source.mkv")
        for result in _RESULTS:
            source = silent
            if result.endswith(".webm"):
                source = _without_sound(silent, folder / "silent.mkv")
            enlarged(source, folder / result, "--codec", result.split(".")[0], "--model", "bicubic")
        handler = functools.partial(_Quiet, directory=str(folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            played = _played(f"http://127.0.0.1:{server.server_address[1]}/page.html")
            server.shutdown()
    in_the_page = _on_the_page()
    return {
        "played": played,
        "in_the_page": in_the_page,
        "passed": all(
            found.get("width") == _WIDTH and found.get("at", 0) > _LEAST_S
            for found in [*played.values(), in_the_page]
        ),
    }


def _on_the_page() -> dict[str, Any]:
    """Give a clip to the page of a running service, and play what comes of it to its end."""
    with (
        tempfile.TemporaryDirectory() as name,
        tempfile.TemporaryDirectory() as folder,
        RunningService(Path(folder)) as service,
        sync_playwright() as driver,
    ):
        clip = photo_clip(Path(name) / "clip.mp4", width=160, height=90, frames=50)
        browser = driver.chromium.launch(**launch_options())
        visit = new_visit(browser, service.url).open()
        visit.page.locator('#settings input[value="2"]').check(force=True)
        visit.pick({"name": "clip.mp4", "mimeType": "video/mp4", "buffer": clip.read_bytes()})
        visit.page.wait_for_selector("#after video")
        visit.page.get_by_role("button", name="Play").click()
        visit.until("document.querySelector('#after video').ended")
        found: dict[str, Any] = visit.page.evaluate(_STATE)
        visit.check()
        browser.close()
    return found


_STATE = """() => {
  const [before, after] = document.querySelectorAll('.layer video');
  return {width: after.videoWidth, height: after.videoHeight, duration: after.duration,
          at: after.currentTime, frames: after.getVideoPlaybackQuality().totalVideoFrames,
          before: {width: before.videoWidth, at: before.currentTime}};
}"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _played(address: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        for result in _RESULTS:
            try:
                found[result] = page.evaluate(_PLAY, result)
            except Exception as error:  # noqa: BLE001 - whatever it says belongs in the record
                found[result] = {"error": str(error)}
        browser.close()
    return found


def _without_sound(clip: Path, target: Path) -> Path:
    """Copy the pictures alone: WebM holds no AAC."""
    import av

    with av.open(str(clip)) as source, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    return target
