//! The DAG commands: errors, forms, wiring, keys.

mod errors;
mod forms;
mod keys;
mod random;

use super::*;
use redisai_core::{DType, Shape};

/// A keyspace: `t…` are tensors, `m` is a model of 2 inputs and 1 output, `n` one whose numbers are not
/// known, `s` a script; `wrong` is of no type that anybody asks for.
struct Fake<'a> {
    argv: &'a [&'a [u8]],
    models: Vec<&'a [u8]>,
}

impl<'a> Fake<'a> {
    fn new(argv: &'a [&'a [u8]]) -> Self {
        let models = Vec::new();
        Self { argv, models }
    }
}

impl DagKeys for Fake<'_> {
    fn tensor(&mut self, at: usize) -> Result<Arc<Tensor>, Error> {
        match self.argv[at] {
            b"wrong" => Err(Error::WrongType),
            [b't', ..] => Ok(Arc::new(
                Tensor::zeros(DType::Int8, Shape::new(&[1]).unwrap()).unwrap(),
            )),
            _ => Err(Error::TensorKeyEmpty),
        }
    }

    fn model(&mut self, at: usize) -> Result<Option<(usize, usize)>, Error> {
        self.models.push(self.argv[at]);
        match self.argv[at] {
            b"m" => Ok(Some((2, 1))),
            b"n" => Ok(None),
            b"wrong" => Err(Error::WrongType),
            _ => Err(Error::ModelKeyEmpty),
        }
    }

    fn script(&mut self, at: usize) -> Result<(), Error> {
        match self.argv[at] {
            b"s" => Ok(()),
            b"wrong" => Err(Error::WrongType),
            _ => Err(Error::ScriptKeyEmpty),
        }
    }

    fn hold(&mut self, at: usize) -> Box<dyn Buffer> {
        Box::new(self.argv[at].to_vec())
    }
}

fn kind_of(argv: &[&[u8]]) -> DagKind {
    match argv[0] {
        b"AI.DAGEXECUTE" => DagKind::Execute,
        b"AI.DAGEXECUTE_RO" => DagKind::ExecuteRo,
        b"AI.DAGRUN" => DagKind::Run,
        _ => DagKind::RunRo,
    }
}

fn parse(argv: &[&[u8]]) -> Result<Dag, Error> {
    let limits = Limits::client(1 << 20);
    Dag::parse(argv, kind_of(argv), &limits, &mut Fake::new(argv))
}
