"""Leaves the training tests out where PyTorch is not installed; random examples repeat."""

from importlib.util import find_spec

import hypothesis

collect_ignore_glob = [] if find_spec("torch") and find_spec("onnx") else ["test_*.py"]

# As tests/conftest.py has it, for when these tests run alone: a busy machine is no error.
hypothesis.settings.register_profile(
    "upres", derandomize=True, deadline=None, max_examples=50, print_blob=True
)
hypothesis.settings.load_profile("upres")
