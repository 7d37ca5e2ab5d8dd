//! What a model's bytes say that LiteRT does not check or tell.

use crate::error::{BAD_SIGNATURE, EXTERNAL, bad_model, unsupported};
use crate::flatbuffer::{Reader, Table};
use redisai_core::BackendError;
use std::collections::BTreeSet;

/// Names of the built-in operators, by number.
const OPERATORS: &str = include_str!("operators.txt");
/// Operators with graphs of their own: CALL, IF, WHILE and StableHLO's two.
const CONTROL_FLOW: [u32; 5] = [31, 118, 119, 200, 209];
/// Operators whose first inputs may be left out: the LSTMs and CUSTOM.
const OPTIONAL: [u32; 4] = [16, 32, 44, 52];
/// Inputs that every other operator has, if it takes as many.
const NEEDED: usize = 2;
/// VAR_HANDLE: a variable that lives from run to run.
const VARIABLE: u32 = 142;
/// CUSTOM: the name stands in the model.
const CUSTOM: u32 = 32;
/// Operators that an error names.
const SHOWN: usize = 20;

/// Fields of the schema, as offsets in a vtable.
mod slot {
    pub(super) const MODEL_OPERATORS: usize = 6;
    pub(super) const MODEL_SUBGRAPHS: usize = 8;
    pub(super) const MODEL_BUFFERS: usize = 12;
    pub(super) const MODEL_SIGNATURES: usize = 18;
    pub(super) const MODEL_EXTERNAL: [usize; 2] = [20, 22];
    pub(super) const OPERATOR_DEPRECATED: usize = 4;
    pub(super) const OPERATOR_CUSTOM: usize = 6;
    pub(super) const OPERATOR_VERSION: usize = 8;
    pub(super) const OPERATOR_BUILTIN: usize = 10;
    pub(super) const GRAPH_INPUTS: usize = 6;
    pub(super) const GRAPH_OUTPUTS: usize = 8;
    pub(super) const GRAPH_OPERATORS: usize = 10;
    pub(super) const NODE_OPERATOR: usize = 4;
    pub(super) const NODE_INPUTS: usize = 6;
    pub(super) const NODE_OPTIONS_PLACE: usize = 22;
    pub(super) const NODE_OPTIONS_SIZE: usize = 24;
    pub(super) const BUFFER_PLACE: usize = 6;
    pub(super) const BUFFER_SIZE: usize = 8;
    pub(super) const SIGNATURE_INPUTS: usize = 4;
    pub(super) const SIGNATURE_OUTPUTS: usize = 6;
    pub(super) const SIGNATURE_KEY: usize = 8;
    pub(super) const SIGNATURE_GRAPH: usize = 12;
    pub(super) const VALUE_NAME: usize = 4;
    pub(super) const VALUE_TENSOR: usize = 6;
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Whether there are operators with graphs of their own.
    pub(crate) control_flow: bool,
    /// Whether the model has variables that live from run to run.
    pub(crate) stateful: bool,
    /// The operators and their versions, to be named in errors.
    operators: Vec<String>,
}

/// Walks the bytes of a model that LiteRT has read. Refuses what would make it abort or read outside
/// of them.
pub(crate) fn survey(bytes: &[u8]) -> Result<Survey, BackendError> {
    let Some(model) = Reader::root(bytes) else {
        return Err(bad_model(crate::error::NO_MODEL));
    };
    check_places(model, bytes.len())?;
    check_signatures(model)?;
    check_inputs(model)?;
    let mut survey = Survey::default();
    for operator in model.tables(slot::MODEL_OPERATORS) {
        let code = code_of(operator);
        survey.control_flow |= CONTROL_FLOW.contains(&code);
        survey.stateful |= code == VARIABLE;
        // Version 1 is the default of the field.
        let version = operator.u32(slot::OPERATOR_VERSION).max(1);
        survey
            .operators
            .push(format!("{} {version}", name_of(operator, code)));
    }
    Ok(survey)
}

impl Survey {
    /// Why the model cannot be compiled, as far as one can tell: LiteRT does not say.
    pub(crate) fn why_not_compiled(&self) -> String {
        let mut shown = self
            .operators
            .iter()
            .take(SHOWN)
            .cloned()
            .collect::<Vec<_>>();
        if self.operators.len() > SHOWN {
            shown.push("…".to_owned());
        }
        format!(
            "LiteRT lacks an operator, or its version, among those of the model: {}",
            shown.join(", ")
        )
    }
}

