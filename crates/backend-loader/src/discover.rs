//! What would be loaded from where: for `redisai-rs doctor` and the log.

use crate::loader::{Loader, Search, not_found};
use crate::{elf, places};
use redisai_core::BackendKind;

/// What was found for one backend, without loading anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The backend's wire name.
    pub backend: &'static str,
    /// The path of its library, there or not.
    pub library: String,
    /// Whether that file is there.
    pub installed: bool,
    /// The framework's main library, if one was found.
    pub framework: Option<String>,
    /// The wheel that brought it, as its record is named (`onnxruntime`).
    pub wheel: Option<String>,
    /// The framework's version: the wheel's, else that in the library's name.
    pub version: Option<String>,
    /// Where the framework was looked for, in order.
    pub searched: Vec<String>,
    /// Why the backend cannot run, in words; none: it should.
    pub problem: Option<String>,
}

impl Loader {
    /// Looks for every backend and its framework. Reads files and directories; loads and runs nothing.
    pub fn discover(&self) -> Vec<Discovery> {
        BackendKind::ALL
            .into_iter()
            .map(|kind| self.discover_one(kind))
            .collect()
    }

    /// The same for one backend.
    pub fn discover_one(&self, kind: BackendKind) -> Discovery {
        let path = self.library_path(kind, None);
        let problem = match std::fs::metadata(&path) {
            Err(error) => Some(not_found(kind, &path, &error)),
            Ok(_) => elf::check(&path).err(),
        };
        let mut found = Discovery {
            backend: kind.name(),
            library: path.to_string_lossy().into_owned(),
            installed: path.exists(),
            problem: problem.map(|error| error.text),
            ..Discovery::default()
        };
        if let Some(search) = self.search(kind) {
            self.describe_framework(&search, &mut found);
        }
        found
    }

    fn describe_framework(&self, search: &Search, found: &mut Discovery) {
        found.searched = search.places.iter().map(ToString::to_string).collect();
        let library = if let Some(framework) = &search.found {
            let record = places::version_in(&framework.site_packages, search.framework);
            (found.wheel, found.version) = record.unzip();
            Some(framework.library.clone())
        } else if search.is_named() {
            None
        } else {
            places::system_library(search.framework, self.environment()).map(|seen| seen.1)
        };
        let Some(library) = library else {
            found.problem.get_or_insert_with(|| search.not_found());
            return;
        };
        if found.version.is_none() {
            found.version = places::version_of_file(&library, search.framework);
        }
        if let (None, Err(error)) = (&found.problem, elf::check(&library)) {
            found.problem = Some(error.text);
        }
        found.framework = Some(library.to_string_lossy().into_owned());
    }
}
