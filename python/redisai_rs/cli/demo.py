"""`redisai-rs demo`: a server, a model, real data, and what came out."""

from __future__ import annotations

import argparse
import signal
import statistics
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redisai_rs import servers
from redisai_rs._resp import Connection
from redisai_rs.exceptions import ReplyError, ServerError
from redisai_rs.testing import Server

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

DATA = Path(__file__).resolve().parent.parent / "demo_data"
SIDE = 8
PIXELS = SIDE * SIDE
# From blank paper (0) to the darkest ink (16).
SHADES = " .:-=+*#%@"
BRIGHTEST = 16
SHOWN = 6
# The model's file, and what AI.MODELSTORE is told besides.
FORMS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "ONNX": ("digits.onnx", ()),
    "TORCH": ("digits.pt", ()),
    "TF": ("digits.pb", ("INPUTS", 1, "pixels", "OUTPUTS", 2, "digit", "probabilities")),
    "TFLITE": ("digits.tflite", ()),
}
TIMED_REQUESTS = 300


@dataclass(frozen=True)
class Image:
    """An image that the model has not seen, and the digit that was written."""

    pixels: bytes
    digit: int

    def blob(self) -> bytes:
        """The pixels as FLOAT."""
        return struct.pack(f"<{PIXELS}f", *self.pixels)

    def lines(self) -> list[str]:
        """The image as text."""
        shades = [SHADES[pixel * (len(SHADES) - 1) // BRIGHTEST] for pixel in self.pixels]
        return ["".join(shades[row : row + SIDE]) for row in range(0, PIXELS, SIDE)]


def add(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "demo",
        help="store a real model in a server, run it on real data, show what comes out",
        description="Starts a server of its own with the module, stores a classifier of handwritten"
        " digits in it, classifies images that the classifier was not trained on, and shows some of"
        " them, the accuracy and the time of a request. It leaves nothing behind.",
    )
    parser.add_argument(
        "--server",
        metavar="PATH",
        default=servers.EMBEDDED,
        help="the server's binary (default: the embedded one)",
    )
    parser.add_argument(
        "--backend",
        type=str.upper,
        choices=list(FORMS),
        default="ONNX",
        help="the framework, and with it the form of the model (default: ONNX)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb."""
    # Ended by `kill` it is to clean up, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    images = list(_images())
    with Server(options.server) as server:
        print(f"{server.binary} with the module ai on port {server.port}\n")
        with Connection((server.host, server.port)) as connection:
            try:
                predicted = _classify(connection, options.backend, images)
                microseconds = _time_requests(connection, images)
            except ReplyError as error:
                raise ServerError(f"{error}; `redisai-rs doctor` says what is missing") from error
    _show(images, predicted)
    right = sum(image.digit == digit for image, digit in zip(images, predicted, strict=True))
    print(
        f"{right} of {len(images)} unseen images right ({right / len(images):.1%});"
        f" one image, with its tensors set and got: {microseconds:.0f} µs (median of"
        f" {TIMED_REQUESTS})"
    )
    return 0


def _images() -> Iterator[Image]:
    data = (DATA / "digits.bin").read_bytes()
    for start in range(0, len(data), PIXELS + 1):
        yield Image(data[start : start + PIXELS], data[start + PIXELS])


def _classify(connection: Connection, backend: str, images: list[Image]) -> list[int]:
    """Stores the model and runs it on all images at once."""
    file, words = FORMS[backend]
    model = (DATA / file).read_bytes()
    _say(connection, "AI.MODELSTORE", "digits", backend, "CPU", *words, "BLOB", model)
    blob = b"".join(image.blob() for image in images)
    _say(connection, "AI.TENSORSET", "pixels", "FLOAT", len(images), PIXELS, "BLOB", blob)
    outputs = ("OUTPUTS", 2, "digit", "probabilities")
    _say(connection, "AI.MODELEXECUTE", "digits", "INPUTS", 1, "pixels", *outputs)
    reply = _say(connection, "AI.TENSORGET", "digit", "BLOB")
    if not isinstance(reply, bytes):
        raise ServerError(f"not a tensor of {len(images)} digits: {reply!r}")
    return list(struct.unpack(f"<{len(images)}q", reply))


def _time_requests(connection: Connection, images: list[Image]) -> float:
    """Sets one image, runs the model and gets the digit; gives the median time in µs."""
    times = []
    for number in range(TIMED_REQUESTS):
        blob = images[number % len(images)].blob()
        start = time.perf_counter()
        connection.execute("AI.TENSORSET", "pixels", "FLOAT", 1, PIXELS, "BLOB", blob)
        outputs = ("OUTPUTS", 2, "digit", "probabilities")
        connection.execute("AI.MODELEXECUTE", "digits", "INPUTS", 1, "pixels", *outputs)
        connection.execute("AI.TENSORGET", "digit", "VALUES")
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def _say(connection: Connection, *words: str | int | bytes) -> object:
    """Runs a command and shows it, with its time."""
    shown = " ".join(f"<{len(w)} bytes>" if isinstance(w, bytes) else str(w) for w in words)
    start = time.perf_counter()
    reply = connection.execute(*words)
    print(f"{(time.perf_counter() - start) * 1e3:8.2f} ms  {shown}")
    return reply


def _show(images: list[Image], predicted: list[int]) -> None:
    """Prints a few images side by side: one of each of the first digits, and a mistake."""
    pairs = list(zip(images, predicted, strict=True))
    right = {image.digit: (image, digit) for image, digit in pairs if image.digit == digit}
    wrong = [pair for pair in pairs if pair[0].digit != pair[1]][:1]
    shown = [right[digit] for digit in sorted(right)][: SHOWN - len(wrong)] + wrong
    width = 2 * SIDE
    print()
    for row in range(SIDE):
        # Each pixel twice: a character is about twice as high as it is wide.
        lines = ["".join(2 * shade for shade in image.lines()[row]) for image, _ in shown]
        print("  ".join(lines).rstrip())
    for title, values in (
        ("predicted", [digit for _, digit in shown]),
        ("written", [image.digit for image, _ in shown]),
    ):
        print("  ".join(f"{title} {value}".ljust(width) for value in values).rstrip())
    print()
