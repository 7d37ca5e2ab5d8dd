//! Backends that do what their models' blobs say.

use super::locked;
use super::model::FakeModel;
use crate::BackendSource;
use redisai_core::{
    Backend, BackendError, BackendInfo, BackendKind, Capabilities, Function, LoadRequest,
    LoadedModel, Signature, Status, ValueInfo,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Backends that do what the blob of their model says: `VERB [inputs [outputs [rows=n]]]`, counts 1 and
/// 1 unless given; `rows` is dimension 0 that the inputs declare.
///
/// | Verb | Load | Run |
/// |---|---|---|
/// | `echo` | | each output is the first input |
/// | `mix` | | output i has one dim: 1 + (sum of the inputs' first dims + i) mod 97 |
/// | `loops` | says that it has sub-graphs | as `echo` |
/// | `hold` | | waits for [`FakeBackends::release`]; a cancel ends it |
/// | `stuck` | | waits for [`FakeBackends::release`], whatever is cancelled |
/// | `say` | | fails with the function's name, the keys and the arguments |
/// | `fail` | | fails |
/// | `picky` | | fails if a byte of the first input is 255; else if one is 254 as `hold`, if one is 253 as `stuck` |
/// | `fold` | | outputs of one row, whatever comes in |
/// | `memory` | | says that there is not enough memory |
/// | `nothing` | | gives no tensor |
/// | `poison` | | says that it is poisoned |
/// | `panic` | | panics |
/// | `badload` | fails | |
/// | `panicload` | panics | |
/// | `holdload` | waits for [`FakeBackends::release`] | as `echo` |
#[derive(Default)]
pub struct FakeBackends {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    missing: BTreeSet<BackendKind>,
    opened: BTreeMap<BackendKind, usize>,
    most_runs: u32,
    no_batching: bool,
    loads: Vec<String>,
    pub(super) started: Vec<(u64, String, u64)>,
    cancelled: BTreeSet<u64>,
    released: usize,
    pub(super) alive: usize,
    pub(super) ended_on: Vec<String>,
    pub(super) running: usize,
    pub(super) peak: usize,
    /// Dimension 0 of the first input of each run that started; -1: it has none.
    pub(super) rows: Vec<i64>,
    /// Called in each run.
    pub(super) during: Option<During>,
}

/// See [`FakeBackends::set_during`].
pub(super) type During = Arc<dyn Fn(i64) + Send + Sync>;

impl FakeBackends {
    /// All four backends can be loaded.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Whether opening a kind fails.
    pub fn set_missing(&self, kind: BackendKind, missing: bool) {
        self.change(|state| {
            if missing {
                state.missing.insert(kind);
            } else {
                state.missing.remove(&kind);
            }
        });
    }

    /// What backends opened from now on say of `max_concurrent_runs`.
    pub fn set_most_runs(&self, most: u32) {
        self.change(|state| state.most_runs = most);
    }

    /// Whether backends opened from now on join requests.
    pub fn set_batching(&self, batching: bool) {
        self.change(|state| state.no_batching = !batching);
    }

    /// Lets `count` more runs or loads that wait go on.
    pub fn release(&self, count: usize) {
        self.change(|state| state.released += count);
    }

    /// Waits until `count` runs in all have started; gives their number, blob and deadline, in
    /// order.
    pub fn wait_started(&self, count: usize) -> Vec<(u64, String, u64)> {
        self.wait(|state| (state.started.len() >= count).then(|| state.started.clone()))
    }

    /// Waits until `count` loads in all have begun; gives their blobs, in order.
    pub fn wait_loads(&self, count: usize) -> Vec<String> {
        self.wait(|state| (state.loads.len() >= count).then(|| state.loads.clone()))
    }

    /// Waits until this many sessions are alive.
    pub fn wait_alive(&self, count: usize) {
        self.wait(|state| (state.alive == count).then_some(()));
    }

    /// The threads on which sessions were destroyed so far, in order.
    pub fn ended_on(&self) -> Vec<String> {
        locked(&self.state).ended_on.clone()
    }

    /// Waits until this run was cancelled.
    pub fn wait_cancelled(&self, run: u64) {
        self.wait(|state| state.cancelled.contains(&run).then_some(()));
    }

    /// Runs that started so far: their blobs.
    pub fn runs(&self) -> Vec<String> {
        let state = locked(&self.state);
        state
            .started
            .iter()
            .map(|(_, blob, _)| blob.clone())
            .collect()
    }

    /// Whether any run was cancelled.
    pub fn any_cancelled(&self) -> bool {
        !locked(&self.state).cancelled.is_empty()
    }

    /// Dimension 0 of the first input of each run that started so far; -1: it has none.
    pub fn rows(&self) -> Vec<i64> {
        locked(&self.state).rows.clone()
    }

    /// Has each run call this, with dimension 0 of its first input: to make time pass in it.
    pub fn set_during(&self, during: impl Fn(i64) + Send + Sync + 'static) {
        self.change(|state| state.during = Some(Arc::new(during)));
    }

    /// Runs that go on now.
    pub fn running(&self) -> usize {
        locked(&self.state).running
    }

    /// How often a kind was opened, failures included.
    pub fn opened(&self, kind: BackendKind) -> usize {
        locked(&self.state).opened.get(&kind).copied().unwrap_or(0)
    }

    /// The most runs that went on at one time.
    pub fn peak(&self) -> usize {
        locked(&self.state).peak
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut locked(&self.state));
        self.changed.notify_all();
    }

    fn wait<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut state = locked(&self.state);
        loop {
            if let Some(found) = look(&mut state) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain");
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Takes one release; `None`: `run` was cancelled first.
    pub(super) fn take_release(&self, run: Option<u64>) -> Option<()> {
        self.wait(|state| {
            if run.is_some_and(|run| state.cancelled.contains(&run)) {
                return Some(None);
            }
            state.released = state.released.checked_sub(1)?;
            Some(Some(()))
        })
    }
}

/// [`FakeBackends`] as a source.
pub struct FakeSource(pub Arc<FakeBackends>);

impl BackendSource for FakeSource {
    fn open(
        &self,
        kind: BackendKind,
        path: Option<&[u8]>,
    ) -> Result<Arc<dyn Backend>, BackendError> {
        let mut state = locked(&self.0.state);
        *state.opened.entry(kind).or_default() += 1;
        if state.missing.contains(&kind) {
            return Err(BackendError::new(Status::Unsupported, "no such library"));
        }
        let path = path.unwrap_or(b"by rule");
        Ok(Arc::new(FakeBackend {
            info: BackendInfo {
                name: kind.name().to_owned(),
                library: String::from_utf8_lossy(path).into_owned(),
                capabilities: Capabilities {
                    batching: !state.no_batching,
                    cancellation: true,
                    max_concurrent_runs: state.most_runs,
                    ..Capabilities::default()
                },
                ..BackendInfo::default()
            },
            owner: Arc::clone(&self.0),
        }))
    }
}

struct FakeBackend {
    info: BackendInfo,
    owner: Arc<FakeBackends>,
}

impl Backend for FakeBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn load(&self, request: &LoadRequest<'_>) -> Result<Arc<dyn LoadedModel>, BackendError> {
        let blob = String::from_utf8_lossy(request.blob.bytes()).into_owned();
        self.owner.change(|state| state.loads.push(blob.clone()));
        let mut words = blob.split(' ');
        let verb = words.next().unwrap_or_default().to_owned();
        let mut count = || words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
        let (mut inputs, outputs) = (values("in", count()), values("out", count()));
        if let Some(rows) = words.next().and_then(|word| word.strip_prefix("rows=")) {
            for input in &mut inputs {
                input.dims = Some(vec![rows.parse().ok(), None]);
            }
        }
        match verb.as_str() {
            "badload" => return Err(BackendError::new(Status::BadModel, "bad model")),
            "panicload" => std::panic::panic_any("a load panics"),
            "holdload" => {
                self.owner.take_release(None);
            }
            _ => {}
        }
        self.owner.change(|state| state.alive += 1);
        let signature = Signature {
            functions: vec![Function {
                inputs,
                outputs,
                ..Function::default()
            }],
            control_flow: verb == "loops",
        };
        Ok(Arc::new(FakeModel {
            verb,
            blob,
            signature,
            owner: Arc::clone(&self.owner),
        }))
    }

    fn cancel(&self, run: u64) {
        self.owner.change(|state| {
            state.cancelled.insert(run);
        });
    }

    fn figures(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

fn values(stem: &str, count: usize) -> Vec<ValueInfo> {
    let value = |index| ValueInfo {
        name: format!("{stem}{index}").into_bytes().into(),
        ..ValueInfo::default()
    };
    (0..count).map(value).collect()
}
