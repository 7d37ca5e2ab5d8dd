//! A DAG's state under every order of its workers and its client.

/// `RUSTFLAGS="--cfg loom" cargo test -p redisai-engine --lib --release loom`
mod loom_tests {
    use super::super::*;
    use crate::sync::{Mutex, lock};
    use loom::sync::Arc;
    use loom::thread;

    /// What a DAG keeps behind its lock, and how often its end was told and its last operation
    /// started.
    struct Board(Mutex<(Progress<u32, usize>, Option<()>, usize, usize)>);

    impl Board {
        /// Two operations that a third waits for; the first two have been started.
        fn new() -> Arc<Self> {
            let wire = |inputs: &[usize], output| {
                let outputs: OutputSlots = [output].into_iter().collect();
                Wires {
                    inputs: InputSlots::from(inputs),
                    outputs,
                    ordered: false,
                }
            };
            let ops = vec![wire(&[0], 1), wire(&[0], 2), wire(&[1, 2], 3)];
            let (mut progress, step) =
                Progress::new(vec![Some(7), None, None, None], ops.into_iter());
            for position in step.ready {
                assert!(progress.start(position, |_, _| position).is_some());
            }
            Arc::new(Self(Mutex::new((progress, Some(()), 0, 0))))
        }

        /// As a completion does it.
        fn ended(&self, position: usize, result: Result<u32, ()>) {
            let mut state = lock(&self.0);
            if state.1.is_none() || !state.0.counts(position) {
                return;
            }
            let error = || BackendError::new(Status::RunFailed, "it failed");
            let result = result.map(|tensor| [Some(tensor)]).map_err(|()| error());
            let step = state.0.end(position, result);
            if step.over && state.1.take().is_some() {
                state.2 += 1;
            }
            drop(state);
            for position in step.ready {
                let mut state = lock(&self.0);
                if state.1.is_none() {
                    continue;
                }
                let started = state.0.start(position, |inputs, _| {
                    assert_eq!(inputs.as_slice(), [8, 9]);
                    position
                });
                state.3 += usize::from(started.is_some());
                drop(state);
                if let Some(position) = started {
                    self.ended(position, Ok(10));
                }
            }
        }

        fn gone(&self) {
            let mut state = lock(&self.0);
            if state.1.take().is_some() {
                state.0.running();
                state.2 += 1;
            }
        }
    }

    /// Two workers, and a client that may go: one end, and the third starts at most once.
    fn every_order(second: Result<u32, ()>, goes: bool) {
        loom::model(move || {
            let board = Board::new();
            let mut threads = Vec::new();
            for (position, result) in [(0, Ok(8)), (1, second)] {
                let board = Arc::clone(&board);
                threads.push(thread::spawn(move || board.ended(position, result)));
            }
            if goes {
                board.gone();
            }
            for thread in threads {
                thread.join().unwrap();
            }
            let state = lock(&board.0);
            assert_eq!(state.2, 1, "ends");
            let starts = usize::from(second.is_ok());
            assert!(state.3 <= starts && (goes || state.3 == starts));
        });
    }

    #[test]
    fn one_end_in_every_order() {
        every_order(Ok(9), false);
        every_order(Err(()), false);
        every_order(Ok(9), true);
        every_order(Err(()), true);
    }
}
