//! Blobs that are no models, or nearly: refused or run, and the process lives.

mod common;

use common::{load, run};
use redisai_core::{DType, LoadedModel, Shape, Tensor};
use std::sync::Arc;

const MUTATIONS: u64 = 1000;
/// Models of every kind: plain, with inner shapes, with loops, with several signatures, with aliases.
const MODELS: [&str; 6] = [
    "mlp.tflite",
    "quantised.tflite",
    "two_signatures.tflite",
    "aliases.tflite",
    "shape_of_where.tflite",
    "identity_float_9.tflite",
];

/// A generator of numbers, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }
}

fn mutated(blob: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random(seed * 2 + 1);
    let mut blob = blob.to_vec();
    for _ in 0..=random.next(3) {
        let at = random.next(blob.len());
        match random.next(4) {
            0 => blob[at] ^= 1 << random.next(8),
            1 => blob[at] = [0, 1, 0x7f, 0xff][random.next(4)],
            2 => blob.truncate(at.max(16)),
            _ => {
                let end = (at + 4).min(blob.len());
                blob[at..end].fill([0, 0xff][random.next(2)]);
            }
        }
    }
    blob
}

/// Inputs as the model declares them, 1 for what it leaves open; none where they would be huge.
fn inputs(model: &dyn LoadedModel) -> Option<Vec<Arc<Tensor>>> {
    let function = &model.signature().functions[0];
    let input = |value: &redisai_core::ValueInfo| {
        let dims = value.dims.as_ref()?.iter().map(|dim| dim.unwrap_or(1));
        let shape = Shape::new(&dims.collect::<Vec<_>>()).ok()?;
        let dtype = value.dtype.unwrap_or(DType::Float);
        let bytes = shape
            .bytes(dtype.size())
            .ok()
            .filter(|&bytes| bytes < 1 << 20)?;
        let data = Box::new(vec![0_u8; bytes]);
        Some(Arc::new(Tensor::new(dtype, shape, data).ok()?))
    };
    function.inputs.iter().map(input).collect()
}

/// Runs in a child: what ends a process ends only that one, and is told by its seed.
#[test]
fn mutations_are_refused_or_run() {
    if let Some(name) = std::env::var_os("REDISAI_MUTATE") {
        let name = name.into_string().unwrap();
        let blob = common::fixture(&name);
        let first: u64 = std::env::var("REDISAI_MUTATE_FROM")
            .unwrap()
            .parse()
            .unwrap();
        for seed in first..MUTATIONS {
            println!("seed {seed}");
            let Ok(model) = load(mutated(&blob, seed)) else {
                continue;
            };
            println!("loaded");
            if let Some(inputs) = inputs(model.as_ref()) {
                println!("ran {}", run(model.as_ref(), &inputs).is_ok());
            }
        }
        return;
    }
    let mut killed = Vec::new();
    std::thread::scope(|scope| {
        let children: Vec<_> = MODELS.map(|name| scope.spawn(move || mutate(name))).into();
        for child in children {
            killed.extend(child.join().unwrap());
        }
    });
    assert!(killed.is_empty(), "processes that ended: {killed:?}");
}

/// All mutations of a model; the seeds that ended their process.
fn mutate(name: &'static str) -> Vec<String> {
    let mut killed = Vec::new();
    let (mut first, mut seen, mut loaded, mut ran) = (0, 0, 0, 0);
    while first < MUTATIONS {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["mutations_are_refused_or_run", "--exact", "--nocapture"]);
        child
            .env("REDISAI_MUTATE", name)
            .env("REDISAI_MUTATE_FROM", first.to_string());
        let output = child.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        seen += text.matches("seed ").count();
        loaded += text.matches("loaded").count();
        ran += text.matches("ran true").count();
        let last = text
            .lines()
            .filter_map(|line| line.strip_prefix("seed ")?.parse::<u64>().ok())
            .next_back();
        first = last.map_or(MUTATIONS, |last| last + 1);
        if !output.status.success() {
            killed.push(format!("{name} seed {}: {}", first - 1, output.status));
        }
    }
    assert_eq!(seen as u64, MUTATIONS, "{name}");
    println!("{name}: {loaded} loaded, {ran} ran");
    assert!(
        loaded > 50 && ran > 20,
        "{name}: {loaded} loaded, {ran} ran"
    );
    killed
}

#[test]
fn random_bytes_and_cuts_are_refused() {
    let blob = common::fixture("mlp.tflite");
    for len in (0..blob.len()).step_by(7) {
        assert!(load(blob[..len].to_vec()).is_err(), "{len}");
    }
    let mut random = Random(7);
    for len in 0..200 {
        let mut bytes: Vec<u8> = (0..len).map(|_| random.next(256) as u8).collect();
        if len > 8 {
            bytes[4..8].copy_from_slice(b"TFL3");
        }
        assert_eq!(
            load(bytes).err().unwrap().text,
            "Failed to load model from buffer"
        );
    }
}

/// Bad stores leave nothing behind.
#[test]
fn a_thousand_bad_stores_keep_no_memory() {
    let resident = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let flex = common::fixture("flex.tflite");
    let bad = |count: usize| {
        for _ in 0..count {
            assert!(load(vec![1; 1 << 16]).is_err());
            assert!(load(flex.clone()).is_err());
        }
    };
    bad(100);
    let before = resident();
    bad(1000);
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes");
}
