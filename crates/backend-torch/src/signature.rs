//! What a session says of its functions.

use crate::error::bad_model;
use crate::session::{Function, Kind, Session, Value};
use redisai_core::{BackendError, Signature, ValueInfo, ValueKind};

/// The signature of a model: `forward`, which takes tensors.
pub(crate) fn of_model(session: &Session) -> Result<Signature, BackendError> {
    let forward = session
        .functions
        .first()
        .ok_or_else(|| bad_model("ERR the model has no forward"))?;
    for value in &forward.inputs {
        let takes = matches!(value.kind, Kind::Tensor | Kind::Tensors) || value.has_default;
        if !takes {
            return Err(bad_model(format!(
                "ERR the model's input {} is neither a Tensor nor a List[Tensor]",
                String::from_utf8_lossy(&value.name)
            )));
        }
    }
    let lists = forward.inputs.iter().filter(|it| it.kind == Kind::Tensors);
    if lists.count() > 1 {
        return Err(bad_model(
            "ERR the model has more than one List[Tensor] among its inputs, so INPUTS cannot be told apart",
        ));
    }
    let mut function = describe(forward);
    function.name = Box::default();
    Ok(Signature {
        functions: vec![function],
        control_flow: session.control_flow,
    })
}

/// The signature of a script: all its functions, by name.
pub(crate) fn of_script(session: &Session) -> Signature {
    Signature {
        functions: session.functions.iter().map(describe).collect(),
        control_flow: true,
    }
}

fn describe(function: &Function) -> redisai_core::Function {
    let tensors = |it: &&Value| matches!(it.kind, Kind::Tensor | Kind::Tensors);
    let inputs = function.inputs.iter().filter(tensors);
    redisai_core::Function {
        name: function.name.clone(),
        inputs: inputs.clone().map(|input| value(&input.name)).collect(),
        outputs: function.outputs.iter().map(|it| value(&it.name)).collect(),
        variadic_inputs: inputs
            .clone()
            .any(|it| it.kind == Kind::Tensors || it.has_default),
        variadic_outputs: function.outputs.iter().any(|it| it.kind != Kind::Tensor),
    }
}

/// TorchScript's types say nothing of dtype or dimensions.
fn value(name: &[u8]) -> ValueInfo {
    ValueInfo {
        name: name.into(),
        kind: ValueKind::Tensor,
        ..ValueInfo::default()
    }
}
