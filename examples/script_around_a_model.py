"""Puts TorchScript around an ONNX model: what goes in before it, and what is made of its answer.

    pip install 'redisai-rs[onnx,torch]'
    redisai-rs backend build torch
    python script_around_a_model.py

The model knows images of 8 by 8 pixels, bright on dark. The photographs are 16 by 16, dark on
bright, and the caller wants names and percentages. All of that runs in one request.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import redisai_rs as rai

SCRIPT = '''
def likeliest(tensors: List[Tensor], keys: List[str], args: List[str]):
    """The likeliest digits of photographs, and the probability of each."""
    photographs = tensors[0].to(torch.float32)
    bright_on_dark = 255.0 - photographs
    small = torch.avg_pool2d(bright_on_dark.unsqueeze(1), [2, 2])
    pixels = (small * (16.0 / 255.0)).flatten(1)
    probabilities = redisAI.model_execute(args[0], [pixels], 2)[1]
    top = torch.topk(probabilities, int(args[1]))
    return [top[1], top[0]]
'''


def main() -> None:
    """Names the model, compiles the script, and runs it on four photographs."""
    photographs, digits = taken(4)
    with rai.Engine() as engine:
        engine.load(str(files("redisai_rs") / "demo_data" / "digits.onnx"), name="digits")
        script = engine.script(SCRIPT, ["likeliest"])
        found = script.run("likeliest", photographs, args=["digits", "2"], outputs=2)
    print(f"photographs: {photographs.shape}, {photographs.dtype}")
    for digit, likeliest, probabilities in zip(digits, *found, strict=True):
        guesses = zip(likeliest, probabilities, strict=True)
        shown = ", ".join(f"{guess} ({sure:.1%})" for guess, sure in guesses)
        print(f"a {digit}: {shown}")


def taken(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives photographs of handwritten digits, and the digits."""
    data = (files("redisai_rs") / "demo_data" / "digits.bin").read_bytes()
    rows = np.frombuffer(data, np.uint8).reshape(-1, 65)[:count]
    images = rows[:, :64].reshape(-1, 8, 8).astype(np.float32)
    large = images.repeat(2, axis=1).repeat(2, axis=2)
    return (255 - large * (255 / 16)).round().astype(np.uint8), rows[:, 64]


if __name__ == "__main__":
    main()
