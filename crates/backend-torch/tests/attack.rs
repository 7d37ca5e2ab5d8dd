//! Archives and sources made to break something. A crash ends this process, and so fails the test.

mod common;

use common::{archive, floats, load, request, script};
use redisai_core::{LoadedModel, Status};
use std::sync::Arc;

/// The backend, with a memory limit: some of this asks for all the memory that there is.
fn limited() {
    common::backend_with(common::logging_host(), &[("memory_limit", "1000000000")]);
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below.max(1)
    }
}

/// Runs every function on small tensors. Whatever comes back is fine, as long as something does.
fn try_all(session: &Arc<dyn LoadedModel>) {
    for function in &session.signature().functions {
        let count = function.inputs.len();
        let inputs = vec![floats(&[2], &[1.0, 2.0]); count];
        let mut run = request(&inputs, function.outputs.len());
        run.function = &function.name;
        let _ = session.run(&run);
    }
}

const METHODS: &str = "def forward(self: __torch__.M, x: Tensor) -> Tensor:
  y = torch.mul(x, 2)
  i = 0
  n = torch.len(torch.size(x))
  while torch.lt(i, n):
    y = torch.add(y, x, alpha=1)
    i = torch.add(i, 1)
  z = [y, torch.relu(y)]
  if torch.gt(torch.len(z), 1):
    w = torch.cat(z, 0)
  else:
    w = y
  return w";

#[test]
fn a_thousand_mutations_of_an_archive() {
    limited();
    let whole = archive::of(METHODS);
    try_all(&load(whole.clone()).unwrap());
    let mut numbers = Numbers(1);
    let mut loaded = 0;
    for _ in 0..1_000 {
        let mut bytes = whole.clone();
        for _ in 0..=numbers.next(3) {
            let place = numbers.next(bytes.len());
            bytes[place] = numbers.next(256) as u8;
        }
        if let Ok(session) = load(bytes) {
            loaded += 1;
            try_all(&session);
        }
    }
    assert!(loaded > 0, "some mutations do no harm");
}

#[test]
fn every_truncation_is_refused() {
    limited();
    let whole = archive::of(METHODS);
    for length in (0..whole.len()).step_by(3) {
        assert!(load(whole[..length].to_vec()).is_err(), "{length}");
    }
}

/// Words of the source change places, go or come twice.
#[test]
fn five_hundred_mutated_sources() {
    limited();
    let source = "
def f(a, rest: List[Tensor]):
    total: Dict[str, Tensor] = {\"a\": a}
    for i, t in enumerate(rest):
        if i % 2 == 0 and t.numel() > 1:
            total[\"b\"] = t + a * 2.5
        else:
            total[\"c\"] = torch.cat([t, a], 0)
    x = [len(k) for k in total.keys()]
    if len(x) > 3:
        raise Exception(\"many\" + str(x))
    return (total[\"a\"], [v for v in total.values()])
";
    let words: Vec<&str> = source
        .split_inclusive([' ', '(', ')', '[', ']', ',', '\n'])
        .collect();
    let mut numbers = Numbers(2);
    let mut compiled = 0;
    for _ in 0..500 {
        let mut words = words.clone();
        for _ in 0..=numbers.next(2) {
            let (one, other) = (numbers.next(words.len()), numbers.next(words.len()));
            match numbers.next(3) {
                0 => words.swap(one, other),
                1 => drop(words.remove(one)),
                _ => words.insert(one, words[other]),
            }
        }
        if let Ok(session) = script(&words.concat(), &[]) {
            compiled += 1;
            try_all(&session);
        }
    }
    assert!(compiled > 0, "some mutations do no harm");
}

/// A pickle may name any class and call anything; torch's reader knows only its own.
#[test]
fn pickles_that_name_other_classes_are_refused() {
    limited();
    let code = "class M(Module):\n  __parameters__ = []\n  __buffers__ = []\n  \
                def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    return x\n";
    let pickles: [&[u8]; 6] = [
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
        b"\x80\x02c__torch__\nNone\n)\x81}b.",
        b"\x80\x02c__torch__.torch.classes.x\nY\n)\x81}b.",
        b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
        b"\x80\x02c__torch__\nM\n)\x81",
        b"\x80\x02h\x00.",
    ];
    for pickle in pickles {
        let blob = archive::zip(&[
            ("m/data.pkl", pickle),
            ("m/code/__torch__.py", code.as_bytes()),
            ("m/constants.pkl", b"\x80\x02)."),
            ("m/version", b"3\n"),
        ]);
        let error = load(blob).err().expect("refused");
        assert_eq!(error.status, Status::BadModel, "{error}");
    }
}

/// Strings and lists grow on the C++ heap: bounded here by the deadline that stops the run.
#[test]
fn what_is_wrong_inside_a_script_is_an_error() {
    limited();
    let session = script(
        "
def by_zero(a):
    return a + 1 // (a.numel() - a.numel())
def index(a):
    x: List[int] = []
    return a + x[3]
def key(a):
    x: Dict[str, int] = {}
    return a + x[\"none\"]
def shape(a):
    return torch.mm(a, a)
def huge(a):
    return a.repeat([1000000000000])
def negative(a):
    return torch.zeros([-1])
def cast(a):
    return torch.tensor([int(\"x\")])
",
        &[],
    )
    .unwrap();
    let inputs = [floats(&[2], &[1.0, 2.0])];
    for function in &session.signature().functions {
        let mut run = request(&inputs, 1);
        run.function = &function.name;
        let error = session.run(&run).unwrap_err();
        let shown = String::from_utf8_lossy(&function.name);
        assert!(
            !error.text.is_empty() && !error.text.contains("frame #"),
            "{shown}: {error}"
        );
    }
}

/// The processor ends a process over it, and torch alone does not look.
#[test]
fn an_integer_remainder_by_zero_in_a_model_is_an_error() {
    limited();
    let none = "torch.sub(torch.numel(x), torch.numel(x))";
    for divisor in ["0", none] {
        let session = load(archive::of(&format!(
            "def forward(self: __torch__.M, x: Tensor) -> Tensor:\n  \
             return torch.add(x, torch.remainder(1, {divisor}))"
        )))
        .unwrap();
        let inputs = [floats(&[1], &[1.0])];
        let error = session.run(&request(&inputs, 1)).unwrap_err();
        assert_eq!(error.status, Status::RunFailed, "{error}");
        assert!(error.text.contains("ZeroDivisionError"), "{error}");
    }
}

/// A list within a list within a list: torch releases them one in the other.
#[test]
fn values_that_are_nested_a_million_deep_are_released() {
    limited();
    let session = script(
        "
def f(a):
    x: List[Any] = []
    for i in range(1000000):
        y: List[Any] = []
        y.append(x)
        x = y
    return a
",
        &[],
    )
    .unwrap();
    let inputs = [floats(&[1], &[1.0])];
    let mut run = request(&inputs, 1);
    run.function = b"f";
    session.run(&run).unwrap();
}
