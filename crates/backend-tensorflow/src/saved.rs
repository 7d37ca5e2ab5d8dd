//! SavedModels: which signature, and what it is made of.

use crate::error::bad_model;
use crate::names::Names;
use crate::proto::{Asset, MetaGraph, SavedModel, Signature, TensorInfo};
use crate::survey::{Loading, Survey, no_graph, survey_saved};
use crate::walk::output_of;
use prost::Message;
use redisai_core::BackendError;
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// The signature that counts where no names are given.
const DEFAULT: &str = "serving_default";
/// The tag of the graph that serves.
const TAG: &str = "serve";
/// The signature by which newer SavedModels name what is run once at the start.
const INIT: &str = "__saved_model_init_op";
/// The collections by which older ones do.
const INITS: [&str; 2] = ["saved_model_main_op", "legacy_init_op"];
/// The collection of assets of older ones.
const ASSETS: &str = "saved_model_assets";

/// What a SavedModel is to run.
pub(crate) struct Plan {
    /// The names that clients see.
    pub(crate) names: Names,
    /// The graph's own, `node:index`, in the same order.
    pub(crate) tensors: Names,
    pub(crate) survey: Survey,
}

/// Reads the graph's file, chooses the signature, and refuses what a graph may not do.
pub(crate) fn plan(bytes: &[u8], names: Names) -> Result<Plan, BackendError> {
    let model = SavedModel::decode(bytes).map_err(|_| no_graph())?;
    // As TensorFlow chooses: this tag and no other.
    let meta = model.meta_graphs.iter().find(|meta| {
        let mut tags = meta.info.iter().flat_map(|info| &info.tags).peekable();
        tags.peek().is_some() && tags.all(|tag| tag == TAG)
    });
    let meta =
        meta.ok_or_else(|| bad_model("ERR the SavedModel has no graph with the tag serve"))?;
    let (names, tensors) = choose(meta, names)?;
    let graph = meta.graph.as_ref().ok_or_else(no_graph)?;
    let assets = assets(meta)?;
    let loading = loading(meta, &assets)?;
    let outputs = tensors.outputs.iter();
    let outputs = outputs.filter_map(|name| std::str::from_utf8(name).ok());
    let survey = survey_saved(graph, outputs, &loading)?;
    Ok(Plan {
        names,
        tensors,
        survey,
    })
}

/// What loading runs, and what it feeds.
fn loading<'a>(meta: &'a MetaGraph, assets: &'a [Asset]) -> Result<Loading<'a>, BackendError> {
    for asset in assets {
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        if asset.filename.is_empty() || !Path::new(&asset.filename).components().all(inside) {
            let text = format!(
                "ERR the SavedModel has an asset outside of it: {}",
                asset.filename
            );
            return Err(bad_model(text));
        }
    }
    let init = meta.signatures.get(INIT).into_iter();
    let init = init.flat_map(|signature| signature.outputs.values());
    let collections = INITS.iter().filter_map(|name| meta.collections.get(*name));
    let listed = collections.filter_map(|collection| collection.nodes.as_ref());
    let listed = listed.flat_map(|nodes| nodes.value.iter().map(String::as_str));
    let fed = assets.iter().filter_map(|asset| asset.tensor.as_ref());
    Ok(Loading {
        restore: meta.saver.iter().map(|it| it.restore.as_str()).collect(),
        init: init.map(|info| info.name.as_str()).chain(listed).collect(),
        variables: meta.saver.as_ref().map(|it| output_of(&it.filename)),
        assets: fed.map(|info| output_of(&info.name)).collect(),
    })
}

/// The assets, where TensorFlow looks for them: older SavedModels have a collection of them.
fn assets(meta: &MetaGraph) -> Result<Vec<Asset>, BackendError> {
    if !meta.assets.is_empty() {
        return Ok(meta.assets.clone());
    }
    let collection = meta.collections.get(ASSETS);
    let messages = collection.and_then(|it| it.messages.as_ref());
    let messages = messages.into_iter().flat_map(|list| &list.value);
    let assets = messages.map(|message| Asset::decode(message.value.as_slice()));
    assets.collect::<Result<_, _>>().map_err(|_| no_graph())
}

/// The names that clients see, and the graph's.
fn choose(meta: &MetaGraph, names: Names) -> Result<(Names, Names), BackendError> {
    let default = meta.signatures.get(DEFAULT);
    let chosen = if names.is_empty() {
        default.ok_or_else(|| {
            bad_model(format!(
                "ERR the SavedModel has no signature {DEFAULT}: give INPUTS and OUTPUTS"
            ))
        })?
    } else {
        let all = default.into_iter().chain(meta.signatures.values());
        all.into_iter()
            .find(|signature| has(signature, &names))
            .ok_or_else(|| missing(meta, &names))?
    };
    let names = if names.is_empty() {
        let keys = |map: &BTreeMap<String, TensorInfo>| {
            map.keys().map(|key| key.clone().into_bytes()).collect()
        };
        Names {
            inputs: keys(&chosen.inputs),
            outputs: keys(&chosen.outputs),
        }
    } else {
        names
    };
    let tensors = |names: &[Vec<u8>], map: &BTreeMap<String, TensorInfo>| {
        let found = names.iter().filter_map(|name| get(map, name));
        found.map(|info| info.name.clone().into_bytes()).collect()
    };
    let tensors = Names {
        inputs: tensors(&names.inputs, &chosen.inputs),
        outputs: tensors(&names.outputs, &chosen.outputs),
    };
    Ok((names, tensors))
}

fn get<'a>(map: &'a BTreeMap<String, TensorInfo>, name: &[u8]) -> Option<&'a TensorInfo> {
    map.get(std::str::from_utf8(name).ok()?)
}

fn has(signature: &Signature, names: &Names) -> bool {
    names
        .inputs
        .iter()
        .all(|name| get(&signature.inputs, name).is_some())
        && names
            .outputs
            .iter()
            .all(|name| get(&signature.outputs, name).is_some())
}

/// The contract's text for the first name that no signature has.
fn missing(meta: &MetaGraph, names: &Names) -> BackendError {
    let any = |name: &[u8], map: fn(&Signature) -> &BTreeMap<String, TensorInfo>| {
        meta.signatures
            .values()
            .any(|signature| get(map(signature), name).is_some())
    };
    if let Some(name) = names.inputs.iter().find(|name| !any(name, |it| &it.inputs)) {
        return crate::graph::no_input(name);
    }
    if let Some(name) = names
        .outputs
        .iter()
        .find(|name| !any(name, |it| &it.outputs))
    {
        return crate::graph::no_output(name);
    }
    bad_model("ERR no signature of the SavedModel has all of these INPUTS and OUTPUTS")
}
