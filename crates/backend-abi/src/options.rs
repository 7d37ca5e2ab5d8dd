//! Names of the pairs that `init` gets, and a reader for them.
//!
//! A pair that a backend does not know is ignored: a new option needs no new ABI.

/// Path of the framework's main library; left out where the system's own search is to find it.
pub const RAI_OPTION_FRAMEWORK: &str = "framework";
/// The site-packages directory in which the framework was found; left out where none was.
pub const RAI_OPTION_SITE_PACKAGES: &str = "site_packages";
/// Threads of one operation, for the whole process; 0 or left out: the machine's cores.
pub const RAI_OPTION_INTRA_OP_THREADS: &str = "intra_op_threads";
/// Operations of one run side by side; 0 or left out: the framework's choice.
pub const RAI_OPTION_INTER_OP_THREADS: &str = "inter_op_threads";
/// Bytes that the framework may hold; 0 or left out: no limit.
pub const RAI_OPTION_MEMORY_LIMIT: &str = "memory_limit";
/// `yes`: models that are machine code may be loaded; left out or anything else: they may not.
pub const RAI_OPTION_NATIVE_MODELS: &str = "native_models";
/// Milliseconds after which a run is stopped; 0 or left out: never.
pub const RAI_OPTION_EXECUTION_TIMEOUT_MS: &str = "execution_timeout_ms";

/// The pairs that `init` got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitOptions(Vec<(String, Vec<u8>)>);

impl InitOptions {
    /// These pairs.
    pub fn new(pairs: Vec<(String, Vec<u8>)>) -> Self {
        Self(pairs)
    }

    /// The value of the last pair of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .rev()
            .find(|pair| pair.0 == name)
            .map(|pair| pair.1.as_slice())
    }

    /// The same as text; none where it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// The same as a number; none where it is no number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// All pairs, in order.
    pub fn pairs(&self) -> &[(String, Vec<u8>)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_counts() {
        let pair = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
        let options = InitOptions::new(vec![
            pair("a", b"1"),
            pair("b", b"\xff"),
            pair("a", b"2"),
            pair("c", b"-1"),
        ]);
        assert_eq!(options.number("a"), Some(2));
        assert_eq!(options.get("b"), Some(b"\xff" as &[u8]));
        assert_eq!(options.text("b"), None);
        assert_eq!(options.number("c"), None);
        assert_eq!(options.get("d"), None);
    }
}
