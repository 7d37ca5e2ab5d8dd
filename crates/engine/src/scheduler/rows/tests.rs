//! Joining and splitting, against what it means: rows one behind the other.

use super::*;

/// The elements of a tensor, each as its bytes.
fn elements(tensor: &Tensor) -> Vec<Vec<u8>> {
    match tensor.dtype() {
        DType::String => tensor.strings().map(<[u8]>::to_vec).collect(),
        dtype => {
            let chunks = tensor.bytes().chunks_exact(dtype.size());
            chunks.map(<[u8]>::to_vec).collect()
        }
    }
}

#[cfg(not(loom))]
mod plain {
    use super::*;
    use proptest::prelude::*;

    /// One tensor for each number of rows, of these inner dims.
    fn tensors(dtype: DType, rows: &[i64], inner: &[i64], seed: u8) -> Vec<Arc<Tensor>> {
        let mut byte = seed;
        let mut next = || {
            byte = byte.wrapping_mul(31).wrapping_add(7);
            byte
        };
        let tensor = |&own: &i64| {
            let dims: Vec<_> = std::iter::once(own).chain(inner.iter().copied()).collect();
            let shape = Shape::new(&dims).unwrap();
            let count = shape.elements();
            Arc::new(match dtype {
                DType::String => {
                    let strings: Vec<Vec<u8>> = (0..count)
                        .map(|_| vec![next(); usize::from(next()) % 4])
                        .collect();
                    let strings: Vec<_> = strings.iter().map(Vec::as_slice).collect();
                    Tensor::from_strings(shape, &strings).unwrap()
                }
                DType::Bool => {
                    let bytes: Vec<u8> = (0..count).map(|_| next() & 1).collect();
                    Tensor::new(dtype, shape, Box::new(bytes)).unwrap()
                }
                _ => {
                    let bytes: Vec<u8> = (0..count * dtype.size()).map(|_| next()).collect();
                    Tensor::new(dtype, shape, Box::new(bytes)).unwrap()
                }
            })
        };
        rows.iter().map(tensor).collect()
    }

