//! Scripts: entry points, other functions, types, names, errors, bounds.

mod common;

use common::{call, floats, request, script, value, values};
use redisai_core::{Backend, BackendError, LoadedModel, Status, Tensor};
use std::sync::Arc;

fn refused(source: &str, entry_points: &[&str]) -> BackendError {
    script(source, entry_points).err().expect("refused")
}

fn compiled(source: &str) -> Arc<dyn LoadedModel> {
    script(source, &[]).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_entry_point_gets_tensors_keys_and_arguments_whole() {
    let source = "
def lengths(tensors: List[Tensor], keys: List[str], args: List[str]):
    total = torch.zeros([1])
    for t in tensors:
        total = total + t.sum()
    return [total, torch.tensor([len(keys[0]), len(keys[1])]), torch.tensor([ord(args[0][1])])]
";
    let script = script(source, &["lengths"]).unwrap();
    let inputs = [floats(&[2], &[1.0, 2.0]), floats(&[1], &[4.0])];
    let keys = [b"a\0b".to_vec(), Vec::new()];
    let args = [b"x\0".to_vec()];
    let mut run = request(&inputs, 3);
    run.function = b"lengths";
    run.keys = &keys;
    run.args = &args;
    let outputs = script.run(&run).unwrap();
    assert_eq!(values(outputs[0].as_ref().unwrap()), [7.0]);
    let whole: Vec<u8> = [3_i64, 0].iter().flat_map(|it| it.to_ne_bytes()).collect();
    assert_eq!(outputs[1].as_ref().unwrap().bytes(), whole);
    assert_eq!(outputs[2].as_ref().unwrap().bytes(), 0_i64.to_ne_bytes());
}

#[test]
fn entry_points_are_checked_at_the_store() {
    let source = "
def f(a, b):
    return a
def g(tensors: List[Tensor], keys: List[str], args: List[int]):
    return tensors[0]
";
    for (name, text) in [
        ("x", "Function x does not exist in the given script."),
        (
            "f",
            "Wrong number of inputs in function f. Expected 3 but was 2",
        ),
        (
            "g",
            "Wrong inputs type in function g. Expected signature similar to: \
             def g(tensors: List[Tensor], keys: List[str], args: List[str])",
        ),
    ] {
        let error = refused(source, &[name]);
        assert_eq!((&*error.text, error.status), (text, Status::BadModel));
    }
}

#[test]
fn an_archive_is_told_where_it_belongs() {
    let error = refused("PK\x03\x04", &["f"]);
    assert_eq!(error.status, Status::BadModel);
    assert!(
        error.text.contains("store it with AI.MODELSTORE"),
        "{error}"
    );
}

#[test]
fn other_functions_run_as_they_can() {
    let script = compiled(
        "
def add(a, b):
    return a + b
def total(first, rest: List[Tensor]):
    for t in rest:
        first = first + t
    return first
def typed(a, n: int):
    return a
def nothing(a):
    a = a + 1
",
    );
    let one = floats(&[1], &[1.0]);
    let ones = |count| vec![Arc::clone(&one); count];
    let run = |name: &str, given: usize| call(script.as_ref(), name, &ones(given), 1);
    assert_eq!(value(&run("add", 2).unwrap()), [2.0]);
    assert_eq!(
        value(&run("add", 4).unwrap()),
        [2.0],
        "extra tensors are ignored"
    );
    assert_eq!(value(&run("total", 4).unwrap()), [4.0]);
    assert_eq!(value(&run("total", 1).unwrap()), [1.0]);
    for (name, given, text) in [
        ("add", 1, "Wrong number of inputs provided to function: add"),
        (
            "total",
            0,
            "Wrong number of inputs provided to function: total",
        ),
        (
            "typed",
            2,
            "Unsupported input type in function definition: typed",
        ),
        ("none", 1, "Function does not exist: none"),
    ] {
        assert_eq!(run(name, given).unwrap_err().text, text);
    }
    assert!(
        call(script.as_ref(), "nothing", &ones(1), 0)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_a_function_gives_becomes_outputs() {
    let script = compiled(
        "
def tuple(a):
    return a, a + 1
def list(a):
    return [a, a + 1]
def dict(a):
    return {\"z\": a, \"b\": a + 1}
def nested(a):
    return (a, [a + 1])
def number(a):
    return 3
",
    );
    let inputs = [floats(&[1], &[1.0])];
    for name in ["tuple", "list", "dict", "nested"] {
        let outputs = call(script.as_ref(), name, &inputs, 2).unwrap();
        let found: Vec<_> = outputs
            .iter()
            .map(|it| values(it.as_ref().unwrap()))
            .collect();
        assert_eq!(found, [[1.0], [2.0]], "{name}");
        let error = call(script.as_ref(), name, &inputs, 3).unwrap_err();
        assert_eq!(
            error.text,
            format!("Function returned unexpected number of outputs - {name}")
        );
    }
    let error = call(script.as_ref(), "number", &inputs, 1).unwrap_err();
    assert_eq!(error.text, "Function returned non-tensor valuesnumber");
}

/// Torch's optimizer does not come back from those that are refused, in any process.
#[test]
fn what_holds_itself_is_no_output() {
    let source = "
def f(a):
    l = torch.jit.annotate(List[Any], [])
    maybe: Optional[List[Any]] = l
    assert maybe is not None
    l.append(BODY)
    return l
";
    for body in ["l", "(1, [l])", "maybe"] {
        let error = refused(&source.replace("BODY", body), &[]);
        assert!(error.text.contains("cannot be put into itself"), "{error}");
    }
    // What is in it may be put into it.
    let script = compiled(
        "
def f(a):
    l = [a]
    l.extend(l)
    l += l
    d = {1: a}
    d.update(d)
    return l
",
    );
    assert_eq!(
        call(script.as_ref(), "f", &[floats(&[1], &[2.0])], 4).map(|all| all.len()),
        Ok(4)
    );
    let script = compiled(
        "
def f(a):
    l = torch.jit.annotate(List[Any], [])
    m = torch.jit.annotate(List[Any], [])
    for i in range(int(a.sum())):
        l.append(m)
        m.append(l)
    return l
",
    );
    for _ in 0..3 {
        let error = call(script.as_ref(), "f", &[floats(&[1], &[1.0])], 1).unwrap_err();
        assert!(error.text.contains("nested too deeply"), "{error}");
    }
}

#[test]
fn errors_are_torchs_own_without_native_frames() {
    let script = compiled(
        "
def wrong(a):
    return torch.reshape(a, [5])
def raised(a):
    if a.numel() > 0:
        raise Exception(\"too many\", 3)
    return a
def index(a):
    x = [1, 2]
    return torch.tensor([x[7]])
",
    );
    let inputs = [floats(&[2], &[1.0, 2.0])];
    for (name, part) in [
        ("wrong", "shape '[5]' is invalid"),
        ("raised", "too many"),
        ("index", "out of range"),
    ] {
        let error = call(script.as_ref(), name, &inputs, 1).unwrap_err();
        assert_eq!(error.status, Status::RunFailed, "{error}");
        assert!(error.text.contains(part), "{error}");
        assert!(
            !error.text.contains("frame #") && !error.text.contains("0x"),
            "{error}"
        );
    }
    let error = refused("def f(a):\n    return b\n", &[]);
    assert!(error.text.contains("undefined value b"), "{error}");
    assert_eq!(error.status, Status::BadModel);
}

#[test]
fn names_of_the_server_are_known_in_any_case() {
    compiled(
        "
def f(tensors: List[Tensor], keys: List[str], args: List[str]):
    a = redis.execute(\"PING\")
    b = REDIS.execute(\"SET\", keys[0], args[0])
    c = Redis.execute(\"MGET\", keys)
    d = redis.asList(c)
    good, e = redis.pcall(\"GET\", [keys[0]])
    return redisAI.model_execute(\"m\", tensors, 1) + RedisAI.model_execute(\"m\", tensors, 1)
",
    );
}

/// There is no server here: the error is an error of the script, and `pcall` gives it.
#[test]
fn without_a_server_commands_fail() {
    let script = compiled(
        "
def execute(a):
    x = redis.execute(\"PING\")
    return a
def pcall(a):
    good, text = redis.pcall(\"PING\")
    if good or not isinstance(text, str):
        return a
    return torch.tensor([1.0])
def model(a):
    return redisAI.model_execute(\"m\", [a], 1)
",
    );
    let inputs = [floats(&[1], &[0.0])];
    let error = call(script.as_ref(), "execute", &inputs, 1).unwrap_err();
    assert!(
        error
            .text
            .contains("Redis command returned an error: ERR there is no server"),
        "{error}"
    );
    assert_eq!(
        value(&call(script.as_ref(), "pcall", &inputs, 1).unwrap()),
        [1.0]
    );
    let error = call(script.as_ref(), "model", &inputs, 1).unwrap_err();
    assert!(error.text.contains("there is no server"), "{error}");
}

#[test]
fn files_of_the_server_are_out_of_reach() {
    for source in [
        "def f(a):\n    torch.save(a, \"/tmp/x\")\n    return a\n",
        "def f(a):\n    return torch.from_file(\"/etc/passwd\", False, 10)\n",
    ] {
        let error = refused(source, &[]);
        assert!(error.text.contains("are not allowed"), "{error}");
        assert_eq!(error.status, Status::BadModel);
    }
}

/// Each of these ends a process that compiles it on a usual stack, or follows a null pointer.
#[test]
fn what_torchs_compiler_cannot_take_is_refused() {
    let nested = format!(
        "def f(a):\n    return {}a{}\n",
        "(".repeat(10_000),
        ")".repeat(10_000)
    );
    let minus = format!("def f(a):\n    return {}a\n", "-".repeat(50_000));
    let terms = format!("def f(a):\n    return a{}\n", " + 1".repeat(10_000));
    for source in [minus, terms] {
        let error = refused(&source, &[]);
        assert!(error.text.contains("nested too deeply"), "{error}");
    }
    // Parentheses are no part of the tree: this one is right, however it looks.
    let script = compiled(&nested);
    let inputs = [floats(&[1], &[2.0])];
    assert_eq!(
        value(&call(script.as_ref(), "f", &inputs, 1).unwrap()),
        [2.0]
    );
    for line in [
        "x: Any = [1]",
        "x: Any = []",
        "x: Optional[Any] = [1]",
        "x: Any = a if False else [2]",
        "x = torch.jit.annotate(Any, [1])",
    ] {
        let error = refused(&format!("def f(a):\n    {line}\n    return a\n"), &[]);
        assert!(error.text.contains("annotated as Any"), "{error}");
    }
    let error = refused("def f(a) -> Any:\n    return [1]\n", &[]);
    assert!(error.text.contains("annotated as Any"), "{error}");
    // What torch takes is taken.
    for line in [
        "x: Any = {\"a\": [1]}",
        "x: List[Any] = [[1]]",
        "x: Any = ([1], 2)",
    ] {
        compiled(&format!("def f(a):\n    {line}\n    return a\n"));
    }
    let many = format!(
        "def f(a):\n{}    return a\n",
        "    a = a + 1\n".repeat(200_000)
    );
    assert!(refused(&many, &[]).text.contains("too large"));
    let recursive = "def f(a):\n    return g(a)\ndef g(a):\n    return f(a)\n";
    assert!(refused(recursive, &[]).text.contains("recurs"));
}

#[test]
fn what_is_printed_goes_to_the_log_and_only_so_much() {
    let script = compiled(
        "
def f(a):
    print(\"seen\", 7)
    for i in range(100):
        print(\"again\")
    return a
",
    );
    call(script.as_ref(), "f", &[floats(&[1], &[0.0])], 1).unwrap();
    assert_eq!(common::logged("seen 7").len(), 1);
    let loud = common::logged("again")
        .iter()
        .filter(|line| line.0 >= 2)
        .count();
    assert!(loud > 0 && loud < 25, "{loud} lines");
}

#[test]
fn a_script_stops_when_it_is_told() {
    let script = compiled("def f(a):\n    i = 0\n    while True:\n        i += 1\n    return a\n");
    let inputs = [floats(&[1], &[0.0])];
    let mut run = request(&inputs, 1);
    run.function = b"f";
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

/// Loops without a kernel, in the function itself and in one that it calls.
#[test]
fn loops_stop_wherever_they_are() {
    let script = compiled(
        "
def turns(n: int):
    i = n
    while True:
        i += 1
    return i
def called(a):
    print(\"inside called\")
    return a + turns(3)
def twice(a):
    print(\"inside twice\")
    return called(a)
def nested(a):
    print(\"inside nested\")
    n = 0
    for i in range(3):
        while n >= 0:
            n = abs(n)
    return a + n
def kernels(a):
    print(\"inside kernels\")
    while bool((a == a).all()):
        a = a * 1
    return a
def text(a):
    print(\"inside text\")
    x = \"\"
    while len(x) < 10:
        x = str(len(x))
    return a + len(x)
",
    );
    let inputs = [floats(&[1], &[0.0])];
    for function in ["called", "twice", "nested", "kernels", "text"] {
        for time in 1..=3 {
            stops(script.as_ref(), function, time, &inputs);
        }
    }
}

/// Begins a run that never ends, and stops it when it is on its way.
fn stops(script: &dyn LoadedModel, function: &str, time: usize, inputs: &[Arc<Tensor>]) {
    let mut run = request(inputs, 1);
    run.function = function.as_bytes();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| script.run(&run));
        let printed = format!("inside {function}");
        while common::logged(&printed).len() < time {
            std::thread::yield_now();
        }
        while !running.is_finished() {
            common::backend().cancel(run.id);
            std::thread::yield_now();
        }
        let error = running.join().unwrap().unwrap_err();
        assert_eq!(error.status, Status::Cancelled, "{function}: {error}");
    });
}
