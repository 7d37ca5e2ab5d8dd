//! What would be loaded from where: for `redisai-rs doctor` and the log.

use crate::loader::Loader;
use crate::{elf, places};
use redisai_core::BackendKind;

/// What was found for one backend, without loading anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The backend's wire name.
    pub backend: &'static str,
    /// The path of its library, there or not.
    pub library: String,
    /// The framework's main library; a bare name where only the system's search could find it.
    pub framework: Option<String>,
    /// The wheel that brought it, as its record is named (`onnxruntime`).
    pub wheel: Option<String>,
    /// That wheel's version.
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
        let mut found = Discovery {
            backend: kind.name(),
            library: path.to_string_lossy().into_owned(),
            framework: None,
            wheel: None,
            version: None,
            searched: Vec::new(),
            problem: elf::check(&path).err().map(|error| error.text),
        };
        let Some(search) = self.search(kind) else {
            return found;
        };
        found.searched = search.places.iter().map(ToString::to_string).collect();
        if let Some(framework) = &search.found {
            found.framework = Some(framework.library.to_string_lossy().into_owned());
            let record = places::version_in(&framework.site_packages, search.framework);
            (found.wheel, found.version) = record.unzip();
            return found;
        }
        let soname = search.framework.soname;
        let system = places::system_library(soname, self.environment());
        match system.filter(|_| !search.is_named()) {
            Some(library) => found.framework = Some(library.to_string_lossy().into_owned()),
            None => {
                found.problem.get_or_insert_with(|| search.not_found());
            }
        }
        found
    }
}
