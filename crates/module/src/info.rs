//! The `ai` sections of `INFO`.
//!
//! Monitoring finds the first five by their place: they stand first, in this order, with exactly
//! these fields. What is ours comes after `cpu`.

use crate::guard;
use crate::server::{Ctx, InfoWriter, raw, rm};
use crate::state::{State, state_if_loaded};
use redisai_command::{Setting, SettingValue};
use redisai_core::{Backend, BackendKind};
use std::os::raw::c_int;

/// This project's version in RedisAI's layout.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Registers the callback. False: the server refused.
pub(crate) fn register(ctx: Ctx<'_>) -> bool {
    // SAFETY: the context is the load's, the callback lives as long as the process.
    let registered = unsafe { rm!(RedisModule_RegisterInfoFunc(ctx.raw(), Some(info))) };
    registered == raw::REDISMODULE_OK as c_int
}

extern "C" fn info(ctx: *mut raw::RedisModuleInfoCtx, for_crash_report: c_int) {
    guard::run("info", (), || {
        // SAFETY: the callback is running.
        let out = unsafe { InfoWriter::new(ctx) };
        if out.section("versions") {
            out.text("RedisAI_version", VERSION);
            out.number("low_level_API_version", 1);
            out.number("rdb_version", 4);
        }
        if out.section("git") {
            out.text(
                "git_sha",
                option_env!("REDISAI_GIT_SHA").unwrap_or("unknown"),
            );
        }
        // A crashed thread may hold any lock: nothing that takes one is asked then.
        if let (Some(state), 0) = (state_if_loaded(), for_crash_report) {
            load_time_configs(&out, state);
            backends(&out, state);
            cpu(&out, state);
            queues(&out, state);
            index(&out, state);
        }
    });
}

fn load_time_configs(out: &InfoWriter, state: &State) {
    if !out.section("load_time_configs") {
        return;
    }
    let fields = [
        ("threads_per_queue", Setting::ThreadsPerQueue),
        ("inter_op_parallelism", Setting::InterOpParallelism),
        ("intra_op_parallelism", Setting::IntraOpParallelism),
        ("model_execution_timeout", Setting::ModelExecutionTimeout),
        ("backend_memory_limit", Setting::BackendMemoryLimit),
    ];
    for (name, setting) in fields {
        if let SettingValue::Integer(value) = state.options.get(setting) {
            out.number(name, value);
        }
    }
}

fn backends(out: &InfoWriter, state: &State) {
    if !out.section("backends_info") {
        return;
    }
    for (kind, backend) in state.engine.backends() {
        let name = match kind {
            BackendKind::Tf => "TensorFlow_version",
            BackendKind::TfLite => "TensorFlowLite_version",
            BackendKind::Torch => "Torch_version",
            BackendKind::Onnx => "onnxruntime_version",
        };
        out.text(name, &backend.info().version);
        figures(out, backend.as_ref());
        if kind == BackendKind::Onnx {
            // As many as could run at once: RedisAI has a slot for each worker.
            let queues = state.engine.info().queues;
            let workers: usize = queues.iter().map(|queue| queue.workers.len()).sum();
            out.number("onnxruntime_maximum_run_sessions_number", workers as u64);
        }
    }
}

/// What a backend counts, under the names that it gives.
fn figures(out: &InfoWriter, backend: &dyn Backend) {
    for (name, value) in backend.figures() {
        out.text(&name, &value);
    }
}

fn cpu(out: &InfoWriter, state: &State) {
    if !out.section("cpu") {
        return;
    }
    let of = [
        ("self", libc::RUSAGE_SELF),
        ("children", libc::RUSAGE_CHILDREN),
        ("main_thread", libc::RUSAGE_THREAD),
    ];
    for (name, who) in of {
        let (system, user) = cpu_times(who);
        let (sys_name, user_name) = if who == libc::RUSAGE_THREAD {
            (
                "main_thread_used_cpu_sys".to_owned(),
                "main_thread_used_cpu_user".to_owned(),
            )
        } else {
            (
                format!("{name}_used_cpu_sys"),
                format!("{name}_used_cpu_user"),
            )
        };
        out.text(&sys_name, &seconds(system));
        out.text(&user_name, &seconds(user));
    }
    for queue in state.engine.info().queues {
        for (index, worker) in queue.workers.iter().enumerate() {
            let name = format!("queue_{}_bthread_n{index}_used_cpu_total", queue.name);
            out.text(
                &name,
                &seconds(u64::try_from(worker.cpu.as_micros()).unwrap_or(u64::MAX)),
            );
        }
    }
}

/// System and user time of a process or thread, in microseconds.
fn cpu_times(who: c_int) -> (u64, u64) {
    // SAFETY: the structure is plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is ours and lives through the call.
    if unsafe { libc::getrusage(who, &raw mut usage) } != 0 {
        return (0, 0);
    }
    let micros = |time: libc::timeval| {
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000
            + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    (micros(usage.ru_stime), micros(usage.ru_utime))
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Ours: what waits and runs.
fn queues(out: &InfoWriter, state: &State) {
    if !out.section("queues") {
        return;
    }
    let info = state.engine.info();
    // Theirs too: runs on callers' threads, and jobs whose model has no session yet.
    out.number("running", info.running as u64);
    out.number("waiting_for_session", info.waiting_for_session as u64);
    for queue in info.queues {
        out.number(&format!("queue_{}_length", queue.name), queue.length as u64);
        out.number(&format!("queue_{}_peak", queue.name), queue.peak as u64);
        out.number(&format!("queue_{}_refused", queue.name), queue.refused);
        let busy = queue.workers.iter().filter(|worker| worker.busy).count();
        out.number(&format!("queue_{}_busy", queue.name), busy as u64);
        out.number(
            &format!("queue_{}_workers", queue.name),
            queue.workers.len() as u64,
        );
    }
}

/// Ours: how many names of models are kept for `AI._MODELSCAN`.
fn index(out: &InfoWriter, state: &State) {
    if out.section("index") {
        out.number("index_names", state.index().len() as u64);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn seconds_have_six_digits() {
        assert_eq!(super::seconds(1_000_042), "1.000042");
        assert_eq!(super::seconds(0), "0.000000");
    }
}
