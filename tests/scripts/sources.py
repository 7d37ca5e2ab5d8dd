"""Sources of scripts: each is compiled, and run, by torch in Python and by the server.

Function `f` of two tensors, or of `tensors, keys, args` where it has those names.
"""

from __future__ import annotations

# What torch in Python takes.
RIGHT = {
    "arithmetic": """
def f(x, y):
    return x * 2 + y / 3 - x ** 2
""",
    "integers": """
def f(x, y):
    n = 7
    return torch.tensor([n // 2, n % 3, -n // 2, n << 2, n >> 1, n & 3, n | 8, n ^ 1])
""",
    "floats": """
def f(x, y):
    a = 7.5
    b = [float(3), float(int(a)), abs(-a), round(a), 1e-3, float("inf")]
    return torch.tensor([a // 2, a % 2] + b)
""",
    "comparisons": """
def f(x, y):
    ok = 1 < 2 and not 2 < 1 or False
    return (x < y) & torch.tensor([ok]), x == y, x != y
""",
    "if": """
def f(x, y):
    if x.sum() > y.sum():
        z = x
    elif x.numel() == 2:
        z = y
    else:
        z = x + y
    return z
""",
    "early return": """
def f(x, y):
    for i in range(10):
        if i == 3:
            return x + i
    return y
""",
    "while, break, continue": """
def f(x, y):
    i = 0
    total = 0
    while True:
        i += 1
        if i % 2 == 0:
            continue
        if i > 10:
            break
        total += i
    return x + total
""",
    "for over a list": """
def f(x, y):
    z = x
    for t in [x, y, x]:
        z = z * 2 + t
    return z
""",
    "for over a tensor": """
def f(x, y):
    z = torch.zeros([1])
    for row in torch.stack([x, y]):
        z = z + row.sum()
    return z
""",
    "range, enumerate, zip": """
def f(x, y):
    total = 0
    for i, j in zip(range(3), range(5, 0, -1)):
        total += i * j
    for i, v in enumerate([3, 4, 5]):
        total += i * v
    return torch.tensor([total])
""",
    "for with else of a list comprehension": """
def f(x, y):
    squares = [i * i for i in range(5)]
    odd = [str(s) for s in squares]
    return torch.tensor(squares), torch.tensor([len("".join(odd))])
""",
    "dict comprehension": """
def f(x, y):
    d = {i: float(i) / 2 for i in [1, 2, 3]}
    return torch.tensor([d[1], d[2], d[3]])
""",
    "list methods": """
def f(x, y):
    a = [3, 1, 2]
    a.append(5)
    a.extend([7, 7])
    a.insert(0, 9)
    a.remove(1)
    b = a.pop()
    a.sort()
    a.reverse()
    return torch.tensor(a + [b, a.index(2), a.count(7), len(a), max(a), min(a), sum(a)])
""",
    "list slices": """
def f(x, y):
    a = [0, 1, 2, 3, 4, 5]
    a[0] = 10
    return torch.tensor(a[1:3] + a[-2:] + a[::2] + a[:1])
""",
    "list of lists": """
def f(x, y):
    a: List[List[int]] = []
    for i in range(3):
        a.append([i, i * 2])
    return torch.tensor(a)
""",
    "sorted": """
def f(x, y):
    a = sorted([3, 1, 2])
    b = sorted(["b", "a"])
    return torch.tensor(a + [len(b[0])])
""",
    "dict": """
def f(x, y):
    d: Dict[str, Tensor] = {}
    d["a"] = x
    d["b"] = y
    z = torch.zeros_like(x)
    for k, v in d.items():
        if k in d:
            z = z + v * len(k)
    d.pop("a")
    return z, torch.tensor([len(d), len(d.keys()), len(d.values())])
""",
    "dict methods": """
def f(x, y):
    d = {"a": 1, "b": 2}
    d.update({"c": 3})
    del d["a"]
    e = d.copy()
    e.clear()
    n = d.get("none")
    if n is None:
        n = 100
    return torch.tensor([n, d.get("b", 7), d.get("z", 7), d.setdefault("q", 9), len(d), len(e)])
""",
    "tuple": """
def f(x, y):
    p = (1, "a", x)
    n, s, t = p
    return t * n + len(s) + p[0]
""",
    "tuple in a list": """
def f(x, y):
    pairs: List[Tuple[int, str]] = [(1, "a"), (2, "bb")]
    total = 0
    for n, s in pairs:
        total += n * len(s)
    return torch.tensor([total])
""",
    "nested tuple": """
def f(x, y):
    (a, b), c = (x, y), 3
    return a + b * c
""",
    "Optional": """
def g(x: Optional[Tensor], n: Optional[int] = None):
    if x is None:
        return torch.tensor([-1.0])
    if n is not None:
        return x + n
    return x

def f(x, y):
    return g(None), g(x), g(x, 4)
""",
    "Union and isinstance": """
def g(v: Union[int, str]) -> int:
    if isinstance(v, int):
        return v
    else:
        return len(v)

def f(x, y):
    return torch.tensor([g(3), g("four")])
""",
    "Any": """
def g(v: Any) -> int:
    if isinstance(v, int):
        return v
    elif isinstance(v, str):
        return len(v)
    return -1

def f(x, y):
    return torch.tensor([g(3), g("four"), g(x)])
""",
    "functions with defaults and keywords": """
def g(x, scale: float = 2.0, shift: int = 1):
    return x * scale + shift

def f(x, y):
    return g(x), g(x, shift=5), g(x, 3.0, 2)
""",
    "type comments": """
def g(n, s):
    # type: (int, str) -> int
    return n + len(s)

def f(x, y):
    return torch.tensor([g(2, "abc")])
""",
    "many results": """
def f(x, y):
    return x, y, x + y
""",
    "a list of results": """
def f(x, y) -> List[Tensor]:
    return [x, y, x + y]
""",
    "strings": """
def f(x, y):
    s = "Hello, World"
    n = [len(s), s.find("World"), s.count("l"), ord(s[0]), len(s.upper()), int("42")]
    n += [len(p) for p in s.split(", ")]
    n += [len(s[1:4]), int(s.startswith("Hell")), int(s.endswith("x"))]
    n += [len(s.replace("l", "")), len(s.strip("Hd")), len("-".join(["a", "b"]))]
    n += [int("lo" in s), int(s == "x"), int(s.lower() == "hello, world"), int("12".isdigit())]
    return torch.tensor(n)
""",
    "format": """
def f(x, y):
    a = "{} and {}".format(1, "two")
    c = "%s-%d" % ("x", 3)
    return torch.tensor([len(a), len(c), int(a == "1 and two"), int(c == "x-3")])
""",
    "chr and hex": """
def f(x, y):
    return torch.tensor([len(chr(65)), len(hex(255)), len(bin(5)), len(oct(8)), len(str(1.5))])
""",
    "math": """
def f(x, y):
    return torch.tensor([math.sqrt(2.0), math.sin(1.0), math.log(3.0), math.pow(2.0, 3.0),
                         float(math.floor(2.5)), float(math.ceil(2.5)), math.pi, math.e, math.inf,
                         float(math.gcd(12, 18)), math.fabs(-2.0), math.atan2(1.0, 2.0)])
""",
    "assert": """
def f(x, y):
    assert x.numel() == y.numel(), "sizes"
    assert True
    return x
""",
    "pass and docstring": """
def f(x, y):
    '''What it does.'''
    # And a comment.
    if x.numel() == 2:
        pass
    return y
""",
    "augmented assignment": """
def f(x, y):
    z = x.clone()
    z += y
    z *= 2
    z -= 1
    z /= 3
    z[0] = 7
    z[1:] += 1
    return z
""",
    "indexing tensors": """
def f(x, y):
    z = torch.stack([x, y, x + y])
    return z[0], z[1, 0], z[:, 1], z[-1], z[..., 0], z[None, 0], z[z > 2], z[[0, 2]], z[::2]
""",
    "chained methods": """
def f(x, y):
    return x.unsqueeze(0).expand(3, 2).t().contiguous().view(-1).sum(dim=0, keepdim=True)
""",
    "matrix product": """
def f(x, y):
    a = torch.outer(x, y)
    return a @ a, torch.einsum("ij,j->i", a, x), torch.matmul(a, y)
""",
    "dtypes": """
def f(x, y):
    a = x.to(torch.int64)
    b = torch.zeros([2], dtype=torch.float64)
    c = x.to(dtype=torch.uint8)
    d = torch.ones(2, dtype=torch.bool)
    return a + 1, b, c, d, x.double(), x.half(), x.int(), torch.tensor([1, 2], dtype=torch.int16)
""",
    "properties": """
def f(x, y):
    n = [x.dim(), x.size(0), x.shape[0], len(x), x.ndim, int(x.is_floating_point())]
    n += [int(x.dtype == torch.float32), int(x.device == torch.device("cpu"))]
    return torch.tensor(n), torch.tensor(list(x.size()))
""",
    "items": """
def f(x, y):
    a = float(x[0]) + x[1].item()
    n = int(y[0]) + bool(y[1])
    return torch.tensor([float(a), float(n)])
""",
    "torch.linalg, fft and special": """
def f(x, y):
    return torch.linalg.norm(x), torch.special.expit(x), torch.fft.fft(x).real
""",
    "cat, stack, split, chunk": """
def f(x, y):
    z = torch.cat([x, y])
    a, b = torch.chunk(z, 2)
    parts = torch.split(z, 3)
    return a, b, parts[0], parts[1], torch.stack((x, y), dim=1)
""",
    "reductions": """
def f(x, y):
    z = torch.stack([x, y])
    values, indices = torch.max(z, dim=1)
    top, at = torch.topk(z, 1)
    return values, indices, z.mean(), z.std(), z.argmin(), torch.sort(z, descending=True)[0], top
""",
    "softmax and layers": """
def f(x, y):
    z = torch.stack([x, y])
    a = torch.relu(z - 2)
    b = torch.softmax(z, dim=-1)
    c = torch.sigmoid(z)
    d = torch.layer_norm(z, [2])
    return a, b, c, d, torch.conv1d(z.unsqueeze(0), torch.ones(1, 2, 2)), torch.tanh(z)
""",
    "in-place": """
def f(x, y):
    z = x.clone()
    z.add_(y).mul_(2)
    z.clamp_(0, 5)
    torch.relu_(z)
    return z
""",
    "where and masks": """
def f(x, y):
    return torch.where(x > 1, x, y), x.masked_fill(x > 1, 0.0), torch.clamp(x, min=1.5)
""",
    "jit.annotate": """
def f(x, y):
    a = torch.jit.annotate(List[Tensor], [])
    a.append(x)
    return torch.stack(a)
""",
    "ternary": """
def f(x, y):
    n = 3 if x.numel() > 1 else 4
    return x + n
""",
    "complex": """
def f(x, y):
    z = torch.complex(x, y)
    return z.abs(), z.real, torch.angle(z)
""",
    "fork and wait": """
def g(x):
    return x * 3

def f(x, y):
    a = torch.jit.fork(g, x)
    b = torch.jit.fork(g, y)
    return torch.jit.wait(a) + torch.jit.wait(b)
""",
    "is_scripting": """
def f(x, y):
    if torch.jit.is_scripting():
        return x
    return y
""",
    "raise in a branch that is not taken": """
def f(x, y):
    if x.numel() == 77:
        raise ValueError("seventy-seven")
    if x.numel() == 78:
        raise Exception("a", 3)
    if x.numel() == 79:
        raise RuntimeError
    return x
""",
    "keys and arguments": """
def f(tensors: List[Tensor], keys: List[str], args: List[str]):
    n = [len(keys), len(args), len(tensors)]
    for a in args:
        n.append(len(a))
    return torch.tensor(n), tensors[0] * float(args[0])
""",
    "no_grad": """
def f(x, y):
    with torch.no_grad():
        z = x + y
    return z
""",
    "numbers of a list": """
def f(x, y):
    z = torch.tensor([[1.5, 2.0], [3.0, 4.0]])
    return z + torch.full([2, 2], 3.0) + torch.arange(4).view(2, 2)
""",
    "any and all": """
def f(x, y):
    return torch.tensor([int(all([True, False])), int(any([True, False]))])
""",
    "divmod": """
def f(x, y):
    a, b = divmod(17, 5)
    return torch.tensor([a, b])
""",
    "unicode": """
def f(x, y):
    s = "äöü"
    return x + 0 * len(s)
""",
    "memory formats": """
def f(x, y):
    z = torch.ones(1, 2, 3, 3).contiguous(memory_format=torch.channels_last)
    return z, x + int(z.is_contiguous(memory_format=torch.channels_last))
""",
    "types of torch": """
def g(a: torch.Tensor, b: Optional[torch.Tensor] = None) -> torch.Tensor:
    return a if b is None else a + b

def f(x, y):
    z: List[torch.Tensor] = [g(x), g(x, y)]
    if torch.jit.isinstance(z, List[torch.Tensor]):
        return torch.cat(z)
    return x
""",
    "constants": """
def f(x, y):
    return x * torch.pi + torch.e, torch.full([1], torch.inf), y * math.tau
""",
    "an exception's text": """
def f(x, y):
    raise ValueError("it is " + str(x.numel()))
    return x
""",
    "division by zero": """
def f(x, y):
    n = x.numel() - y.numel()
    return x + 1 // n
""",
    "index out of range": """
def f(x, y):
    a = [1, 2]
    return x + a[x.numel()]
""",
    "a key that is not there": """
def f(x, y):
    d = {"a": 1}
    return x + d["b"]
""",
    "sizes that do not fit": """
def f(x, y):
    return torch.mm(x, y)
""",
    "an assertion that fails": """
def f(x, y):
    assert x.numel() == 3, "three"
    return x
""",
    "unwrapping None": """
def g(flag: bool) -> Optional[Tensor]:
    if flag:
        return torch.ones(1)
    return None

def f(x, y):
    z = g(False)
    assert z is not None
    return z
""",
    "a tensor where a number is due": """
def f(x, y) -> int:
    return x
""",
    "random with a seed": """
def f(x, y):
    torch.manual_seed(5)
    return torch.rand(3), torch.randn(2), torch.randint(0, 10, [4])
""",
}

