"""Shared set-up of the tests."""

from __future__ import annotations

import os

# OpenMP threads that spin while they wait make small networks many times slower on a busy machine. The library reads
# this when it is loaded, so it is set before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
