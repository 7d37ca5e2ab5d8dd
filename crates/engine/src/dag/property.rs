//! Any DAG, against a plain interpreter that runs the operations one after the other.

use super::progress::{Progress, Step, Wires, no_tensor};
use super::tests::op;
use super::*;
use crate::Config;
use crate::tests::{PATIENCE, Rig, def, script, tensor};
use proptest::prelude::*;
use redisai_core::{BackendKind, Status};
use std::sync::mpsc::channel;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    /// Mixes the first dims of its inputs: see the `mix` of the fake backends.
    Mix,
    Fail,
    /// Gives no tensor.
    Nothing,
}

#[derive(Clone, Debug)]
struct Plan {
    does: Does,
    device: usize,
    /// It is a script.
    ordered: bool,
    inputs: Vec<usize>,
    outputs: usize,
}

const FILLED: usize = 3;

fn plans(most: usize) -> impl Strategy<Value = Vec<Plan>> {
    let does = prop_oneof![
        20 => Just(Does::Mix),
        1 => Just(Does::Fail),
        1 => Just(Does::Nothing),
    ];
    let plan = (
        does,
        0..2_usize,
        proptest::bool::weighted(0.3),
        proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        1..3_usize,
    );
    proptest::collection::vec(plan, 0..most).prop_map(|drawn| {
        let mut slots = FILLED;
        let plan =
            |(does, device, ordered, inputs, outputs): (_, _, _, Vec<prop::sample::Index>, _)| {
                let outputs = if does == Does::Mix { outputs } else { 1 };
                // One that gives nothing reads nothing.
                let inputs = inputs.iter().filter(|_| does != Does::Nothing);
                let inputs = inputs.map(|index| index.index(slots)).collect();
                slots += outputs;
                Plan {
                    does,
                    device,
                    ordered,
                    inputs,
                    outputs,
                }
            };
        drawn.into_iter().map(plan).collect()
    })
}

fn mixed(inputs: &[i64], output: i64) -> i64 {
    1 + (inputs.iter().sum::<i64>() + output) % 97
}

/// A tensor is its first dim here.
fn filled() -> Vec<Option<i64>> {
    (0..FILLED as i64).map(|at| Some(10 + at)).collect()
}

/// The plain interpreter: slots, and `Ok` or the error of each operation that was run.
fn interpret(plans: &[Plan]) -> (Vec<Option<i64>>, Vec<Result<(), String>>) {
    let mut slots = filled();
    let mut ends = Vec::new();
    for plan in plans {
        let stopped = ends.last().is_some_and(Result::is_err);
        let inputs: Option<Vec<_>> = plan.inputs.iter().map(|&slot| slots[slot]).collect();
        let made = match (plan.does, inputs) {
            _ if stopped => Err(None),
            (_, None) => Err(Some(no_tensor().text.into_owned())),
            (Does::Mix, Some(inputs)) => Ok((0..plan.outputs as i64)
                .map(|output| Some(mixed(&inputs, output)))
                .collect()),
            (Does::Nothing, _) => Ok(vec![None]),
            (Does::Fail, _) => Err(Some("it failed".to_owned())),
        };
        match made {
            Ok(made) => {
                slots.extend(made);
                ends.push(Ok(()));
            }
            Err(error) => {
                slots.extend(vec![None; plan.outputs]);
                ends.extend(error.map(Err));
            }
        }
    }
    (slots, ends)
}

/// What the DAG says, in the interpreter's terms.
fn ends(ops: &[OpEnd]) -> Vec<Result<(), String>> {
    let run = ops.iter().filter_map(|end| match end {
        OpEnd::Done => Some(Ok(())),
        OpEnd::Failed(error) => Some(Err(error.text.to_string())),
        OpEnd::NotRun => None,
    });
    run.collect()
}

fn wiring(plans: &[Plan]) -> Vec<Wires> {
    let mut next = FILLED;
    let wire = |plan: &Plan| {
        let outputs = (next..next + plan.outputs).collect();
        next += plan.outputs;
        Wires {
            inputs: plan.inputs.iter().copied().collect(),
            outputs,
            ordered: plan.ordered,
        }
    };
    plans.iter().map(wire).collect()
}

