//! The floor: a module that does nothing but hold an argument, hand it to one worker, run ONNX
//! Runtime on it and reply. It is the limit of the module API on the machine at hand, which the
//! benchmarks compare the product with. No keyspace, no parser, no statistics, and no defence
//! against bad input: never load it but for a measurement.
//!
//! - `FLOOR.LOAD libonnxruntime.so model` builds a session with one input and one output of FLOAT.
//! - `FLOOR.HOLD blob` keeps an input.
//! - `FLOOR.RUN blob` runs on an argument and replies the output's bytes.
//! - `FLOOR.RUNHELD` runs on the kept input and replies the output's bytes.
//!
//! What waits while a run goes on is run as one batch of up to 32 rows.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::vec_box,
    reason = "measured without checks, for one client; a job is one box all the way"
)]

mod ort;

use ort::Session;
use redis_module::raw;
use std::os::raw::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Condvar, Mutex, OnceLock};

const OK: c_int = raw::REDISMODULE_OK as c_int;
const MOST: usize = 32;

/// Calls a function of the server.
macro_rules! rm {
    ($name:ident($($arg:expr),* $(,)?)) => {
        (raw::$name.expect(stringify!($name)))($($arg),*)
    };
}

/// One request: the private data of its blocked client.
struct Job {
    client: *mut raw::RedisModuleBlockedClient,
    /// Ours to release on the main thread; null for the kept input.
    argument: *mut raw::RedisModuleString,
    input: &'static [u8],
    output: Vec<u8>,
}

// SAFETY: the worker touches the bytes and the client's handle, never the string's count.
unsafe impl Send for Job {}

static SESSION: OnceLock<Session> = OnceLock::new();
static QUEUE: Mutex<Vec<Box<Job>>> = Mutex::new(Vec::new());
static ARRIVED: Condvar = Condvar::new();
static KEPT: AtomicPtr<raw::RedisModuleString> = AtomicPtr::new(null_mut());

fn work() {
    let session = SESSION.get().unwrap();
    let mut batch: Vec<Box<Job>> = Vec::with_capacity(MOST);
    let mut gathered: Vec<u8> = Vec::new();
    loop {
        let mut queue = QUEUE.lock().unwrap();
        while queue.is_empty() {
            queue = ARRIVED.wait(queue).unwrap();
        }
        let count = queue.len().min(MOST);
        batch.extend(queue.drain(..count));
        drop(queue);
        if count == 1 {
            let job = &mut batch[0];
            session.run(job.input, 1, |bytes| job.output.extend_from_slice(bytes));
        } else {
            gathered.clear();
            batch
                .iter()
                .for_each(|job| gathered.extend_from_slice(job.input));
            session.run(&gathered, count, |bytes| {
                let rows = bytes.chunks_exact(bytes.len() / count);
                batch
                    .iter_mut()
                    .zip(rows)
                    .for_each(|(job, row)| job.output.extend_from_slice(row));
            });
        }
        for job in batch.drain(..) {
            let client = job.client;
            // SAFETY: the client is blocked; the job passes to its callbacks.
            unsafe { rm!(RedisModule_UnblockClient(client, Box::into_raw(job).cast())) };
        }
    }
}

fn submit(
    ctx: *mut raw::RedisModuleCtx,
    argument: *mut raw::RedisModuleString,
    held: *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: called in a command; the string is held until the client is unblocked.
    let (client, input) = unsafe {
        (
            rm!(RedisModule_BlockClient(
                ctx,
                Some(reply),
                None,
                Some(free),
                0
            )),
            bytes(held),
        )
    };
    let job = Box::new(Job {
        client,
        argument,
        input,
        output: Vec::new(),
    });
    let mut queue = QUEUE.lock().unwrap();
    queue.push(job);
    let first = queue.len() == 1;
    drop(queue);
    if first {
        ARRIVED.notify_one();
    }
    OK
}

