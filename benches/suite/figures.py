"""The figures: what `make bench` prints, and the targets."""

from __future__ import annotations

from dataclasses import dataclass

CONNECTIONS = (1, 8, 32)
# Rows of a batch in the measurements of batching, and the connections that fill it.
BATCHES = {"T3": 32, "T4": 8, "T5": 1}


@dataclass(frozen=True)
class Figure:
    """A line of the table."""

    name: str
    text: str
    unit: str = "x"
    """`x`: a ratio."""
    at_least: float | None = None
    at_most: float | None = None
    """The target; with neither the figure is for information."""


def _each(name: str, text: str, unit: str = "x", at_least: float | None = None) -> list[Figure]:
    """The same figure for each number of connections."""
    return [Figure(f"{name} c={c}", f"{text}, c = {c}", unit, at_least) for c in CONNECTIONS]


FIGURES = [
    *_each("T1", "tiny: DAG / floor, requests/s, P1", at_least=0.9),
    Figure("T2", "tiny: DAG, p99 / p50, P1, c = 32", at_most=2),
    Figure("T3", "mlp: DAG, c = 32 / in process, batch 32, P2", at_least=0.8),
    Figure("T4", "mlp: DAG, c = 8 / in process, batch 8, P2", at_least=0.7),
    Figure("T5", "mlp: DAG, c = 1 / in process, batch 1, P2", at_least=0.95),
    Figure("T6", "conv: DAG / in process, P1, c = 1", at_least=0.97),
    Figure("T7", "conv: DAG, c = 32 / in process, batch 1, P2", at_least=0.9),
    Figure("T8", "TENSORSET 600 KiB, main thread", "us", at_most=4),
    Figure("T9", "TENSORSET 16 MiB overwriting, main thread", "us", at_most=20),
    Figure("T10", "TENSORSET 16 MiB / SET", at_least=0.9),
    Figure("T11 600K", "TENSORGET BLOB 600 KiB / GET", at_least=0.95),
    Figure("T11 16M", "TENSORGET BLOB 16 MiB / GET", at_least=0.95),
    Figure("T12", "MODELEXECUTE tiny p50 / floor's p50, P1, c = 1", at_most=1.15),
    Figure("T13", "memory of mlp stored / its file", at_most=2.05),
    Figure("T13 run", "the same after runs"),
    Figure("T14", "wake-ups a second, 100 idle models", "1/s", at_most=0),
    *[
        Figure(f"{name} {what}", f"{text}: {verb} / as plain strings", at_most=most)
        for name, text in (("S1", "1,000 tensors of 64 KiB"), ("S2", "a model of 400 MB"))
        for what, verb, most in (("save", "SAVE", 1.15), ("load", "loading", 1.25))
    ],
    Figure("PT1", "tiny, torch / ONNX: p50 above that in process, P1, c = 1", at_most=1.15),
    Figure("PT2", "mlp, torch, c = 32 / libtorch in process, batch 32, P2", at_least=0.8),
    Figure("PT3", "tiny, torch, 1 to 32 rows mixed: slowest / its size's median", at_most=5),
    Figure("PT4", "a script with one redis.execute / without, p50, P1, c = 1", at_most=2),
    Figure("PY1", "tiny: Engine's run / InferenceSession.run, p50, P1", at_most=0.8),
    Figure("PY2", "conv: Engine's run / InferenceSession.run, rows/s, P1", at_least=0.98),
    Figure("PY3", "mlp: 8 threads x 8 futures / 8 threads of InferenceSession.run", at_least=5),
    Figure("PY4", "mlp: 8 threads of Engine's run / of InferenceSession.run", at_least=2.5),
    Figure("PY5", "import redisai_rs / import numpy", at_most=0.5),
    Figure("F1 TF", "tiny, TF / ONNX: p50 above that in process, P1, c = 1", at_most=1.15),
    Figure("F1 TFLITE", "tiny, TFLITE / ONNX: the same", at_most=1.15),
    Figure("F2 TF", "mlp, TF, c = 32 / in process, batch 32, P2", at_least=0.8),
    Figure("F2 TFLITE", "mlp, TFLITE, c = 32 / in process, batch 32, P2", at_least=0.8),
    Figure("F3 T8", "TENSORSET 600 KiB, no backend's time / all loaded", at_least=0.97),
    Figure("F3 T11", "TENSORGET 600 KiB, all backends loaded / none", at_least=0.97),
    Figure("C1", "16 MiB from Python: redis-py's set / Client.tensor_set, P1", at_least=0.9),
    Figure("C2", "16 MiB from Python: redis-py's get / Client.tensor_get, P1", at_least=0.9),
    Figure("F1 onnx us", "tiny, ONNX: p50 above that in process", "us"),
    Figure("F1 TF us", "tiny, TF: p50 above that in process", "us"),
    Figure("F1 TFLITE us", "tiny, TFLITE: p50 above that in process", "us"),
    Figure("F2 TF 1/s", "mlp, TF, c = 32, samples/s", "1/s"),
    Figure("F2 TFLITE 1/s", "mlp, TFLITE, c = 32, samples/s", "1/s"),
    *[
        figure
        for name in ("ONNX", "TORCH", "TFLITE", "TF")
        for figure in (
            Figure(f"L {name} ms", f"{name}: time to load it with its framework", "ms"),
            Figure(f"L {name} MiB", f"{name}: memory that the server has more then", "MiB"),
        )
    ],
    Figure("PT1 us", "tiny, torch: p50 above that in process", "us"),
    Figure("PT1 onnx us", "tiny, ONNX: p50 above that in process", "us"),
    Figure("PT4 us", "a script with one redis.execute, p50", "us"),
    Figure("PY1 us", "tiny: Engine's run, p50", "us"),
    Figure("PY1 theirs us", "tiny: InferenceSession.run, p50", "us"),
    Figure("PY3 rate", "mlp: 8 threads x 8 futures, rows/s", "1/s"),
    Figure("PY5 ms", "import redisai_rs", "ms"),
    Figure("C1 ms", "Client.tensor_set of 16 MiB", "ms"),
    Figure("C2 ms", "Client.tensor_get of 16 MiB", "ms"),
    Figure("PT2 rate", "mlp, torch, c = 32, samples/s", "1/s"),
    *_each("T1 us", "tiny: DAG, server's CPU a request", "us"),
    *_each("floor us", "floor, server's CPU a request", "us"),
    *_each("worded", "floor with all arguments of the DAG / floor"),
    *_each("worded us", "floor with all arguments, server's CPU a request", "us"),
    *_each("floor", "floor / SET 1 KiB + GET 8 B, P1"),
    Figure("T2 us", "tiny: DAG, p99, P1, c = 32", "us"),
    Figure("T2 open", "p99 / p50, c = 32, Poisson, 0.7 of c = 1's rate"),
    Figure("T2 open us", "p99, c = 32, Poisson, 0.7 of c = 1's rate", "us"),
    *[
        Figure(f"{name} us", f"mlp: DAG, c = {count}, server's CPU a request", "us")
        for name, count in BATCHES.items()
    ],
    *[
        Figure(f"{name} floor", f"mlp: floor, c = {count} / in process, batch {count}, P2")
        for name, count in BATCHES.items()
    ],
    Figure("T6 floor", "conv: floor / in process, P1, c = 1"),
    Figure("T6 us", "conv: DAG, c = 1, server's CPU a request", "us"),
    Figure("T7 us", "conv: DAG, c = 32, server's CPU a request", "us"),
    Figure("S1 save ms", "1,000 tensors of 64 KiB, SAVE", "ms"),
    Figure("S1 load ms", "1,000 tensors of 64 KiB, loading", "ms"),
    Figure("S2 save ms", "a model of 400 MB, SAVE", "ms"),
    Figure("S2 load ms", "a model of 400 MB, loading", "ms"),
    Figure("S2 copy", "a model of 400 MB: memory that a saving child copies / its blob"),
    Figure("T12 us", "MODELEXECUTE tiny, p50", "us"),
    Figure("T12 floor us", "floor on a held input, p50", "us"),
    Figure("T12 cpu", "server's CPU a request / floor's"),
]