/// Runs `progress` with ends in the order that `draw` says; gives the order of the starts.
fn drive(plans: &[Plan], draw: &mut dyn FnMut(usize) -> usize) -> (DagResultOf, usize) {
    let wiring = wiring(plans);
    let mut slots = filled();
    slots.resize(
        FILLED + plans.iter().map(|plan| plan.outputs).sum::<usize>(),
        None,
    );
    let (mut progress, first) = Progress::<i64, usize>::new(slots, wiring.into_iter());
    let mut running: Vec<(usize, Vec<i64>)> = Vec::new();
    let mut overs = 0;
    let mut last_ordered = None;
    let mut follow = |step: Step<usize>,
                      running: &mut Vec<(usize, Vec<i64>)>,
                      progress: &mut Progress<i64, usize>| {
        overs += usize::from(step.over);
        running.retain(|(position, _)| !step.dropped.contains(position));
        for position in step.ready {
            let mut read = Vec::new();
            let job = progress.start(position, |inputs, _| {
                read = inputs.to_vec();
                position
            });
            assert_eq!(job, Some(position));
            assert_eq!(progress.start(position, |_, _| 0), None, "started twice");
            if plans[position].ordered {
                assert!(last_ordered < Some(position), "not in order");
                let others = running.iter().filter(|(other, _)| plans[*other].ordered);
                assert_eq!(others.count(), 0, "two at a time");
                last_ordered = Some(position);
            }
            running.push((position, read));
        }
        overs
    };
    let mut over = follow(first, &mut running, &mut progress);
    while over == 0 {
        let at = draw(running.len());
        let (position, inputs) = running.swap_remove(at);
        assert!(progress.counts(position));
        let plan = &plans[position];
        let result = match plan.does {
            Does::Mix => Ok((0..plan.outputs as i64)
                .map(|output| Some(mixed(&inputs, output)))
                .collect()),
            Does::Nothing => Ok(vec![None]),
            Does::Fail => Err(BackendError::new(Status::RunFailed, "it failed")),
        };
        let step = progress.end(position, result);
        over = follow(step, &mut running, &mut progress);
    }
    let (slots, ops, _) = progress.result();
    assert!(running.is_empty(), "it ended although something counted");
    ((slots, ends(&ops), ops.len()), over)
}

type DagResultOf = (Vec<Option<i64>>, Vec<Result<(), String>>, usize);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// In whatever order the runs end.
    #[test]
    fn any_order_ends_as_the_plain_one(
        plans in plans(14),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let mut at = 0;
        let mut draw = |count: usize| {
            at += 1;
            order[at % order.len()].index(count)
        };
        let ((slots, ends, count), overs) = drive(&plans, &mut draw);
        prop_assert_eq!(count, plans.len());
        prop_assert_eq!((slots, ends), interpret(&plans));
        prop_assert_eq!(overs, 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// With real threads: two devices, several workers, models that may run once at a time.
    #[test]
    fn real_workers_end_as_the_plain_one(
        plans in plans(24),
        workers in 1..4_usize,
        most_runs in 0..2_u32,
    ) {
        let rig = Rig::with(Config { threads_per_queue: workers, ..Config::default() });
        rig.backends.set_most_runs(most_runs);
        let ops = plans.iter().zip(wiring(&plans)).map(|(plan, Wires { inputs, outputs, .. })| {
            let verb = match plan.does {
                Does::Mix => "mix",
                Does::Fail => "fail",
                Does::Nothing => "echo",
            };
            let blob = format!("{verb} {} {}", inputs.len(), outputs.len());
            let device = ["CPU", "CPU:1"][plan.device];
            let model = if plan.ordered {
                rig.engine.model(script(&blob, device))
            } else {
                rig.engine.model(def(BackendKind::Onnx, &blob, device))
            };
            op(&model, &inputs, &outputs)
        });
        let mut slots: Slots = filled().iter().map(|dim| Some(tensor(&[dim.unwrap()]))).collect();
        slots.resize(FILLED + plans.iter().map(|plan| plan.outputs).sum::<usize>(), None);
        let (send, receive) = channel();
        let request = DagRequest { slots, ops: ops.collect(), timeout: None };
        let _handle = rig.engine.submit_dag(request, Box::new(move |outcome| send.send(outcome).unwrap()));
        let DagOutcome::Done(result) = receive.recv_timeout(PATIENCE).unwrap() else {
            panic!("it ended early");
        };
        let dim = |tensor: &Option<Arc<Tensor>>| tensor.as_ref().map(|tensor| tensor.shape().dims()[0]);
        let slots: Vec<_> = result.slots.iter().map(dim).collect();
        prop_assert_eq!(result.ops.len(), plans.len());
        prop_assert_eq!((slots, ends(&result.ops)), interpret(&plans));
    }
}
