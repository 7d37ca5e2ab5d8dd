//! The DAG commands and the scripts in them, over any argv.
//!
//! Input: a byte that chooses the command, then the arguments, separated by line feeds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use redisai_command::*;
use redisai_core::{Buffer, DType, Shape, Tensor};
use std::sync::Arc;

/// Little enough that no input can ask for much memory.
const CAP: u64 = 1 << 20;

/// Keys by their first letter: `t` a tensor, `m` a model of one input and one output, `n` a model of which
/// nothing is known, `s` a script; all others are of another type.
struct Keys<'a> {
    argv: &'a [&'a [u8]],
    asked: Vec<(usize, Access)>,
}

impl Keys<'_> {
    fn first(&mut self, at: usize) -> Option<u8> {
        self.asked.push((at, Access::Read));
        self.argv[at].first().copied()
    }
}

impl DagKeys for Keys<'_> {
    fn tensor(&mut self, at: usize) -> Result<Arc<Tensor>, Error> {
        let shape = Shape::new(&[1]).unwrap();
        match self.first(at) {
            Some(b't') => Ok(Arc::new(Tensor::zeros(DType::Int8, shape).unwrap())),
            _ => Err(Error::WrongType),
        }
    }

    fn model(&mut self, at: usize) -> Result<Option<(usize, usize)>, Error> {
        match self.first(at) {
            Some(b'm') => Ok(Some((1, 1))),
            Some(b'n') => Ok(None),
            _ => Err(Error::WrongType),
        }
    }

    fn script(&mut self, at: usize) -> Result<(), Error> {
        match self.first(at) {
            Some(b's') => Ok(()),
            _ => Err(Error::WrongType),
        }
    }

    fn hold(&mut self, at: usize) -> Box<dyn Buffer> {
        Box::new(self.argv[at].to_vec())
    }
}

/// Each slot is written once, before it is read.
fn wired(dag: &Dag) {
    let mut there: Vec<bool> = dag.slots.iter().map(Option::is_some).collect();
    for op in &dag.ops {
        let (inputs, outputs) = match op {
            DagOp::TensorSet => (&[] as &[usize], 0..0),
            DagOp::TensorGet { slot, .. } => (std::slice::from_ref(slot), 0..0),
            DagOp::ModelRun { inputs, outputs } => (&inputs[..], outputs.clone()),
            DagOp::ScriptRun(script) => (&script.inputs[..], script.outputs.clone()),
        };
        assert!(inputs.iter().all(|&slot| there[slot]));
        for slot in outputs {
            assert!(!std::mem::replace(&mut there[slot], true));
        }
    }
    assert!(there.iter().all(|there| *there));
    assert!(dag.timeout_ms != Some(0) && !dag.ops.is_empty());
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, rest)) = data.split_first() else {
        return;
    };
    let (name, kind) = match flags & 3 {
        0 => ("AI.DAGEXECUTE", DagKind::Execute),
        1 => ("AI.DAGEXECUTE_RO", DagKind::ExecuteRo),
        2 => ("AI.DAGRUN", DagKind::Run),
        _ => ("AI.DAGRUN_RO", DagKind::RunRo),
    };
    let tail = rest.split(|&byte| byte == b'\n');
    let argv: Vec<&[u8]> = [name.as_bytes()].into_iter().chain(tail).collect();
    let mut found = Vec::new();
    keys(command(argv[0]).unwrap(), &argv, |key, access| {
        assert!(key < argv.len());
        found.push((key, access));
    });
    let mut keyspace = Keys {
        argv: &argv,
        asked: Vec::new(),
    };
    match Dag::parse(&argv, kind, &Limits::client(CAP), &mut keyspace) {
        Err(error) => {
            let text = error.wire();
            assert!(!text.is_empty() && text.len() < 2000);
            assert!(!text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        }
        Ok(dag) => {
            wired(&dag);
            for persist in &dag.persist {
                assert!(matches!(kind, DagKind::Execute | DagKind::Run));
                keyspace.asked.push((persist.key, Access::Overwrite));
            }
            let named = keyspace.asked.iter().all(|key| found.contains(key));
            assert!(named, "a key that getkeys does not name");
        }
    }
});
