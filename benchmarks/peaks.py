"""What this machine can do at most: matrix products in each arithmetic, on OpenVINO."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from upres.engines.openvino import library

Arithmetic = Literal["fp32", "bf16", "int8"]

SIDE = 2048
"""Rows, columns and depth of the product: it stays in no cache, and is bound by arithmetic."""
_OPERATIONS = 2 * SIDE**3


def operations_per_second(run: Callable[[], object]) -> float:
    """Time one product that `product` returned."""
    started = time.perf_counter()
    run()
    return _OPERATIONS / (time.perf_counter() - started)


def product(arithmetic: Arithmetic, *, threads: int, seed: int) -> Callable[[], object]:
    """Return a function that multiplies a matrix by a constant one, run once already.

    In int8 the left matrix is rounded to 8 bits in the graph, as activations of networks are: that
    is a part in some thousand of the work.
    """
    openvino = library()
    noise = np.random.default_rng(seed)
    left, right = (noise.uniform(-1, 1, (SIDE, SIDE)).astype(np.float32) for _ in range(2))
    model = _graph(openvino.opset13, openvino, right, rounded=arithmetic == "int8")
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "bf16" if arithmetic == "bf16" else "f32",
    }
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()

    def run() -> object:
        return request.infer({0: left}, share_inputs=True, share_outputs=True)

    run()
    return run


def _graph(ops: Any, openvino: Any, right: Any, *, rounded: bool) -> Any:
    given = ops.parameter([SIDE, SIDE], np.float32)
    one, other = given, ops.constant(right)
    if rounded:
        low, high = ops.constant(np.float32(-1)), ops.constant(np.float32(1))
        one = ops.fake_quantize(one, low, high, low, high, 256)
        other = ops.fake_quantize(other, low, high, low, high, 255)
    return openvino.Model([ops.result(ops.matmul(one, other, False, False))], [given], "product")
