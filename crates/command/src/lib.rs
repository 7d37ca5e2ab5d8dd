//! argv to command values: every `AI.*` grammar, without a Redis type.
//!
//! A command comes in as its whole argv (the name is argument 0) and goes out as a checked value.
//! Keys and blobs are named by their index in argv, so that the caller can hold the server's
//! string without a copy; names and tags are slices of the arguments. Nothing is allocated for
//! `AI.TENSORSET … BLOB`, `AI.TENSORGET`, `AI.MODELEXECUTE`.
//!
//! The order of errors is part of the contract. Where a key is looked up between two checks, the
//! value has two functions: `arity` for before, `parse` for after.
//!
//! | Command | Value | Before the key | After it |
//! |---|---|---|---|
//! | `AI.TENSORSET` | [`TensorSet`] | [`TensorSet::arity`] | [`TensorSet::parse`], [`TensorSet::into_tensor`] |
//! | `AI.TENSORGET` | [`TensorGet`], [`values`] | [`TensorGet::arity`] | [`TensorGet::parse`] |
//! | `AI.MODELSTORE` | [`ModelStore`] | [`ModelStore::parse`] | [`ModelStore::definition`], [`join`] |
//! | `AI.MODELSET` | [`ModelStore`] | [`ModelStore::parse_set`] | as above |
//! | `AI.MODELGET` | [`ModelGet`] | [`ModelGet::arity`] | [`ModelGet::parse`] |
//! | `AI.MODELDEL` | [`ModelDel`] | [`ModelDel::arity`] | |
//! | `AI.MODELEXECUTE` | [`ModelRun`] | [`ModelRun::arity`] | [`ModelRun::parse`] |
//! | `AI.MODELRUN` | [`ModelRun`] | [`ModelRun::run_arity`] | [`ModelRun::parse_run`] |
//! | `AI.SCRIPTSTORE` | [`ScriptStore`] | [`ScriptStore::parse`] | [`ScriptStore::definition`] |
//! | `AI.SCRIPTSET` | [`ScriptStore`] | [`ScriptStore::parse_set`] | as above |
//! | `AI.SCRIPTGET` | [`ScriptGet`] | [`ScriptGet::arity`] | [`ScriptGet::parse`] |
//! | `AI.SCRIPTDEL` | [`ScriptDel`] | [`ScriptDel::arity`] | |
//! | `AI.SCRIPTEXECUTE` | [`ScriptRun`] | [`ScriptRun::arity`] | [`ScriptRun::parse`] |
//! | `AI.SCRIPTRUN` | [`ScriptRun`] | [`ScriptRun::run_arity`] | [`ScriptRun::parse_run`] |
//! | `AI.DAGEXECUTE`, `AI.DAGRUN`, `…_RO` | [`Dag`] | | [`Dag::parse`], which asks a [`DagKeys`] |
//! | `AI._MODELSCAN` | [`ModelScan`] | [`ModelScan::arity`] | |
//! | `AI._SCRIPTSCAN` | [`ScriptScan`] | [`ScriptScan::arity`] | |
//! | `AI.INFO` | [`Info`] | [`Info::arity`] | [`Info::parse`] |
//! | `AI.CONFIG` | [`Config`] | [`Config::parse`] | |
//! | `loadmodule` | [`LoadOptions`] | [`LoadOptions::parse`] | |
//!
//! [`Error`] is the one table of error texts, [`COMMANDS`] what the server is told of each command
//! (flags, key specs, documentation), [`keys()`] answers getkeys.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod args;
mod config;
mod dag;
mod deprecated;
mod error;
mod info;
mod keys;
mod model;
#[cfg(test)]
mod model_tests;
pub mod number;
mod options;
mod run;
mod script;
mod spec;
mod tensor;
#[cfg(test)]
mod testing;

pub use config::Config;
pub use dag::{Dag, DagKeys, DagKind, DagOp, DagScript, Persist};
pub use error::{Echo, Error};
pub use info::Info;
pub use keys::{KeyRule, keys};
pub use model::{ModelDel, ModelGet, ModelScan, ModelStore, join};
pub use options::{BuildSessions, LoadBackendRule, LoadError, LoadOptions, Setting, SettingValue};
pub use run::ModelRun;
pub use script::{ScriptDel, ScriptGet, ScriptRun, ScriptScan, ScriptStore};
pub use spec::{Access, ArgKind, ArgSpec, Begin, COMMANDS, CommandSpec, Find, KeySpec, command};
pub use tensor::{Format, Limits, TensorGet, TensorSet, Value, Values, values};
