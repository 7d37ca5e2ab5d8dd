"""Models that keep tensors from one run to the next."""

import warnings

import numpy as np
import pytest
from backends.test_torch import run, saved, torch
from backends.torch_values import get, put, say


class Last(torch.nn.Module):
    """Gives the input of the run before."""

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.zeros(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = self.last
        self.last = x
        return before


class Nested(torch.nn.Module):
    """The same, with the inputs in a list in a dict."""

    lists: dict[str, list[torch.Tensor]]

    def __init__(self) -> None:
        super().__init__()
        self.lists = {"all": [torch.zeros(4)]}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.lists["all"].append(x)
        return self.lists["all"][-2]


with warnings.catch_warnings():
    # TorchScript is deprecated, which is no news here.
    warnings.simplefilter("ignore")

    @torch.jit.interface
    class Layer(torch.nn.Module):
        """What torch cannot look into before it runs."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            pass


class Behind(torch.nn.Module):
    """The same behind an interface."""

    layer: Layer

    def __init__(self) -> None:
        super().__init__()
        self.layer = Last()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer.forward(x)


@pytest.mark.parametrize("module", [Last, Nested, Behind])
def test_an_input_that_a_model_keeps_is_its_own(server, module):
    """The key's memory is long gone at the next run."""
    client = server.client()
    client.flushall()
    assert say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", saved(module())) == b"OK"
    before = np.zeros(4, np.float32)
    for turn in range(5):
        x = np.arange(4, dtype=np.float32) + 10 * turn
        put(client, "x", x)
        assert run(client, "m", ["x"], ["y"]) == b"OK"
        np.testing.assert_array_equal(get(client, "y"), before)
        np.testing.assert_array_equal(get(client, "x"), x)
        client.delete("x")
        for place in range(100):
            client.set(f"other{place}", b"A" * 16)
        before = x
