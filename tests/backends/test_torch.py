"""TorchScript models on real servers: what torch computes in Python, the server computes."""

import io
import warnings

import numpy as np
import pytest
import redis
from backends.torch_values import get, put, say

with warnings.catch_warnings():
    # TorchScript is deprecated, which is no news here.
    warnings.simplefilter("ignore")
    import torch

CONTRACT_CUDA = "GPU requested but Torch couldn't find CUDA"


def saved(module: torch.nn.Module, *example: torch.Tensor) -> bytes:
    """The archive of a module: traced with an example, else compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.trace(module, example) if example else torch.jit.script(module)
        buffer = io.BytesIO()
        torch.jit.save(made, buffer)
    return buffer.getvalue()


def run(client: redis.Redis, model: str, inputs: list[str], outputs: list[str]) -> object:
    words = ["INPUTS", len(inputs), *inputs, "OUTPUTS", len(outputs), *outputs]
    return say(client, "AI.MODELEXECUTE", model, *words)


@pytest.fixture
def client(server):
    client = server.client()
    client.flushall()
    return client


class Block(torch.nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(channels)
        self.two = torch.nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = torch.nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(x + self.two(self.relu(self.norm(self.one(x)))))


def resnet() -> torch.nn.Module:
    head = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 10)]
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), Block(8), Block(8), *head).eval()


def mlp() -> torch.nn.Module:
    layers = [torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)]
    return torch.nn.Sequential(*layers).eval()


@pytest.mark.parametrize(("make", "shape"), [(mlp, (5, 8)), (resnet, (2, 3, 16, 16))])
@pytest.mark.parametrize("traced", [True, False])
def test_the_server_computes_what_torch_computes(client, make, shape, traced):
    torch.manual_seed(3)
    model, x = make(), torch.randn(shape)
    blob = saved(model, *([x] if traced else []))
    assert say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", blob) == b"OK"
    put(client, "x", x.numpy())
    assert run(client, "m", ["x"], ["y"]) == b"OK"
    with torch.inference_mode():
        expected = model(x).numpy()
    np.testing.assert_allclose(get(client, "y"), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(get(client, "x"), x.numpy())


def test_a_batch_is_cut_into_its_rows(client, server):
    torch.manual_seed(4)
    model = mlp()
    blob = saved(model, torch.randn(1, 8))
    options = ["BATCHSIZE", 4, "MINBATCHSIZE", 4, "MINBATCHTIMEOUT", 60_000]
    say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", *options, "BLOB", blob)
    rows = [torch.randn(1, 8) for _ in range(4)]
    clients = []
    for number, row in enumerate(rows):
        put(client, f"x{number}", row.numpy())
        connection = server.client().connection_pool.get_connection()
        words = ["INPUTS", 1, f"x{number}", "OUTPUTS", 1, f"y{number}"]
        connection.send_command("AI.MODELEXECUTE", "m", *words)
        clients.append(connection)
    assert [connection.read_response() for connection in clients] == [b"OK"] * 4
    for number, row in enumerate(rows):
        expected = model(row).detach().numpy()
        np.testing.assert_allclose(get(client, f"y{number}"), expected, rtol=1e-4, atol=1e-6)


class Several(torch.nn.Module):
    """A list of inputs, a tuple of outputs."""

    def forward(
        self, first: torch.Tensor, rest: list[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        total = torch.zeros_like(first)
        for one in rest:
            total = total + one
        return first, total


def test_a_list_takes_what_is_left_of_inputs(client):
    say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", saved(Several()))
    for number in range(4):
        put(client, f"x{number}", np.full((2,), number))
    keys = [f"x{number}" for number in range(4)]
    assert run(client, "m", keys, ["a", "b"]) == b"OK"
    assert get(client, "a").tolist() == [0, 0]
    assert get(client, "b").tolist() == [6, 6]
    with pytest.raises(redis.ResponseError, match="does not match model definition"):
        run(client, "m", keys, ["a"])


class Endless(torch.nn.Module):
    """A loop in which no kernel runs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        i = 0
        while i >= 0:
            i += 1
            i -= 1
        return x


def test_a_run_ends_at_its_deadline_and_the_server_goes_on(client):
    say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", saved(Endless()))
    put(client, "x", np.zeros(1))
    words = ["AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y", "TIMEOUT", 100]
    for _ in range(3):
        assert say(client, *words) == b"TIMEDOUT"
    say(client, "AI.MODELSTORE", "n", "TORCH", "CPU", "BLOB", saved(mlp()))
    put(client, "x", np.zeros((1, 8)))
    assert run(client, "n", ["x"], ["y"]) == b"OK"


class Expands(torch.nn.Module):
    """Memory as asked for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.repeat(100_000_000)


def test_the_memory_limit_is_an_error_reply(make_server):
    server = make_server(module_args=["BACKEND_MEMORY_LIMIT", 100])
    client = server.client()
    say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", saved(Expands()))
    put(client, "x", np.zeros(1))
    with pytest.raises(redis.ResponseError, match="Torch memory limit exceeded"):
        run(client, "m", ["x"], ["y"])
    info = client.info("ai")
    assert 0 <= info["ai_torch_memory"] < 1 << 20


def test_what_is_no_model_is_told_in_one_line(client):
    state = io.BytesIO()
    torch.save(mlp().state_dict(), state)
    cases = {
        state.getvalue(): "checkpoint of torch.save",
        b"\x80\x02}.": "pickle",
        b"version https://git-lfs.github.com/spec/v1": "git lfs pull",
    }
    for blob, part in cases.items():
        with pytest.raises(redis.ResponseError, match=part):
            say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", blob)
    assert client.keys() == []


def test_a_gpu_that_is_not_there_has_the_contracts_text(client):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(redis.ResponseError) as caught:
        say(client, "AI.MODELSTORE", "m", "TORCH", "GPU:0", "BLOB", saved(mlp()))
    assert str(caught.value) == CONTRACT_CUDA


def test_a_model_comes_back_after_a_restart(make_server):
    torch.manual_seed(5)
    model, x = mlp(), torch.randn(3, 8)
    server = make_server()
    client = server.client()
    say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", saved(model))
    put(client, "x", x.numpy())
    client.execute_command("DEBUG", "RELOAD")
    assert run(client, "m", ["x"], ["y"]) == b"OK"
    expected = model(x).detach().numpy()
    np.testing.assert_allclose(get(client, "y"), expected, rtol=1e-4, atol=1e-6)


def test_without_its_shim_the_log_names_the_command(make_server, tmp_path):
    server = make_server(env={"XDG_CACHE_HOME": str(tmp_path)})
    with pytest.raises(redis.ResponseError, match="Could not load backend"):
        say(server.client(), "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", saved(mlp()))
    server.wait_for_log("redisai-rs backend build torch")
