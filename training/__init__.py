"""Training of the upres models: development only, never imported by upres itself."""

import os

# Batches are prepared beside PyTorch's own threads: numpy's would take cores from those, and cost
# a fifth of the speed. It is read when numpy is imported, which is after this.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
