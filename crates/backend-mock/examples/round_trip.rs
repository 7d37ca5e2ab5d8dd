//! What a run costs beyond the model: identity natively, through the C table, and through the loaded
//! library. `cargo run --release -p redisai-backend-mock --example round_trip`.

use redisai_backend_abi::{Host, InitOptions};
use redisai_backend_loader::{Environment, Loader, LoaderConfig};
use redisai_core::{Backend, BackendKind, DType, HostServices, LogLevel};
use redisai_testkit::conformance::{Model, load, numbered};
use redisai_testkit::{built_library, sample};
use std::sync::Arc;
use std::time::Instant;

const RUNS: usize = 1000;
const ROUNDS: usize = 501;

struct Quiet;

impl HostServices for Quiet {
    fn log(&self, _: LogLevel, _: &str) {}
}

fn main() {
    let native = redisai_mock::init(Host::system(), &InitOptions::default()).expect("the mock");
    let loader = Loader::new(LoaderConfig {
        module: None,
        backends_path: None,
        python: None,
        environment: Environment::default(),
        test_backends: true,
        options: Vec::new(),
        services: Arc::new(Quiet),
    });
    let path = built_library("redisai-backend-mock");
    let loaded = loader
        .open(BackendKind::Onnx, Some(&path))
        .expect("the library");
    println!("nanoseconds a run, median and best of {ROUNDS} rounds of {RUNS}");
    for count in [1, 2, 8] {
        measure(native.as_ref(), "native", count);
        measure(loaded.as_ref(), "loaded", count);
    }
}

fn measure(backend: &dyn Backend, name: &str, count: usize) {
    let session = load(backend, &Model::from("identity")).expect("identity loads");
    let inputs: Vec<_> = (0..count)
        .map(|seed| sample(DType::Float, &[1, 8], seed as u8))
        .collect();
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..RUNS {
                let outputs = session.run(&numbered(&inputs, count));
                std::hint::black_box(outputs.expect("identity runs"));
            }
            start.elapsed().as_nanos() as f64 / RUNS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let (best, median) = (rounds[0], rounds[ROUNDS / 2]);
    println!("{name}, {count} in and out: {median:.0} ({best:.0})");
}