    proptest! {
        #[test]
        fn each_member_gets_its_own_rows_back(
            dtypes in proptest::collection::vec(0..DType::all().count(), 1..3),
            rows in proptest::collection::vec(1_i64..5, 1..6),
            inner in proptest::collection::vec(1_i64..4, 0..3),
            seed in any::<u8>(),
        ) {
            let kinds: Vec<_> = dtypes.iter().map(|&at| DType::all().nth(at).unwrap()).collect();
            let columns: Vec<Vec<Arc<Tensor>>> =
                kinds.iter().map(|&kind| tensors(kind, &rows, &inner, seed)).collect();
            let members: Vec<Inputs> = (0..rows.len())
                .map(|at| columns.iter().map(|column| Arc::clone(&column[at])).collect())
                .collect();
            let joined = join(&members.iter().collect::<Vec<_>>()).unwrap();
            let total: i64 = rows.iter().sum();
            prop_assert_eq!(rows_of(&joined), total as u64);
            for (place, column) in columns.iter().enumerate() {
                let expected: Vec<_> = column.iter().flat_map(|one| elements(one)).collect();
                prop_assert_eq!(elements(&joined[place]), expected);
                prop_assert_eq!(joined[place].bytes().as_ptr() as usize % 64, 0);
            }
            let outputs: RunOutput = joined.into_iter().map(Some).chain([None]).collect();
            let mut from = 0;
            for (member, &own) in members.iter().zip(&rows) {
                let sliced = slice(&outputs, from, own as u64).unwrap();
                from += own as u64;
                prop_assert!(sliced.last().unwrap().is_none());
                for (output, input) in sliced.iter().flatten().zip(member) {
                    prop_assert_eq!(output.shape(), input.shape());
                    prop_assert_eq!(output.dtype(), input.dtype());
                    prop_assert_eq!(elements(output), elements(input));
                }
            }
        }

        /// Whatever an output is, a slice of it is some rows or none: nothing is read outside.
        #[test]
        fn a_slice_never_reaches_outside(
            rows in 1_i64..5, from in any::<u64>(), count in any::<u64>(), small in 0_u64..8,
        ) {
            for dtype in [DType::Float, DType::String] {
                let tensor = tensors(dtype, &[rows], &[2], 1).remove(0);
                let all = elements(&tensor);
                let outputs: RunOutput = [Some(tensor)].into_iter().collect();
                for (from, count) in [(from, count), (small, count), (from, small), (small, small)] {
                    let inside = from.checked_add(count).is_some_and(|end| end <= rows as u64);
                    let sliced = slice(&outputs, from, count);
                    prop_assert_eq!(sliced.is_ok(), inside);
                    if let Ok(sliced) = sliced {
                        let found = elements(sliced[0].as_ref().unwrap());
                        let (from, end) = (2 * from as usize, 2 * (from + count) as usize);
                        prop_assert_eq!(found.as_slice(), &all[from..end]);
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_not_joined() {
        let one = |dtype, dims: &[i64]| -> Inputs {
            let shape = Shape::new(dims).unwrap();
            [Arc::new(Tensor::zeros(dtype, shape).unwrap())]
                .into_iter()
                .collect()
        };
        let first = one(DType::Float, &[1, 2]);
        for other in [
            one(DType::Int32, &[1, 2]),
            one(DType::Float, &[1, 3]),
            one(DType::Float, &[1]),
            one(DType::Float, &[]),
            Inputs::new(),
        ] {
            assert!(join(&[&first, &other]).is_none(), "{other:?}");
        }
        assert!(join(&[]).is_none());
        assert!(join(&[&first, &one(DType::Float, &[3, 2])]).is_some());
    }

    #[test]
    fn rows_that_an_output_must_have() {
        let output = |dims: &[i64]| -> RunOutput {
            let shape = Shape::new(dims).unwrap();
            let tensor = Arc::new(Tensor::zeros(DType::Float, shape).unwrap());
            [None, Some(tensor)].into_iter().collect()
        };
        assert!(have_rows(&output(&[3, 2]), 3) && have_rows(&output(&[3]), 3));
        assert!(!have_rows(&output(&[2, 3]), 3) && !have_rows(&output(&[]), 3));
        assert!(!have_rows(&output(&[0, 3]), 3));
    }
}

/// `RUSTFLAGS="--cfg loom" cargo test -p redisai-engine --lib --release loom`
#[cfg(loom)]
mod loom_tests {
    use super::*;
    use crate::sync::{Mutex, lock};
    use crate::ticket::{End, Ticket};
    use loom::thread;

    /// What each client was told: how often, and the elements that it got.
    type Told = loom::sync::Arc<Mutex<(usize, Option<Vec<Vec<u8>>>)>>;

    fn input(rows: i64, value: u8) -> Inputs {
        let shape = Shape::new(&[rows, 2]).unwrap();
        let bytes = vec![value; shape.elements()];
        [Arc::new(
            Tensor::new(DType::UInt8, shape, Box::new(bytes)).unwrap(),
        )]
        .into_iter()
        .collect()
    }

    fn tell(told: &Told, output: Option<&RunOutput>) {
        let mut told = lock(told);
        told.0 += 1;
        told.1 = output.map(|output| elements(output[0].as_ref().unwrap()));
    }

    /// A worker joins what has not ended, runs it and shares the rows out, as the module
    /// `members` does, while the first member's deadline passes and the second one's client goes:
    /// each hears of one end, and rows that come to somebody are its own.
    #[test]
    fn rows_go_to_their_members_in_every_order() {
        loom::model(|| {
            let values = [(1, 7), (2, 8), (1, 9)];
            let told: Vec<Told> = values.iter().map(|_| Told::default()).collect();
            let tickets: Vec<_> = values
                .iter()
                .zip(&told)
                .map(|(&(rows, value), told)| {
                    loom::sync::Arc::new(Ticket::new(told.clone(), input(rows, value)))
                })
                .collect();
            let worker = {
                let tickets = tickets.clone();
                thread::spawn(move || {
                    let started = tickets.iter().filter_map(|one| Some((one, one.start(1)?)));
                    let members: Vec<_> = started.collect();
                    let inputs: Vec<_> = members.iter().map(|(_, inputs)| inputs).collect();
                    let outputs: RunOutput = join(&inputs).unwrap().into_iter().map(Some).collect();
                    let total = inputs.iter().map(|inputs| rows_of(inputs)).sum();
                    assert!(have_rows(&outputs, total));
                    let mut from = 0;
                    for (ticket, inputs) in &members {
                        let (start, rows) = (from, rows_of(inputs));
                        from += rows;
                        // Rows that nobody waits for are not copied.
                        let sliced = ticket.pending().then(|| slice(&outputs, start, rows));
                        if let Some(won) = ticket.end(End::Done) {
                            tell(&won.completion, Some(&sliced.unwrap().unwrap()));
                        }
                    }
                })
            };
            let timer = {
                let first = tickets[0].clone();
                thread::spawn(move || {
                    if let Some(won) = first.end(End::Expired) {
                        tell(&won.completion, None);
                    }
                })
            };
            if let Some(won) = tickets[1].end(End::Gone) {
                tell(&won.completion, None);
            }
            worker.join().unwrap();
            timer.join().unwrap();
            for (n, (told, (rows, value))) in told.iter().zip(values).enumerate() {
                let told = lock(told);
                assert_eq!(told.0, 1, "ends of member {n}");
                if let Some(elements) = &told.1 {
                    assert_eq!(*elements, vec![vec![value]; 2 * rows as usize]);
                }
                assert!(told.1.is_some() || n < 2, "the third has its rows");
            }
        });
    }
}