/// The number of an operator: what is beyond a byte stands in a field of its own.
fn code_of(operator: Table<'_>) -> u32 {
    let old = u32::try_from(operator.i8(slot::OPERATOR_DEPRECATED)).unwrap_or(0);
    operator.u32(slot::OPERATOR_BUILTIN).max(old)
}

fn name_of(operator: Table<'_>, code: u32) -> String {
    if code == CUSTOM {
        let name = operator.text(slot::OPERATOR_CUSTOM).unwrap_or_default();
        return String::from_utf8_lossy(name).into_owned();
    }
    let name = OPERATORS.lines().nth(code as usize);
    name.map_or_else(|| format!("operator {code}"), str::to_owned)
}

/// Data that lies outside the tables must lie in these bytes.
fn check_places(model: Table<'_>, len: usize) -> Result<(), BackendError> {
    let external = slot::MODEL_EXTERNAL.iter();
    if external
        .filter_map(|&slot| model.vector(slot))
        .any(|vector| vector.len() > 0)
    {
        return Err(unsupported(EXTERNAL));
    }
    let within = |table: Table<'_>, place, size| {
        let end = table.u64(place).checked_add(table.u64(size));
        end.is_some_and(|end| end <= len as u64)
    };
    let buffers = model
        .tables(slot::MODEL_BUFFERS)
        .all(|buffer| within(buffer, slot::BUFFER_PLACE, slot::BUFFER_SIZE));
    let options = model
        .tables(slot::MODEL_SUBGRAPHS)
        .flat_map(|graph| graph.tables(slot::GRAPH_OPERATORS))
        .all(|node| within(node, slot::NODE_OPTIONS_PLACE, slot::NODE_OPTIONS_SIZE));
    if buffers && options {
        Ok(())
    } else {
        Err(bad_model(crate::error::NO_MODEL))
    }
}

/// An operator without an input that it needs, -1 in the file, would read from nowhere.
fn check_inputs(model: Table<'_>) -> Result<(), BackendError> {
    let operators: Vec<Table<'_>> = model.tables(slot::MODEL_OPERATORS).collect();
    let graphs = model.tables(slot::MODEL_SUBGRAPHS);
    for node in graphs.flat_map(|graph| graph.tables(slot::GRAPH_OPERATORS)) {
        let Some(&operator) = operators.get(node.u32(slot::NODE_OPERATOR) as usize) else {
            return Err(bad_model(crate::error::NO_MODEL));
        };
        let code = code_of(operator);
        let mut first = node.numbers(slot::NODE_INPUTS).take(NEEDED);
        if !OPTIONAL.contains(&code) && first.any(|tensor| tensor == u32::MAX) {
            return Err(bad_model(format!(
                "ERR the model has an operator without an input that it needs: {}",
                name_of(operator, code)
            )));
        }
    }
    Ok(())
}

/// A signature's inputs and outputs have names and are those of its graph: LiteRT takes both for
/// granted, and ends the process with an exception otherwise.
fn check_signatures(model: Table<'_>) -> Result<(), BackendError> {
    let graphs: Vec<Table<'_>> = model.tables(slot::MODEL_SUBGRAPHS).collect();
    for signature in model.tables(slot::MODEL_SIGNATURES) {
        let graph = graphs.get(signature.u32(slot::SIGNATURE_GRAPH) as usize);
        let fits = graph.is_some_and(|&graph| {
            signature.text(slot::SIGNATURE_KEY).is_some()
                && same(signature, slot::SIGNATURE_INPUTS, graph, slot::GRAPH_INPUTS)
                && same(
                    signature,
                    slot::SIGNATURE_OUTPUTS,
                    graph,
                    slot::GRAPH_OUTPUTS,
                )
        });
        if !fits {
            return Err(bad_model(BAD_SIGNATURE));
        }
    }
    Ok(())
}

fn same(signature: Table<'_>, values: usize, graph: Table<'_>, tensors: usize) -> bool {
    let mut named = BTreeSet::new();
    for value in signature.tables(values) {
        if value.text(slot::VALUE_NAME).is_none() {
            return false;
        }
        named.insert(value.u32(slot::VALUE_TENSOR));
    }
    named == graph.numbers(tensors).collect()
}
