//! The load generator: RESP requests on N connections, in a closed loop or at Poisson times.
//!
//! ```text
//! redisai-bench-load --port P --request FILE [--request FILE …] [options]
//! ```
//!
//! | Option | Default | Meaning |
//! |---|---|---|
//! | `--request FILE` | – | the bytes of a request; connection i sends file i modulo their number |
//! | `--replies N` | 1 | replies to one request (a pipeline of N commands) |
//! | `--connections N` | 1 | |
//! | `--pipeline N` | 1 | closed loop: requests in flight on each connection |
//! | `--rate R` | 0 | Poisson: requests a second over all connections; 0: closed loop |
//! | `--warmup S`, `--seconds S` | 0.5, 3 | |
//! | `--seed N` | 1 | of the Poisson times |
//!
//! Prints one JSON object. A latency counts from the time at which a request was due, not from the
//! time at which it could be sent. An error reply ends the program: rates of errors mean nothing.

mod connection;
mod measured;
mod options;
mod replies;
mod run;
mod schedule;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = options::Options::parse(&words).and_then(|options| run::run(&options));
    match done {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("redisai-bench-load: {error}");
            ExitCode::FAILURE
        }
    }
}
