//! A backend without a framework: it does what the model's text says. For tests only; it stands in
//! for a real one where `TEST_BACKENDS yes` lets it.
//!
//! A model is UTF-8 text. Its first line is the operation, each further line a declaration.
//!
//! | Operation | What a run does |
//! |---|---|
//! | `identity` | output i is input i, the same memory |
//! | `copy` | output i is a copy of input i in the host's memory |
//! | `foreign` | output i is a copy of input i in this library's own memory |
//! | `add` | every output is the element-wise sum of the inputs (integers wrap) |
//! | `tell` | output i is `INT64`, a row of three for each row of input 0: how many rows the run had, which run of the session it was (from 1), and the row's place in it (from 0) |
//! | `picky PATH` | fails if a byte of input 0 is 255; else, if one is 254, waits as `gate PATH`; then as `identity` |
//! | `sleep MS` | waits, then as `identity`; `cancel` ends the wait with `CANCELLED` |
//! | `gate PATH` | waits until somebody who opened the FIFO at PATH for writing writes to it or closes it, then as `identity`; `cancel` ends the wait likewise |
//! | `burn MS` | computes for so long if a byte of the first input is 255; then as `identity` |
//! | `fail TEXT` | fails with `RUN_FAILED` and that text |
//! | `gate-load PATH` | (at load) waits at that FIFO, where no `cancel` reaches it; a run is then as `identity` |
//! | `fail-load TEXT` | (at load) `BAD_MODEL` and that text |
//! | `panic TEXT`, `panic-load TEXT` | panics, in the run or at load |
//! | `crash`, `crash segv` | kills the process by abort, or by a write through a null pointer |
//! | `allocate BYTES` | every output is a zeroed `UINT8` tensor of that many bytes in the host's memory |
//! | `none` | every output is no tensor |
//! | `give N` | gives N empty outputs, however many were asked for |
//! | `aligned ALIGN TAIL` | as `identity`, but fails where an input has less alignment or readable tail |
//! | `words` | output 0 is a `STRING` tensor of the function's name, the keys and the arguments |
//! | `call WORD…` | runs that command, the run's arguments behind it, on the server; output 0 is a `STRING` scalar of the reply's bytes |
//! | `run-model KEY` | runs the model of that key, or of the run's first argument, with the inputs |
//!
//! A gate lets a test hold a run without a sleep: `mkfifo`, start the run, open the FIFO for writing
//! (which returns when the run has come to the gate), look at what was to be seen, close it.
//!
//! | Declaration | Meaning (default) |
//! |---|---|
//! | `inputs N`, `outputs N` | how many there are, without names (any number) |
//! | `input NAME [DTYPE [DIM…]]`, `output …` | one of them; a dim that is not fixed is `?` |
//! | `function NAME` | the function's name (empty) |
//! | `control-flow` | the model says that it has sub-graphs |
//!
//! A script is text too: each line is `def NAME OPERATION`, a function of that name which does that
//! operation on any number of tensors. `fail-load TEXT`, `panic-load TEXT` or `gate-load PATH` as its first
//! line does what it does in a model. The entry points that are asked for must be there.
//!
//! Where the process calls `exit` while a run or a build waits, it is aborted: the destructors of a framework
//! would destroy what its threads use.
//!
//! `init` takes the pairs `min_align`, `tail_bytes` and `max_concurrent_runs` for its capabilities,
//! `version` for its version, and fails with the text of `fail` or panics with that of `panic`. Each run and session is counted in
//! the figures.

mod add;
mod model;
mod parse;
mod waiting;

use model::MockModel;
use redisai_backend_abi::{Host, InitOptions};
use redisai_core::{
    Backend, BackendError, BackendInfo, Capabilities, DType, DeviceKind, LoadKind, LoadRequest,
    LoadedModel, Status,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use waiting::Waiting;

redisai_backend_abi::export_backend!("MOCK", init);

/// Makes the backend; natively with [`Host::system`].
pub fn init(host: Host, options: &InitOptions) -> Result<Arc<dyn Backend>, BackendError> {
    if let Some(text) = options.text("fail") {
        return Err(BackendError::new(Status::Unsupported, text.to_owned()));
    }
    if let Some(text) = options.text("panic") {
        panic!("{text}");
    }
    let number = |name| options.number(name).map_or(0, |value| value as u32);
    Ok(Arc::new(Mock {
        info: BackendInfo {
            name: "MOCK".to_owned(),
            version: options.text("version").unwrap_or("1.0").to_owned(),
            capabilities: Capabilities {
                batching: true,
                cancellation: true,
                functions: true,
                dynamic_shapes: true,
                max_concurrent_runs: number("max_concurrent_runs"),
                min_align: number("min_align"),
                tail_bytes: number("tail_bytes"),
                devices: vec!["CPU".to_owned(), "GPU:0".to_owned()],
                dtypes: DType::all().collect(),
                formats: vec!["mock".to_owned()],
            },
            ..BackendInfo::default()
        },
        shared: Arc::new(Shared {
            host,
            waiting: Waiting::default(),
            sessions: AtomicU64::new(0),
            runs: AtomicU64::new(0),
        }),
    }))
}

/// What the backend and its sessions share.
struct Shared {
    host: Host,
    waiting: Waiting,
    sessions: AtomicU64,
    runs: AtomicU64,
}

struct Mock {
    info: BackendInfo,
    shared: Arc<Shared>,
}

impl Backend for Mock {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn load(&self, request: &LoadRequest<'_>) -> Result<Arc<dyn LoadedModel>, BackendError> {
        // GPUs are pretended, so that tests have several devices.
        if request.device.kind() == DeviceKind::Unknown {
            let text = format!("ERR device {:?} is not known", request.device);
            return Err(BackendError::new(Status::Unsupported, text));
        }
        let text = std::str::from_utf8(request.blob.bytes())
            .map_err(|_| BackendError::new(Status::BadModel, "ERR the model is no UTF-8 text"))?;
        let definition = match request.kind {
            LoadKind::Model => parse::definition(text)?,
            LoadKind::Script => parse::script(text, &request.options)?,
        };
        Ok(Arc::new(MockModel::new(
            definition,
            Arc::clone(&self.shared),
        )?))
    }

    fn cancel(&self, run: u64) {
        self.shared.waiting.cancel(run);
    }

    fn figures(&self) -> Vec<(String, String)> {
        let figure = |name: &str, value: &AtomicU64| {
            (name.to_owned(), value.load(Ordering::Relaxed).to_string())
        };
        vec![
            figure("sessions", &self.shared.sessions),
            figure("runs", &self.shared.runs),
        ]
    }
}
