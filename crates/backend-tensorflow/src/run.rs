//! One run of a session.

use crate::environment::Environment;
use crate::error::Doing;
use crate::handles::{Value, check};
use crate::proto::RunOptions;
use crate::session::Session;
use crate::sys::{Buffer, Output, Raw};
use crate::tensor;
use prost::Message;
use redisai_backend_abi::now;
use redisai_core::{BackendError, RunOutput, Tensor};
use smallvec::SmallVec;
use std::sync::Arc;

/// The pool that is the caller's own thread.
const OWN_THREAD: i32 = -1;
const MILLISECOND: u64 = 1_000_000;

/// Where a run happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the caller's thread, where no deadline reaches it.
    Here,
    /// In TensorFlow's pool, which ends it at this time (0: never).
    Pool(u64),
}

impl Place {
    /// Whether TensorFlow ends the run by itself.
    pub(crate) fn is_timed(self) -> bool {
        matches!(self, Self::Pool(deadline) if deadline != 0)
    }

    fn options(self) -> Vec<u8> {
        let mut options = RunOptions::default();
        match self {
            Self::Here => options.inter_op_thread_pool = OWN_THREAD,
            Self::Pool(0) => {}
            Self::Pool(deadline) => {
                let left = deadline.saturating_sub(now()).div_ceil(MILLISECOND).max(1);
                options.timeout_in_ms = i64::try_from(left).unwrap_or(i64::MAX);
            }
        }
        options.encode_to_vec()
    }
}

/// Runs a session.
pub(crate) fn run(
    environment: &'static Environment,
    session: &Session,
    feeds: &[Output],
    inputs: &[Arc<Tensor>],
    fetches: &[Output],
    place: Place,
) -> Result<RunOutput, BackendError> {
    let api = environment.api;
    let values: SmallVec<[Value; 8]> = inputs
        .iter()
        .map(|input| tensor::input(environment, input))
        .collect::<Result<_, _>>()?;
    let given: SmallVec<[Raw; 8]> = values.iter().map(Value::as_ptr).collect();
    let mut results: SmallVec<[Raw; 4]> = SmallVec::from_elem(std::ptr::null_mut(), fetches.len());
    let options = place.options();
    let options = Buffer::over(&options);
    let count = |len: usize| i32::try_from(len).unwrap_or(i32::MAX);
    // SAFETY: the session is valid, and any number of threads may run it; feeds and values, fetches and
    // results are as many as is said and live during the call.
    let ran = check(api, Doing::Run, |status| unsafe {
        (api.run)(
            session.as_ptr(),
            &raw const options,
            feeds.as_ptr(),
            given.as_ptr(),
            count(given.len()),
            fetches.as_ptr(),
            results.as_mut_ptr(),
            count(results.len()),
            std::ptr::null(),
            0,
            std::ptr::null_mut(),
            status,
        );
    });
    // SAFETY: each is null or a tensor that the run made for us, whatever the run's end was.
    let results: SmallVec<[Option<Value>; 4]> = results
        .into_iter()
        .map(|raw| unsafe { Value::take(api, raw) })
        .collect();
    ran?;
    let output = |value: Option<Value>| match value {
        Some(value) => tensor::output(environment, &value).map(Some),
        None => Ok(None),
    };
    results.into_iter().map(output).collect()
}
