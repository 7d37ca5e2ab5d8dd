"""Measures a model under load, each request alone and in batches, and draws a picture of it.

    pip install 'redisai-rs[onnx]' matplotlib scikit-learn skl2onnx
    python batching_under_load.py [picture.svg]

Each client is a thread that sends one row, waits for the answer, and sends the next.
"""

from __future__ import annotations

import sys
import threading
import time
import warnings

import matplotlib as mpl
import numpy as np
import redisai_rs as rai
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

mpl.use("agg")  # without a screen
from matplotlib import pyplot as plt

CLIENTS = [1, 2, 4, 8, 16, 32]
SECONDS = 0.3


def main(picture: str | None = None) -> None:
    """Measures both ways with more and more clients."""
    blob, row = network()
    rates: dict[str, list[float]] = {}
    with rai.Engine(intra_op_threads=1) as engine:
        for title, batch_size in {"alone": 0, "in batches": 32}.items():
            model = engine.load(blob, batch_size=batch_size)
            model.run(row)
            rates[title] = [rate(model, row, clients) for clients in CLIENTS]
        stats = model.stats()
    print("clients   alone   in batches   (requests per second)")
    for clients, alone, batched in zip(CLIENTS, *rates.values(), strict=True):
        print(f"{clients:7} {alone:7.0f} {batched:12.0f}")
    print(f"shared runs: {stats['batches']}, for {stats['calls']} requests")
    if picture:
        draw(rates, picture)


def network() -> tuple[bytes, np.ndarray]:
    """Gives a network whose weights are large beside its work for one row, and a row."""
    pixels, digits = load_digits(return_X_y=True)
    pixels = pixels.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one round, since speed is the matter
        model = MLPClassifier((2048, 2048), max_iter=1, random_state=1).fit(pixels, digits)
    options = {"zipmap": False}
    return to_onnx(model, pixels[:1], options=options).SerializeToString(), pixels[:1]


def rate(model: rai.Model, row: np.ndarray, clients: int) -> float:
    """Gives the requests per second that so many clients get answered."""
    begin = threading.Barrier(clients + 1)
    counts = [0] * clients

    def client(number: int) -> None:
        begin.wait()
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            model.run(row)
            counts[number] += 1

    threads = [threading.Thread(target=client, args=[number]) for number in range(clients)]
    for thread in threads:
        thread.start()
    begin.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def draw(rates: dict[str, list[float]], picture: str) -> None:
    """Draws the rates over the number of clients."""
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for title, values in rates.items():
        axes.plot(CLIENTS, values, marker="o", label=title)
    axes.set_xscale("log", base=2)
    axes.set_xticks(CLIENTS, [str(clients) for clients in CLIENTS])
    axes.set_xlabel("clients at a time")
    axes.set_ylabel("requests per second")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(picture, metadata={"Date": None} if picture.endswith(".svg") else None)


if __name__ == "__main__":
    main(*sys.argv[1:2])
