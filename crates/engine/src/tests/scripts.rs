//! Scripts: models with named functions, built and run on the same way.

use super::*;
use crate::{Call, DagOp, DagOutcome, DagRequest, ModelState, OpEnd};
use redisai_core::Status;

fn call(function: &str, keys: &[&str], args: &[&str]) -> Arc<Call> {
    let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
    Arc::new(Call {
        function: function.as_bytes().into(),
        keys: words(keys),
        args: words(args),
        context: 7,
    })
}

fn submit(rig: &Rig, request: Request) -> Pending {
    let (completion, ended) = watcher();
    let handle = rig.engine.submit(request, completion).unwrap();
    Pending { handle, ended }
}

#[test]
fn function_keys_and_arguments_reach_the_backend() {
    let rig = Rig::new();
    let model = rig.engine.model(script("say", "CPU"));
    let said = r#"f of ["k", "l"] ["a"]"#;
    let asked = || Request {
        call: Some(call("f", &["k", "l"], &["a"])),
        ..request(&model)
    };
    assert_eq!(submit(&rig, asked()).error(), said);
    assert_eq!(rig.engine.run_here(asked()).unwrap_err().text, said);
    // In a DAG of one operation, and of two.
    for count in [1, 2] {
        let op = || DagOp {
            model: Arc::clone(&model),
            call: Some(call("f", &["k", "l"], &["a"])),
            inputs: [0].into_iter().collect(),
            outputs: [1].into_iter().collect(),
        };
        let request = DagRequest {
            slots: vec![Some(tensor(&[2])), None],
            ops: (0..count).map(|_| op()).collect(),
            timeout: None,
        };
        let (send, receive) = channel();
        let _handle = rig.engine.submit_dag(
            request,
            Box::new(move |outcome| send.send(outcome).unwrap()),
        );
        let DagOutcome::Done(result) = receive.recv_timeout(PATIENCE).unwrap() else {
            panic!("it ended early");
        };
        let OpEnd::Failed(error) = &result.ops[0] else {
            panic!("it did not fail");
        };
        assert_eq!(error.text, said);
    }
    assert_eq!(
        (model.stats().view().calls, model.stats().view().errors),
        (4, 4)
    );
}

#[test]
fn numbers_of_tensors_are_for_the_backend_to_judge() {
    let rig = Rig::new();
    // The fake says one input and one output.
    let model = rig.engine.model(script("echo", "CPU"));
    rig.engine.build_here(&model).unwrap();
    assert_eq!((model.arity(), model.names()), (None, (&[][..], &[][..])));
    let many = Request {
        inputs: [tensor(&[3]), tensor(&[3])].into_iter().collect(),
        outputs: 3,
        ..request(&model)
    };
    assert_eq!(submit(&rig, many).result().unwrap().len(), 3);
}

#[test]
fn a_script_never_runs_on_the_doors_thread() {
    let rig = Rig::with(Config {
        inline_runs: true,
        ..Config::default()
    });
    let script = rig.engine.model(script("echo", "CPU"));
    let model = rig.model("echo");
    for one in [&script, &model] {
        for _ in 0..400 {
            rig.submit(one, None).result().unwrap();
        }
    }
    assert!(rig.engine.run_inline(request(&script)).is_err());
    // Which a model with the same runs does.
    assert!(rig.engine.run_inline(request(&model)).is_ok());
}

#[test]
fn without_torch_it_is_kept_and_built_when_torch_comes() {
    let rig = Rig::new();
    rig.backends.set_missing(BackendKind::Torch, true);
    let model = rig.engine.model(script("echo", "CPU"));
    assert!(rig.engine.build_here(&model).is_err());
    assert!(matches!(model.state(), ModelState::Failed(error) if error.status != Status::BadModel));
    assert!(rig.submit(&model, None).result().is_err());
    assert_eq!(model.def().blob().bytes(), b"echo");
    rig.backends.set_missing(BackendKind::Torch, false);
    rig.engine.load_backend(BackendKind::Torch, None).unwrap();
    rig.backends.wait_loads(1);
    let (send, receive) = channel();
    rig.engine
        .when_built(&model, Box::new(move |built| send.send(built).unwrap()));
    receive.recv_timeout(PATIENCE).unwrap().unwrap();
    rig.submit(&model, None).result().unwrap();
}

#[test]
fn scripts_of_a_dag_run_one_after_the_other() {
    let rig = Rig::with(Config {
        threads_per_queue: 3,
        ..Config::default()
    });
    let hold = |name: &str| rig.engine.model(script(&format!("hold 1 1 {name}"), "CPU"));
    let (first, second) = (hold("first"), hold("second"));
    let free = rig.model("hold 1 1 free");
    for model in [&first, &second, &free] {
        rig.engine.build_here(model).unwrap();
    }
    let op = |model: &Arc<Model>, output: usize| DagOp {
        model: Arc::clone(model),
        call: None,
        inputs: [0].into_iter().collect(),
        outputs: [output].into_iter().collect(),
    };
    let request = DagRequest {
        slots: vec![Some(tensor(&[2])), None, None, None],
        ops: vec![op(&first, 1), op(&second, 2), op(&free, 3)],
        timeout: None,
    };
    let (send, receive) = channel();
    let _handle = rig.engine.submit_dag(
        request,
        Box::new(move |outcome| send.send(outcome).unwrap()),
    );
    // The model needs nobody; the second script could start, but for the first.
    let mut names: Vec<_> = rig
        .backends
        .wait_started(2)
        .into_iter()
        .map(|run| run.1)
        .collect();
    names.sort();
    assert_eq!(names, ["hold 1 1 first", "hold 1 1 free"]);
    rig.backends.release(2);
    assert_eq!(rig.backends.wait_started(3)[2].1, "hold 1 1 second");
    rig.backends.release(1);
    let DagOutcome::Done(result) = receive.recv_timeout(PATIENCE).unwrap() else {
        panic!("it ended early");
    };
    assert!(result.ops.iter().all(|end| *end == OpEnd::Done));
}
