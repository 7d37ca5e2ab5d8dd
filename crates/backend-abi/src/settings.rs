//! The pairs that the loader gives at the start, as typed values.

use crate::{
    InitOptions, RAI_OPTION_FRAMEWORK, RAI_OPTION_INTER_OP_THREADS, RAI_OPTION_INTRA_OP_THREADS,
    RAI_OPTION_MEMORY_LIMIT, RAI_OPTION_NATIVE_MODELS,
};
use redisai_core::{BackendError, Status};

/// How a framework is set up, once a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Path of the framework's library; empty: none was found.
    pub framework: Vec<u8>,
    /// Threads that share the work of one operator; at least 1.
    pub intra_threads: i32,
    /// Threads that run operators of one model side by side; 1: one operator after the other.
    pub inter_threads: i32,
    /// Most bytes that the framework may use; 0: any number.
    pub memory_limit: usize,
    /// Whether models that are machine code may be loaded.
    pub native_models: bool,
}

impl Settings {
    /// Reads the pairs for the backend of this name; names that are not known are not for us.
    pub fn read(backend: &str, options: &InitOptions) -> Result<Self, BackendError> {
        let mut intra_threads = number(backend, options, RAI_OPTION_INTRA_OP_THREADS)?;
        if intra_threads == 0 {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            intra_threads = i32::try_from(cores).unwrap_or(1);
        }
        Ok(Self {
            framework: options
                .get(RAI_OPTION_FRAMEWORK)
                .unwrap_or_default()
                .to_vec(),
            intra_threads,
            inter_threads: number::<i32>(backend, options, RAI_OPTION_INTER_OP_THREADS)?.max(1),
            memory_limit: number(backend, options, RAI_OPTION_MEMORY_LIMIT)?,
            native_models: options.text(RAI_OPTION_NATIVE_MODELS) == Some("yes"),
        })
    }
}

/// The value of a pair as a number; 0 where it is left out.
fn number<T: TryFrom<u64> + Default>(
    backend: &str,
    options: &InitOptions,
    name: &str,
) -> Result<T, BackendError> {
    let Some(value) = options.get(name) else {
        return Ok(T::default());
    };
    options
        .number(name)
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            let value = String::from_utf8_lossy(value);
            let text =
                format!("ERR {name} of the backend {backend} is no number in range: {value:?}");
            BackendError::new(Status::Unsupported, text)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, BackendError> {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        Settings::read("ONNX", &InitOptions::new(pairs.collect()))
    }

    #[test]
    fn defaults() {
        let config = read(&[("framework", "/x"), ("something", "else")]).unwrap();
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(config.framework, b"/x");
        assert_eq!(config.intra_threads as usize, cores);
        assert_eq!((config.inter_threads, config.memory_limit), (1, 0));
        assert!(!config.native_models);
    }

    #[test]
    fn native_models_need_a_plain_yes() {
        let allowed = |value| read(&[("native_models", value)]).unwrap().native_models;
        assert!(allowed("yes"));
        assert!(!allowed("") && !allowed("no") && !allowed("1"));
    }

    #[test]
    fn numbers_are_read_and_bad_ones_refused() {
        let config = read(&[
            ("intra_op_threads", "3"),
            ("inter_op_threads", "2"),
            ("memory_limit", "1000000"),
        ])
        .unwrap();
        assert_eq!(
            (
                config.intra_threads,
                config.inter_threads,
                config.memory_limit
            ),
            (3, 2, 1_000_000)
        );
        for bad in ["", "-1", "x", "99999999999", "1.5"] {
            let error = read(&[("intra_op_threads", bad)]).unwrap_err();
            assert!(error.text.contains("intra_op_threads"), "{error}");
        }
    }
}
