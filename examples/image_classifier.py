"""Trains a small convolutional network with PyTorch, then classifies images with it in the engine.

    pip install 'redisai-rs[torch]' scikit-learn
    redisai-rs backend build torch
    python image_classifier.py

The images are scikit-learn's digits: 8 by 8 pixels of real handwriting.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
import redisai_rs as rai
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

BRIGHTEST = 16


def main() -> None:
    """Trains, loads the program into an engine, and counts what it gets right."""
    pixels, digits = load_digits(return_X_y=True)
    images = (pixels / BRIGHTEST).astype(np.float32).reshape(-1, 1, 8, 8)
    learnt, unseen, learnt_digits, unseen_digits = train_test_split(
        images, digits, test_size=0.25, random_state=1, stratify=digits
    )
    network = train(learnt, learnt_digits)

    with rai.Engine() as engine:
        model = engine.load(torchscript(network, learnt[:2]))
        scores = model.run(unseen)
    found = scores.argmax(axis=1)
    print(f"images: {len(unseen)}, each {unseen.shape[1:]}, {unseen.dtype}")
    print(f"right: {np.mean(found == unseen_digits):.0%}")
    print(f"the first ten: {' '.join(map(str, found[:10]))}")

    with torch.inference_mode():
        expected = network(torch.from_numpy(unseen)).numpy()
    print(f"as PyTorch itself: {np.allclose(scores, expected, atol=1e-4)}")


def train(images: np.ndarray, digits: np.ndarray) -> nn.Module:
    """Gives a network that was trained on these images."""
    torch.manual_seed(1)
    torch.set_num_threads(1)  # more are slower for images as small as these
    network = nn.Sequential(
        nn.Conv2d(1, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    inputs, wanted = torch.from_numpy(images), torch.from_numpy(digits)
    for _ in range(6):
        for rows in torch.randperm(len(inputs)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs[rows]), wanted[rows]).backward()
            optimizer.step()
    return network.eval()


def torchscript(network: nn.Module, example: np.ndarray) -> bytes:
    """Gives the network as a program that runs without Python."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        # PyTorch would rather see torch.export, whose packages are machine code.
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.trace(network, torch.from_numpy(example)), file)
    return file.getvalue()


if __name__ == "__main__":
    main()
