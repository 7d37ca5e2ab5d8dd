//! The command line.

use std::fs;
use std::time::Duration;

/// What to do.
pub(crate) struct Options {
    pub(crate) port: u16,
    pub(crate) requests: Vec<Vec<u8>>,
    pub(crate) replies: u64,
    pub(crate) connections: usize,
    pub(crate) pipeline: usize,
    /// Requests a second at Poisson times; 0: a closed loop.
    pub(crate) rate: f64,
    pub(crate) warmup: Duration,
    pub(crate) time: Duration,
    pub(crate) seed: u64,
}

impl Options {
    /// Reads the command line and the files that it names.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Self {
            port: 0,
            requests: Vec::new(),
            replies: 1,
            connections: 1,
            pipeline: 1,
            rate: 0.0,
            warmup: Duration::from_millis(500),
            time: Duration::from_secs(3),
            seed: 1,
        };
        for pair in words.chunks(2) {
            let [name, value] = pair else {
                return Err(format!("{} needs a value", pair.join(" ")));
            };
            options.set(name, value)?;
        }
        if options.port == 0 || options.requests.is_empty() {
            return Err("--port and --request are needed".to_owned());
        }
        if options.replies == 0 || options.connections == 0 || options.pipeline == 0 {
            return Err("--replies, --connections and --pipeline are at least 1".to_owned());
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "--port" => self.port = number(name, value)?,
            "--request" => {
                let bytes = fs::read(value).map_err(|error| format!("{value}: {error}"))?;
                self.requests.push(bytes);
            }
            "--replies" => self.replies = number(name, value)?,
            "--connections" => self.connections = number(name, value)?,
            "--pipeline" => self.pipeline = number(name, value)?,
            "--rate" => self.rate = number(name, value)?,
            "--warmup" => self.warmup = seconds(name, value)?,
            "--seconds" => self.time = seconds(name, value)?,
            "--seed" => self.seed = number(name, value)?,
            _ => return Err(format!("unknown option {name}")),
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{name} takes a number, not {value}"))
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number(name, value)?).map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn options_are_read() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let options = parse(&format!(
            "--port 7 --request {file} --rate 2.5 --seconds 0.5"
        ))
        .unwrap();
        assert_eq!(
            (options.port, options.rate, options.connections),
            (7, 2.5, 1)
        );
        assert_eq!(options.time, Duration::from_millis(500));
        assert!(!options.requests[0].is_empty());
    }

    #[test]
    fn wrong_ones_are_refused() {
        for line in [
            "",
            "--port",
            "--port x",
            "--port 7",
            "--port 7 --request /nowhere",
            "--what 1",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
