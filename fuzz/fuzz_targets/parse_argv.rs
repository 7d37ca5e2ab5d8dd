//! Every parser and getkeys, over any argv.
//!
//! Input: a byte of flags, then the arguments, separated by line feeds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use redisai_command::*;
use std::fmt::Debug;

/// Little enough that no input can ask for much memory.
const CAP: u64 = 1 << 20;

fn check<T: Debug>(result: Result<T, Error>) -> Option<T> {
    if let Err(error) = &result {
        let text = error.wire();
        assert!(!text.is_empty() && text.len() < 2000);
        assert!(!text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    }
    result.ok()
}

fn tensors(argv: &[&[u8]], from_stream: bool) {
    let limits = Limits {
        max_tensor_bytes: CAP,
        from_stream,
    };
    if let Some(set) = check(TensorSet::parse(argv, &limits)) {
        let hold = |index: usize| Box::new(argv[index].to_vec()) as Box<_>;
        if let Some(tensor) = check(set.into_tensor(&limits, hold)) {
            assert_eq!(values(&tensor).count(), tensor.shape().elements());
            assert!(from_stream || !tensor.shape().dims().contains(&0));
        }
    }
    check(TensorGet::parse(argv));
}

fn models(argv: &[&[u8]], from_stream: bool) {
    for store in [
        check(ModelStore::parse(argv, from_stream)),
        check(ModelStore::parse_set(argv, from_stream)),
    ]
    .into_iter()
    .flatten()
    {
        assert!(!store.chunks.is_empty() && store.chunks.end == argv.len());
        let blob = join(argv, store.chunks.clone());
        store.definition(std::sync::Arc::new(blob));
    }
    check(ModelGet::parse(argv));
}

fn runs(argv: &[&[u8]], counts: Option<(usize, usize)>) {
    for (name, run) in [
        ("ai.modelexecute", check(ModelRun::parse(argv, counts))),
        ("ai.modelrun", check(ModelRun::parse_run(argv, counts))),
    ] {
        let mut found = Vec::new();
        keys(command(name.as_bytes()).unwrap(), argv, |key, access| {
            assert!(key < argv.len());
            found.push((key, access));
        });
        let Some(run) = run else { continue };
        if let Some((inputs, outputs)) = counts {
            assert_eq!(run.check_counts(inputs, outputs), Ok(()));
        }
        let inputs = run.inputs.map(|key| (key, Access::Read));
        let outputs = run.outputs.map(|key| (key, Access::Overwrite));
        let used = [(1, Access::Read)].into_iter().chain(inputs).chain(outputs);
        assert!(used.eq(found), "a key that getkeys does not name");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, rest)) = data.split_first() else {
        return;
    };
    let argv: Vec<&[u8]> = rest.split(|&byte| byte == b'\n').collect();
    let counts = match flags >> 4 {
        0 => None,
        counts => Some((usize::from(counts & 3), usize::from(counts >> 2))),
    };
    tensors(&argv, flags & 1 == 1);
    models(&argv, flags & 1 == 1);
    runs(&argv, counts);
    check(Info::parse(&argv));
    check(Config::parse(&argv));
    for spec in COMMANDS {
        keys(spec, &argv, |key, _| assert!(key < argv.len()));
    }
    if let Ok(options) = LoadOptions::parse(&argv) {
        for (_, setting) in Setting::all() {
            options.get(setting);
        }
    }
});
