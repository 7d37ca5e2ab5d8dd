//! What the server is told of each command: flags, keys, documentation. Plain data.

mod dag;
mod model;
mod other;
mod script;
mod tensor;
#[cfg(test)]
mod tests;

use crate::keys::KeyRule;

/// A command, as it is registered.
#[derive(Debug)]
pub struct CommandSpec {
    /// The registered name, lower case.
    pub name: &'static str,
    /// Flags for `RM_CreateCommand`.
    pub flags: &'static str,
    /// First key, last key, step: for servers without key specs. RedisAI's figures.
    pub static_keys: (i32, i32, i32),
    /// ACL categories of the server, separated by blanks; `write` and `read` follow from the flags.
    pub categories: &'static str,
    /// Where its keys stand, in every form.
    pub keys: KeyRule,
    /// Where its keys stand, as far as key specs can say it.
    pub key_specs: &'static [KeySpec],
    /// One sentence.
    pub summary: &'static str,
    /// The cost, in `O` notation and words.
    pub complexity: &'static str,
    /// The version of RedisAI that had it first.
    pub since: &'static str,
    /// Changes: version and what changed.
    pub history: &'static [(&'static str, &'static str)],
    /// The arguments behind the name.
    pub args: &'static [ArgSpec],
}

/// What a command does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads its value.
    Read,
    /// Puts a value in place of whatever is there.
    Overwrite,
    /// Removes it.
    Delete,
    /// Reads and changes it, as a script may do.
    Update,
    /// Nothing: it is no key, but says which slot the command belongs to.
    Route,
}

/// A key spec of the server (7.0 on).
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// What is done with the keys.
    pub access: Access,
    /// Where to begin.
    pub begin: Begin,
    /// Which arguments from there on are keys.
    pub find: Find,
    /// The spec does not find every key in every form: the server must ask getkeys. A spec that
    /// looks for a keyword never does, since a key may have the keyword's name.
    pub incomplete: bool,
}

/// Where a key spec begins.
#[derive(Clone, Copy, Debug)]
pub enum Begin {
    /// At this argument.
    Index(i32),
    /// Behind this word, looked for from this argument on.
    Keyword(&'static str, i32),
}

/// Which arguments are keys, counted from where the spec begins.
#[derive(Clone, Copy, Debug)]
pub enum Find {
    /// Up to `last` (negative: from the end), each `step` arguments.
    Range {
        /// The last key.
        last: i32,
        /// The distance between keys.
        step: i32,
    },
    /// As many as the argument `index` says, from `first` on.
    KeyNum {
        /// The argument with the number.
        index: i32,
        /// The first key.
        first: i32,
        /// The distance between keys.
        step: i32,
    },
}

impl KeySpec {
    /// The one key at argument 1.
    const fn first(access: Access) -> Self {
        Self {
            access,
            begin: Begin::Index(1),
            find: Find::Range { last: 0, step: 1 },
            incomplete: false,
        }
    }

    /// Keys behind a word that is looked for from argument `from` on.
    const fn keyword(access: Access, word: &'static str, from: i32, find: Find) -> Self {
        Self {
            access,
            begin: Begin::Keyword(word, from),
            find,
            incomplete: true,
        }
    }

    const fn incomplete(mut self) -> Self {
        self.incomplete = true;
        self
    }
}

/// The kind of an argument in `COMMAND DOCS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// Any bytes.
    String,
    /// An integer.
    Integer,
    /// The name of a key.
    Key,
    /// The token alone.
    PureToken,
    /// All of the sub-arguments, in order.
    Block,
    /// One of the sub-arguments.
    OneOf,
}

/// An argument in `COMMAND DOCS`.
#[derive(Clone, Copy, Debug)]
pub struct ArgSpec {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: ArgKind,
    /// For a key: its position in [`CommandSpec::key_specs`].
    pub key_spec: Option<usize>,
    /// The word in front of it.
    pub token: Option<&'static str>,
    /// It may be left out.
    pub optional: bool,
    /// It may be repeated; the token is not, unless `token_repeats`.
    pub multiple: bool,
    /// Each repetition has its token in front.
    pub token_repeats: bool,
    /// Sub-arguments of a block or a choice.
    pub args: &'static [Self],
}

impl ArgSpec {
    const fn new(name: &'static str, kind: ArgKind) -> Self {
        Self {
            name,
            kind,
            key_spec: None,
            token: None,
            optional: false,
            multiple: false,
            token_repeats: false,
            args: &[],
        }
    }

    const fn string(name: &'static str) -> Self {
        Self::new(name, ArgKind::String)
    }

    const fn integer(name: &'static str) -> Self {
        Self::new(name, ArgKind::Integer)
    }

    const fn key(name: &'static str, key_spec: usize) -> Self {
        let mut arg = Self::new(name, ArgKind::Key);
        arg.key_spec = Some(key_spec);
        arg
    }

    /// A word that stands for itself.
    const fn word(name: &'static str, token: &'static str) -> Self {
        Self::new(name, ArgKind::PureToken).token(token)
    }

    const fn block(name: &'static str, args: &'static [Self]) -> Self {
        let mut arg = Self::new(name, ArgKind::Block);
        arg.args = args;
        arg
    }

    const fn one_of(name: &'static str, args: &'static [Self]) -> Self {
        let mut arg = Self::new(name, ArgKind::OneOf);
        arg.args = args;
        arg
    }

    const fn token(mut self, token: &'static str) -> Self {
        self.token = Some(token);
        self
    }

    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    const fn multiple(mut self) -> Self {
        self.multiple = true;
        self
    }

    /// May be repeated, each time with its token.
    const fn repeated(mut self) -> Self {
        self.multiple = true;
        self.token_repeats = true;
        self
    }
}

/// Every command that this build has.
pub static COMMANDS: [&CommandSpec; 22] = [
    &tensor::SET,
    &tensor::GET,
    &model::STORE,
    &model::SET,
    &model::GET,
    &model::DEL,
    &model::EXECUTE,
    &model::RUN,
    &model::SCAN,
    &script::STORE,
    &script::SET,
    &script::GET,
    &script::DEL,
    &script::EXECUTE,
    &script::RUN,
    &script::SCAN,
    &dag::EXECUTE,
    &dag::EXECUTE_RO,
    &dag::RUN,
    &dag::RUN_RO,
    &other::INFO,
    &other::CONFIG,
];

/// The command of this name, without regard to case.
pub fn command(name: &[u8]) -> Option<&'static CommandSpec> {
    COMMANDS
        .iter()
        .copied()
        .find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
}
