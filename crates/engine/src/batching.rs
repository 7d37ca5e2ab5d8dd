//! What `AI.INFO` shows of a model's batching.

/// What the engine has learned about a model whose requests may share runs. `RESETSTAT` keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchInfo {
    /// The most rows that a run takes as things are: `BATCHSIZE`, or fewer where more do not pay
    /// (never fewer than `MINBATCHSIZE`) or the model fixes them itself.
    pub rows: u64,
    /// Whether joined runs were given up: the model's outputs had not the rows of its inputs.
    pub given_up: bool,
    /// For each size of run that was seen, its smallest number of rows (1, 2, 4, 8, …) and the
    /// nanoseconds that one row takes in such a run.
    pub row_nanos: Vec<(u64, u64)>,
    /// How long after a run as many requests have come as it served, in nanoseconds; 0: not known.
    pub back_nanos: u64,
}
