//! `fork` and `wait` of TorchScript: done on the run's own thread, so that its deadline, its context and
//! the number of threads hold.
//!
//! One test, since it counts the threads of the process.

mod common;

use common::{archive, call, floats, load, request, run, script, value};
use redisai_core::{Backend, LoadedModel, Status};
use std::sync::Arc;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

const SCRIPT: &str = "
def triple(x):
    return x * 3
def both(x, y):
    a = torch.jit.fork(triple, x)
    b = torch.jit.fork(triple, y)
    return torch.jit.wait(a) + torch.jit.wait(b)
def within(x):
    a = torch.jit.fork(both, x, x)
    return torch.jit.wait(a)
def write(x):
    x.add_(1)
    return x
def writes(x):
    a = torch.jit.fork(write, x)
    return torch.jit.wait(a)
def writes_and_does_not_wait(x):
    a = torch.jit.fork(write, x)
    return x * 1
def wrong(x, n: int):
    return x // torch.tensor([1, 2, 3]) + 1 // n
def fails(x):
    a = torch.jit.fork(wrong, x, 0)
    return torch.jit.wait(a)
def turns(x):
    i = 0
    while True:
        i += 1
    return x
def endless(x):
    a = torch.jit.fork(turns, x)
    return torch.jit.wait(a)
";

/// As torch's serializer writes a fork; the second forks in another method.
const MODEL: &str = "def twice(self: __torch__.M, x: Tensor) -> Tensor:
  return torch.mul(x, 2)
def forward(self: __torch__.M, x: Tensor) -> Tensor:
  a = fork(self.twice, x, )
  b = fork(self.twice, torch.add(x, 1), )
  return torch.add(torch.wait(a), torch.wait(b))";

#[test]
fn what_is_forked_runs_on_the_runs_own_thread() {
    let script = script(SCRIPT, &[]).unwrap();
    let model = load(archive::of(MODEL)).unwrap();
    let (one, two) = (floats(&[1], &[1.0]), floats(&[1], &[2.0]));
    let give = |name: &str, inputs: &[_]| call(script.as_ref(), name, inputs, 1);
    let before = threads();
    let both = [Arc::clone(&one), Arc::clone(&two)];
    assert_eq!(value(&give("both", &both).unwrap()), [9.0]);
    assert_eq!(value(&give("within", &both[..1]).unwrap()), [6.0]);
    assert_eq!(
        value(&run(model.as_ref(), &both[..1]).unwrap()),
        [2.0 + 4.0]
    );
    // A key's value never changes.
    assert_eq!(value(&give("writes", &both[..1]).unwrap()), [2.0]);
    assert_eq!(common::values(&one), [1.0]);
    give("writes_and_does_not_wait", &both[..1]).unwrap();
    assert_eq!(common::values(&one), [1.0]);
    let error = give("fails", &both[..1]).unwrap_err();
    assert_eq!(error.status, Status::RunFailed, "{error}");
    assert!(!error.text.contains("frame #"), "{error}");
    stops(script.as_ref(), &both[..1]);
    assert_eq!(threads(), before, "torch started threads");
    assert_eq!(value(&give("both", &both).unwrap()), [9.0]);
}

/// The stop of a run stops what it has forked.
fn stops(script: &dyn LoadedModel, inputs: &[Arc<redisai_core::Tensor>]) {
    let mut run = request(inputs, 1);
    run.function = b"endless";
    std::thread::scope(|scope| {
        let running = scope.spawn(|| script.run(&run));
        while !running.is_finished() {
            common::backend().cancel(run.id);
            std::thread::yield_now();
        }
        let error = running.join().unwrap().unwrap_err();
        assert_eq!(error.status, Status::Cancelled, "{error}");
    });
}