# What it refuses.
WRONG = {
    "recursion": """
def f(x, y):
    return f(x, y)
""",
    "recursion of two": """
def f(x, y):
    return g(x, y)

def g(x, y):
    return f(x, y)
""",
    "an unknown name": """
def f(x, y):
    return z
""",
    "an unknown operator": """
def f(x, y):
    return torch.no_such_operator(x)
""",
    "an unknown method": """
def f(x, y):
    return x.no_such_method()
""",
    "wrong argument": """
def f(x, y):
    return torch.reshape(x, "two")
""",
    "results of two types": """
def f(x, y):
    if x.numel() == 2:
        return x
    return 3
""",
    "a variable of two types": """
def f(x, y):
    z = x
    if x.numel() == 2:
        z = 3
    return z
""",
    "set in one branch only": """
def f(x, y):
    if x.numel() == 2:
        z = x
    return z
""",
    "try": """
def f(x, y):
    try:
        return x
    except Exception:
        return y
""",
    "lambda": """
def f(x, y):
    g = lambda a: a
    return g(x)
""",
    "class": """
class C:
    pass

def f(x, y):
    return x
""",
    "import": """
import os

def f(x, y):
    return x
""",
    "import within": """
def f(x, y):
    import os
    return x
""",
    "global": """
def f(x, y):
    global z
    z = 3
    return x
""",
    "a function within": """
def f(x, y):
    def g(a):
        return a
    return g(x)
""",
    "yield": """
def f(x, y):
    yield x
""",
    "a variable number of arguments": """
def f(*x):
    return x[0]
""",
    "append of another type": """
def f(x, y):
    a = [1]
    a.append("a")
    return x
""",
    "an unknown type": """
def f(x: Number, y):
    return x
""",
    "a missing bracket": """
def f(x, y):
    return (x
""",
    "a missing colon": """
def f(x, y)
    return x
""",
    "no indentation": """
def f(x, y):
return x
""",
    "a string without end": """
def f(x, y):
    return "x
""",
    "none where a tensor is due": """
def f(x, y):
    z: Tensor = None
    return z
""",
    "Optional without a check": """
def f(x, y):
    z: Optional[Tensor] = x
    return z + y
""",
    "break outside of a loop": """
def f(x, y):
    break
    return x
""",
    "too many arguments": """
def g(a):
    return a

def f(x, y):
    return g(x, y)
""",
    "an unknown keyword": """
def g(a):
    return a

def f(x, y):
    return g(b=x)
""",
    "with of something else": """
def f(x, y):
    with x:
        return x
""",
    "set literal": """
def f(x, y):
    s = {1, 2}
    return x
""",
    "a keyword as a name": """
def f(x, y):
    for = 3
    return x
""",
    "loop over a number": """
def f(x, y):
    for i in 3:
        x = x + i
    return x
""",
}
