//! The commands: registration, dispatch, one file a family.

mod config;
mod dag;
mod info;
mod model;
mod run;
mod scan;
mod script;
mod store;
mod tensor;

use crate::guard;
use crate::server::{Args, Ctx, RawCommand, drain_releases, raw, register_command};
use redisai_command::Error;
use std::os::raw::c_int;

type Handler = fn(Ctx<'_>, &Args<'_>) -> Result<(), Error>;
/// A command's name and its function for the server.
macro_rules! entry {
    ($name:literal, $handler:path) => {{
        extern "C" fn command(
            ctx: *mut raw::RedisModuleCtx,
            argv: *mut *mut raw::RedisModuleString,
            argc: c_int,
        ) -> c_int {
            guard::replying("command", ctx, |ctx| dispatch(ctx, argv, argc, $handler))
        }
        ($name, command as RawCommand)
    }};
}

fn handlers() -> [(&'static str, RawCommand); 22] {
    [
        entry!("AI.TENSORSET", tensor::set),
        entry!("AI.TENSORGET", tensor::get),
        entry!("AI.MODELSTORE", store::store),
        entry!("AI.MODELSET", store::set_deprecated),
        entry!("AI.MODELGET", model::get),
        entry!("AI.MODELDEL", model::del),
        entry!("AI.MODELEXECUTE", run::execute),
        entry!("AI.MODELRUN", run::run_deprecated),
        entry!("AI._MODELSCAN", scan::models),
        entry!("AI.SCRIPTSTORE", script::store),
        entry!("AI.SCRIPTSET", script::set_deprecated),
        entry!("AI.SCRIPTGET", script::get),
        entry!("AI.SCRIPTDEL", script::del),
        entry!("AI.SCRIPTEXECUTE", script::execute),
        entry!("AI.SCRIPTRUN", script::run_deprecated),
        entry!("AI._SCRIPTSCAN", scan::scripts),
        entry!("AI.DAGEXECUTE", dag::execute),
        entry!("AI.DAGEXECUTE_RO", dag::execute_ro),
        entry!("AI.DAGRUN", dag::run),
        entry!("AI.DAGRUN_RO", dag::run_ro),
        entry!("AI.INFO", info::info),
        entry!("AI.CONFIG", config::config),
    ]
}

/// Registers all of them. `None`: the server refused one.
pub(crate) fn register(ctx: Ctx<'_>) -> Option<()> {
    handlers().into_iter().try_for_each(|(name, function)| {
        register_command(ctx, redisai_command::command(name.as_bytes())?, function)
    })?;
    #[cfg(feature = "faults")]
    {
        let (name, function) = entry!("AI._FAULT", crate::faults::arm);
        let like = redisai_command::command(b"ai._modelscan")?;
        register_command(
            ctx,
            &redisai_command::CommandSpec { name, ..*like },
            function,
        )?;
    }
    Some(())
}

/// Runs a command, or tells the server where its keys are.
fn dispatch(ctx: Ctx<'_>, argv: *mut *mut raw::RedisModuleString, argc: c_int, handler: Handler) {
    drain_releases();
    // SAFETY: the server's arguments, alive and unchanged for the call.
    let args = unsafe { Args::new(argv, argc) };
    if ctx.asks_for_keys() {
        report_keys(ctx, &args);
        return;
    }
    if let Err(error) = handler(ctx, &args) {
        ctx.reply_error(&error.wire());
    }
}

fn report_keys(ctx: Ctx<'_>, args: &Args<'_>) {
    let argv = args.bytes();
    let spec = argv.first().and_then(|name| redisai_command::command(name));
    if let Some(spec) = spec {
        redisai_command::keys(spec, &argv, |at, access| ctx.key_at(at, access));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_command_of_the_table_has_a_handler() {
        let mut names: Vec<_> = super::handlers()
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        let mut table: Vec<_> = redisai_command::COMMANDS
            .iter()
            .map(|spec| spec.name)
            .collect();
        names.sort();
        table.sort_unstable();
        assert_eq!(names, table);
    }
}
