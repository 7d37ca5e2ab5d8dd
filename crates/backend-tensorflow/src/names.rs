//! The names that a model is stored with.

/// Names of inputs and outputs, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) inputs: Vec<Vec<u8>>,
    pub(crate) outputs: Vec<Vec<u8>>,
}

impl Names {
    /// Of a request's options.
    pub(crate) fn of(options: &[(String, Vec<u8>)]) -> Self {
        let all = |wanted: &str| {
            let named = options.iter().filter(|option| option.0 == wanted);
            named.map(|option| option.1.clone()).collect()
        };
        Self {
            inputs: all("input"),
            outputs: all("output"),
        }
    }

    /// Whether none was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.outputs.is_empty()
    }
}
