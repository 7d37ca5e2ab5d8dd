//! The system host with its log kept. A macro, since it takes unsafe code, which this crate forbids.

/// Defines `logging_host()`, and `logged(part)`: what was logged so far.
#[macro_export]
macro_rules! logging_host {
    () => {
        static LOG: std::sync::Mutex<Vec<(i32, String)>> = std::sync::Mutex::new(Vec::new());

        /// Lines logged so far that hold `part`: level and text.
        pub fn logged(part: &str) -> Vec<(i32, String)> {
            let log = LOG.lock().unwrap();
            log.iter()
                .filter(|line| line.1.contains(part))
                .cloned()
                .collect()
        }

        unsafe extern "C" fn keep_log(
            _: *const $crate::abi::RaiHost,
            level: i32,
            text: $crate::abi::RaiBytes,
        ) {
            // SAFETY: valid during the call, says the ABI.
            let text = String::from_utf8_lossy(unsafe { text.as_slice() }).into_owned();
            LOG.lock().unwrap().push((level, text));
        }

        /// The system host, its log kept.
        pub fn logging_host() -> $crate::abi::Host {
            static TABLE: $crate::abi::RaiHost = $crate::abi::RaiHost {
                log: Some(keep_log),
                ..$crate::abi::SYSTEM
            };
            // SAFETY: a whole table that lives for ever.
            unsafe { $crate::abi::Host::from_raw(&raw const TABLE) }
                .expect("a table of this version")
        }
    };
}
