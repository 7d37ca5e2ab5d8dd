"""A torch model that runs again and again keeps no memory."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from onnx_models import put

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch

RUNS = 1_000_000
WARM = 100_000
GROWTH = 2 << 20
PIPELINE = 500


@pytest.mark.soak
def test_a_million_runs(make_server):
    layers = [torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4)]
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.jit.script(torch.nn.Sequential(*layers).eval())
        torch.jit.save(model, buffer)
    server = make_server(module_args=["INTRA_OP_PARALLELISM", 1])
    client = server.client()
    client.execute_command("AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", buffer.getvalue())
    rows = [1, 2, 7, 32]
    for size in rows:
        put(client, f"x{size}", np.ones((size, 16), np.float32))

    def run(count: int) -> None:
        for start in range(0, count, PIPELINE):
            pipeline = client.pipeline(transaction=False)
            for number in range(start, start + PIPELINE):
                words = ["INPUTS", 1, f"x{rows[number % len(rows)]}", "OUTPUTS", 1, "y"]
                pipeline.execute_command("AI.MODELEXECUTE", "m", *words)
            assert pipeline.execute() == [b"OK"] * PIPELINE

    run(WARM)
    before = server.rss()
    run(RUNS - WARM)
    grown = server.rss() - before
    assert grown <= GROWTH, f"{grown} bytes more after {RUNS} runs than after {WARM}"