extern "C" fn reply(
    ctx: *mut raw::RedisModuleCtx,
    _: *mut *mut raw::RedisModuleString,
    _: c_int,
) -> c_int {
    // SAFETY: the private data is the job, which `free` drops later.
    unsafe {
        let job = rm!(RedisModule_GetBlockedClientPrivateData(ctx)).cast::<Job>();
        let output = &(*job).output;
        rm!(RedisModule_ReplyWithStringBuffer(
            ctx,
            output.as_ptr().cast(),
            output.len()
        ))
    }
}

extern "C" fn free(_: *mut raw::RedisModuleCtx, data: *mut c_void) {
    // SAFETY: the job that the worker gave, once; on the main thread, where counts may change.
    unsafe {
        let job = Box::from_raw(data.cast::<Job>());
        if !job.argument.is_null() {
            rm!(RedisModule_FreeString(null_mut(), job.argument));
        }
    }
}

extern "C" fn run(
    ctx: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    _: c_int,
) -> c_int {
    // SAFETY: the command was registered with one argument; the reference is ours.
    let held = unsafe { rm!(RedisModule_HoldString(null_mut(), *argv.add(1))) };
    submit(ctx, held, held)
}

extern "C" fn run_held(
    ctx: *mut raw::RedisModuleCtx,
    _: *mut *mut raw::RedisModuleString,
    _: c_int,
) -> c_int {
    submit(ctx, null_mut(), KEPT.load(Ordering::Relaxed))
}

extern "C" fn hold(
    ctx: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    _: c_int,
) -> c_int {
    // SAFETY: as in `run`; what was kept before stays, since a run may read it.
    unsafe {
        KEPT.store(
            rm!(RedisModule_HoldString(null_mut(), *argv.add(1))),
            Ordering::Relaxed,
        );
        rm!(RedisModule_ReplyWithSimpleString(ctx, c"OK".as_ptr()))
    }
}

extern "C" fn load(
    ctx: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server's arguments; ONNX Runtime copies the model.
    unsafe {
        if argc != 3 {
            return rm!(RedisModule_WrongArity(ctx));
        }
        let made = Session::open(bytes(*argv.add(1)), bytes(*argv.add(2)));
        let made = made.and_then(|session| {
            SESSION
                .set(session)
                .map_err(|_| "ERR loaded already".to_owned())
        });
        if let Err(error) = made {
            let error = std::ffi::CString::new(error).unwrap();
            return rm!(RedisModule_ReplyWithError(ctx, error.as_ptr()));
        }
        std::thread::spawn(work);
        rm!(RedisModule_ReplyWithSimpleString(ctx, c"OK".as_ptr()))
    }
}

/// # Safety
/// The string lives, unchanged, for as long as the bytes are used.
unsafe fn bytes(string: *mut raw::RedisModuleString) -> &'static [u8] {
    let mut len = 0;
    // SAFETY: the caller's promise.
    unsafe {
        let start = rm!(RedisModule_StringPtrLen(string, &raw mut len));
        std::slice::from_raw_parts(start.cast(), len)
    }
}

/// The module's entry point.
///
/// # Safety
/// Called by the server, which passes a valid context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn RedisModule_OnLoad(
    ctx: *mut raw::RedisModuleCtx,
    _: *mut *mut raw::RedisModuleString,
    _: c_int,
) -> c_int {
    type Command =
        extern "C" fn(*mut raw::RedisModuleCtx, *mut *mut raw::RedisModuleString, c_int) -> c_int;
    let commands: [(_, Command); 4] = [
        (c"FLOOR.LOAD", load),
        (c"FLOOR.HOLD", hold),
        (c"FLOOR.RUN", run),
        (c"FLOOR.RUNHELD", run_held),
    ];
    // SAFETY: the server's context, on its main thread; all texts end with a NUL.
    unsafe {
        let version = raw::REDISMODULE_APIVER_1 as c_int;
        if raw::Export_RedisModule_Init(ctx.cast(), c"floor".as_ptr(), 1, version) != OK {
            return raw::REDISMODULE_ERR as c_int;
        }
        for (name, function) in commands {
            rm!(RedisModule_CreateCommand(
                ctx,
                name.as_ptr(),
                Some(function),
                c"".as_ptr(),
                0,
                0,
                0
            ));
        }
    }
    OK
}
