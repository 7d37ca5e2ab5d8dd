//! DAGs over the fake backends.

use super::*;
use crate::Config;
use crate::tests::{PATIENCE, Rig, tensor};
use std::sync::mpsc::{Receiver, channel};

fn op(model: &Arc<Model>, inputs: &[usize], outputs: &[usize]) -> DagOp {
    DagOp {
        model: Arc::clone(model),
        inputs: inputs.iter().copied().collect(),
        outputs: outputs.iter().copied().collect(),
    }
}

fn run(rig: &Rig, slots: Slots, ops: Vec<DagOp>) -> (DagHandle, Receiver<DagOutcome>) {
    let (send, receive) = channel();
    let request = DagRequest {
        slots,
        ops,
        timeout: None,
    };
    let done = Box::new(move |outcome| send.send(outcome).unwrap());
    (rig.engine.submit_dag(request, done), receive)
}

#[test]
fn a_chain_hands_its_tensor_on() {
    let rig = Rig::with(Config {
        threads_per_queue: 2,
        ..Config::default()
    });
    let model = rig.model("echo");
    let input = tensor(&[2, 3]);
    let slots = vec![Some(Arc::clone(&input)), None, None];
    let ops = vec![op(&model, &[0], &[1]), op(&model, &[1], &[2])];
    let (_handle, ended) = run(&rig, slots, ops);
    let DagOutcome::Done(result) = ended.recv_timeout(PATIENCE).unwrap() else {
        panic!("it ended early");
    };
    assert_eq!(result.ops, [OpEnd::Done, OpEnd::Done]);
    assert!(Arc::ptr_eq(result.slots[2].as_ref().unwrap(), &input));
}
