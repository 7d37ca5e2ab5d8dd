"""Every backend in process: many threads, and files that are cut off; right is what labels say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import digits
import numpy as np
import pytest
import redisai_rs as rai

TF = {"inputs": ["pixels"], "outputs": ["digit", "probabilities"]}
FORMS = {
    "digits.onnx": ("ONNX", {}),
    "digits.pt": ("TORCH", {}),
    "digits.pb": ("TF", TF),
    "digits.tflite": ("TFLITE", {}),
}
IMAGES = digits.rows()
PIXELS = np.frombuffer(digits.pixels(IMAGES), np.float32).reshape(len(IMAGES), -1)
LABELS = np.array([label for _, label in IMAGES])
# What TorchScript does not say of itself.
OUTPUTS = {"digits.pt": 2}


def digit(found) -> np.ndarray:
    return next(output for output in found if output.dtype.kind == "i").reshape(-1)


@pytest.mark.parametrize("batch_size", [0, 16])
@pytest.mark.parametrize("form", FORMS)
def test_eight_threads_get_their_own_digits(engine, form, batch_size):
    backend, names = FORMS[form]
    loaded = engine.load(digits.DATA / form, batch_size=batch_size, **names)
    assert loaded.backend == backend

    def some(number: int) -> float:
        rows = range(number, len(LABELS), 8)
        found = [loaded.run(PIXELS[row : row + 1], outputs=OUTPUTS.get(form)) for row in rows]
        return np.mean(
            [digit(each)[0] == LABELS[row] for row, each in zip(rows, found, strict=True)]
        )

    with ThreadPoolExecutor(8) as pool:
        right = list(pool.map(some, range(8)))
    # One that got another's rows would be right one time in ten.
    assert min(right) > 0.9
    assert loaded.stats()["errors"] == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_is_cut_off(engine, form):
    backend, names = FORMS[form]
    whole = digits.blob(form)
    refused = 0
    for length in range(0, len(whole), len(whole) // 16):
        try:
            engine.load(whole[:length], backend=backend, **names)
        except (rai.InvalidModelError, rai.InputError, rai.UnsupportedError):
            refused += 1
    # A protocol buffer may end between two of its parts.
    assert refused >= 12
    found = engine.load(whole, **names).run(PIXELS, outputs=OUTPUTS.get(form))
    assert np.mean(digit(found) == LABELS) > 0.95
