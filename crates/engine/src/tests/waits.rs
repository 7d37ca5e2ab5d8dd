//! What is learned from runs: short waits, and sizes that do not pay. A model's runs take as long
//! as the test says, on the fake clock.

use super::*;

/// Clients in a closed loop, on the fake clock: each asks again some time after it was answered.
struct Loop {
    rig: Rig,
    model: Arc<Model>,
    /// Microseconds from an answer to the next request.
    think: u64,
    /// When each client asks next, in microseconds; `None`: it waits for an answer.
    clients: Vec<Option<u64>>,
    jobs: Vec<Option<Pending>>,
    /// Microseconds since the start, moved by this thread alone.
    now: u64,
    /// Runs so far.
    done: usize,
}

impl Loop {
    fn new(config: Config, clients: usize, think: u64) -> Self {
        let rig = Rig::with(config);
        let model = rig.batched("hold", size(32));
        Self {
            clients: (0..clients).map(|client| Some(client as u64)).collect(),
            jobs: (0..clients).map(|_| None).collect(),
            rig,
            model,
            think,
            now: 0,
            done: 0,
        }
    }

    /// Lets the clock go on to `at`; whoever asks by then asks in time.
    fn go_to(&mut self, at: u64) {
        while let Some((when, client)) = self.next_request().filter(|(when, _)| *when <= at) {
            self.advance(when);
            self.clients[client] = None;
            let input = bytes(1, 2, client as u8);
            self.jobs[client] = Some(self.rig.submit_inputs(&self.model, [input], None));
            self.settle();
        }
        self.advance(at);
    }

    fn next_request(&self) -> Option<(u64, usize)> {
        let clients = self.clients.iter().enumerate();
        clients
            .filter_map(|(client, at)| Some(((*at)?, client)))
            .min()
    }

    fn advance(&mut self, at: u64) {
        if at > self.now {
            let by = Duration::from_micros(at - self.now);
            self.now = at;
            self.rig.clock.advance(by);
            self.settle();
        }
    }

    /// Waits until the worker is in a run, or has looked and found nothing to run yet.
    fn settle(&self) {
        let queue = self.model.queue().unwrap();
        while self.rig.backends.running() == 0 && !queue.gate().rests() {
            std::thread::yield_now();
        }
    }

    /// Waits for the run with this number to begin, time going on in steps while a worker waits.
    fn wait_run(&mut self, number: usize) -> i64 {
        loop {
            self.settle();
            let rows = self.rig.backends.rows();
            if let Some(&rows) = rows.get(number) {
                return rows;
            }
            let request = self.next_request().map_or(u64::MAX, |(when, _)| when);
            self.go_to(request.clamp(self.now, self.now + 10));
        }
    }

    /// Runs so many runs; the rows of each and the time of all.
    fn run(&mut self, runs: usize, cost: impl Fn(i64) -> u64) -> (Vec<i64>, u64) {
        let (mut sizes, begun) = (Vec::new(), self.now);
        for _ in 0..runs {
            let rows = self.wait_run(self.done);
            self.done += 1;
            sizes.push(rows);
            self.go_to(self.now + cost(rows));
            self.rig.backends.release(1);
            self.answered(rows as usize);
        }
        (sizes, self.now - begun)
    }

    /// Waits for so many answers; their clients think.
    fn answered(&mut self, count: usize) {
        let mut left = count;
        while left > 0 {
            for client in 0..self.jobs.len() {
                if self.jobs[client]
                    .as_ref()
                    .is_some_and(|job| !job.handle.pending())
                {
                    self.jobs[client] = None;
                    self.clients[client] = Some(self.now + self.think + client as u64);
                    left -= 1;
                }
            }
            std::thread::yield_now();
        }
    }
}

/// A model that reads its weights in each run, whatever the rows (`mlp`): a microsecond figure.
fn mlp(rows: i64) -> u64 {
    1_200 + 80 * rows as u64
}

/// A model whose rows are slower together (`conv`).
fn conv(rows: i64) -> u64 {
    if rows == 1 {
        6_670
    } else {
        7_400 * rows as u64
    }
}

#[test]
fn half_batches_find_each_other() {
    let mut eight = Loop::new(Config::default(), 8, 100);
    eight.run(20, mlp);
    let (sizes, time) = eight.run(100, mlp);
    let rows: i64 = sizes.iter().sum();
    // In process it would be 8 rows in one run's time, and no time between.
    let share = rows as f64 / 8.0 * mlp(8) as f64 / time as f64;
    assert!(share > 0.85, "{share} {sizes:?}");

    let mut halves = Loop::new(
        Config {
            batch_wait: false,
            ..Config::default()
        },
        8,
        100,
    );
    halves.run(20, mlp);
    let (sizes, _) = halves.run(100, mlp);
    assert!(!sizes.contains(&8), "{sizes:?}");
}

#[test]
fn a_lone_client_never_waits() {
    let mut alone = Loop::new(Config::default(), 1, 100);
    let (sizes, time) = alone.run(200, mlp);
    assert_eq!(sizes, [1; 200]);
    // From the first request on: runs, and what the client thinks between them.
    assert_eq!(time, 200 * mlp(1) + 199 * 100);
}

#[test]
fn clients_that_think_long_are_not_waited_for() {
    let mut slow = Loop::new(Config::default(), 2, 3_000);
    slow.run(20, mlp);
    let begun = slow.now;
    let (sizes, time) = slow.run(100, mlp);
    let most = 50 * (2 * mlp(1) + 3_000);
    assert!(time <= most, "{time} {most} {begun} {sizes:?}");
}

#[test]
fn a_batch_that_pays_is_filled() {
    let mut many = Loop::new(Config::default(), 32, 100);
    many.run(20, mlp);
    let (sizes, time) = many.run(200, mlp);
    let rows: i64 = sizes.iter().sum();
    let share = rows as f64 / 32.0 * mlp(32) as f64 / time as f64;
    assert!(share > 0.85, "{share} {sizes:?}");
}

#[test]
fn a_batch_that_does_not_pay_is_given_up() {
    let mut many = Loop::new(Config::default(), 32, 100);
    let (sizes, learning) = many.run(60, conv);
    assert!(
        sizes.contains(&31) && learning < 4_000_000,
        "{learning} {sizes:?}"
    );
    let (sizes, time) = many.run(400, conv);
    let rows: i64 = sizes.iter().sum();
    let share = rows as f64 * conv(1) as f64 / time as f64;
    assert!(share > 0.97, "{share} {sizes:?}");
    assert_eq!(many.model.batching().unwrap().rows, 1);
}

#[test]
fn a_minimum_is_not_learned_away() {
    let mut many = Loop::new(Config::default(), 8, 100);
    many.model = many.rig.batched(
        "hold 1 1 other",
        Batch {
            size: 32,
            min_size: 4,
            min_timeout_ms: 0,
        },
    );
    let (sizes, _) = many.run(200, conv);
    assert!(sizes.iter().all(|&rows| rows >= 4), "{sizes:?}");
}
