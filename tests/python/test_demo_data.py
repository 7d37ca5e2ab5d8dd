"""The demo's files are what the scripts beside them make: made anew, they predict the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import digits
import numpy as np
import pytest
import redis
from models_on_servers import get, put, run

# The script, and the forms of the classifier that it makes.
SCRIPTS = {
    "make_forms.py": {"TF": "digits.pb", "TFLITE": "digits.tflite"},
    "make_torchscript.py": {"TORCH": "digits.pt"},
}
NAMES = {"TF": ("INPUTS", 1, "pixels", "OUTPUTS", 2, "digit", "probabilities")}


def make(script: str, folder: Path) -> None:
    """Runs a script as its own head says."""
    command = [sys.executable, digits.DATA / script, folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def predictions(client: redis.Redis, backend: str, blob: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Digits and probabilities of all images."""
    images = digits.rows()
    x = np.frombuffer(digits.pixels(images), np.float32).reshape(len(images), digits.PIXELS)
    put(client, "x", x)
    words = ("AI.MODELSTORE", "m", backend, "CPU", *NAMES.get(backend, ()), "BLOB", blob)
    assert client.execute_command(*words) == b"OK"
    assert run(client, "m", ["x"], ["digit", "probabilities"]) == b"OK"
    return get(client, "digit", np.int64), get(client, "probabilities")


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_forms_made_anew_predict_the_same(make_server, tmp_path, script):
    make(script, tmp_path)
    client = make_server().client()
    onnx_digits, onnx_probabilities = predictions(client, "ONNX", digits.blob("digits.onnx"))
    for backend, file in SCRIPTS[script].items():
        kept = predictions(client, backend, digits.blob(file))
        anew = predictions(client, backend, (tmp_path / file).read_bytes())
        np.testing.assert_array_equal(anew[0], kept[0])
        np.testing.assert_allclose(anew[1], kept[1], rtol=1e-5, atol=1e-7)
        # And what the ONNX model says, of which they are made.
        np.testing.assert_array_equal(anew[0], onnx_digits)
        np.testing.assert_allclose(anew[1], onnx_probabilities, atol=1e-5)


@pytest.mark.slow
def test_the_classifier_trained_anew_predicts_nearly_the_same(make_server, tmp_path):
    make("make_digits.py", tmp_path)
    assert (tmp_path / "digits.bin").read_bytes() == digits.blob("digits.bin")
    client = make_server().client()
    kept, _ = predictions(client, "ONNX", digits.blob("digits.onnx"))
    anew, _ = predictions(client, "ONNX", (tmp_path / "digits.onnx").read_bytes())
    # Training ends a little elsewhere with another scikit-learn or processor.
    assert np.mean(anew == kept) > 0.97
    written = np.array([digit for _, digit in digits.rows()])
    assert np.mean(anew == written) > 0.95
