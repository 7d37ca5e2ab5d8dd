//! Opens backends.

use crate::library::Library;
use crate::places::{self, Environment, Place};
use crate::proxy::Proxy;
use crate::{LoadError, Reason, frameworks, mapped, signals};
use redisai_backend_abi::{RAI_OPTION_FRAMEWORK, RAI_OPTION_SITE_PACKAGES};
use redisai_core::{Backend, BackendKind, HostServices};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// What a loader is told.
pub struct LoaderConfig {
    /// The module's (or extension's) own file, from which the search starts.
    pub module: Option<PathBuf>,
    /// `BACKENDSPATH`; left out: `backends` beside the module.
    pub backends_path: Option<PathBuf>,
    /// The load option `PYTHON`: a prefix, an interpreter or a site-packages directory.
    pub python: Option<PathBuf>,
    /// The environment variables.
    pub environment: Environment,
    /// `TEST_BACKENDS`: a backend of a name of its own may stand in for one of the four.
    pub test_backends: bool,
    /// Pairs for every backend's `init` (threads, memory limit, …); the names stand in the ABI.
    pub options: Vec<(String, Vec<u8>)>,
    /// What backends may ask of the door.
    pub services: Arc<dyn HostServices>,
}

/// Finds and opens backend libraries. A library is opened once in a process and never unloaded:
/// opening it again, also through another loader, gives the same backend.
pub struct Loader {
    config: LoaderConfig,
    backends_path: RwLock<Option<PathBuf>>,
}

/// Where a framework's library was found, or where it was looked for.
pub(crate) struct Search {
    pub(crate) found: Option<Found>,
    pub(crate) places: Vec<Place>,
    pub(crate) framework: &'static frameworks::Framework,
}

/// A framework's library.
pub(crate) struct Found {
    pub(crate) library: PathBuf,
    pub(crate) site_packages: PathBuf,
}

/// The libraries of this process by device and inode, as the system's loader tells them apart.
#[derive(Default)]
struct Opened(HashMap<(u64, u64), Slot>);

struct Slot {
    library: &'static Library,
    backend: Option<Arc<dyn Backend>>,
}

/// One lock for all: signal handlers are the process's.
static OPENED: Mutex<Option<Opened>> = Mutex::new(None);

impl Loader {
    /// A loader; nothing is looked for yet.
    pub fn new(config: LoaderConfig) -> Self {
        let beside = |module: &PathBuf| Some(module.parent()?.join("backends"));
        let backends_path = config
            .backends_path
            .clone()
            .or_else(|| config.module.as_ref().and_then(beside));
        Self {
            config,
            backends_path: RwLock::new(backends_path),
        }
    }

    /// The directory below which backends are looked for, if there is one.
    pub fn backends_path(&self) -> Option<PathBuf> {
        let path = self.backends_path.read();
        path.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another directory from now on.
    pub fn set_backends_path(&self, path: PathBuf) {
        let place = self.backends_path.write();
        *place.unwrap_or_else(PoisonError::into_inner) = Some(path);
    }

    /// The file that [`Loader::open`] would open: `redisai_<stem>/redisai_<stem>.so` or `path`, below
    /// the backends' directory unless it is absolute.
    pub fn library_path(&self, kind: BackendKind, path: Option<&Path>) -> PathBuf {
        let name = format!("redisai_{}", kind.library());
        let own = Path::new(&name).join(format!("{name}.so"));
        let path = path.unwrap_or(&own);
        // An absolute path replaces what it is joined to.
        self.backends_path()
            .map_or_else(|| path.to_owned(), |root| root.join(path))
    }

    /// Opens a backend, or gives the one that was opened from the same file before. Takes as long as
    /// the framework does: up to a second.
    pub fn open(
        &self,
        kind: BackendKind,
        path: Option<&Path>,
    ) -> Result<Arc<dyn Backend>, LoadError> {
        let path = self.library_path(kind, path);
        let identity = std::fs::metadata(&path).map_err(|error| not_found(kind, &path, &error))?;
        let identity = (identity.dev(), identity.ino());
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = &mut opened.get_or_insert_default().0;
        signals::restored(|| {
            let slot = match opened.entry(identity) {
                std::collections::hash_map::Entry::Occupied(slot) => slot.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    let library = Library::open(&path, Arc::clone(&self.config.services))?;
                    place.insert(Slot {
                        library: Box::leak(Box::new(library)),
                        backend: None,
                    })
                }
            };
            self.check_name(slot.library, kind)?;
            if let Some(backend) = &slot.backend {
                return Ok(Arc::clone(backend));
            }
            let backend = self.init(slot.library, kind)?;
            Ok(Arc::clone(slot.backend.insert(backend)))
        })
    }

    fn check_name(&self, library: &Library, kind: BackendKind) -> Result<(), LoadError> {
        let name = library.name.as_str();
        let stand_in = BackendKind::parse(name.as_bytes()).is_none();
        if name == kind.name() || (stand_in && self.config.test_backends) {
            return Ok(());
        }
        let hint = if stand_in {
            "; TEST_BACKENDS yes would let it stand in"
        } else {
            ""
        };
        let text = format!(
            "{} is the backend {name}, not {}{hint}",
            library.path.display(),
            kind.name()
        );
        Err(LoadError::new(Reason::OtherBackend, text))
    }

    fn init(
        &self,
        library: &'static Library,
        kind: BackendKind,
    ) -> Result<Arc<dyn Backend>, LoadError> {
        let search = self.search(kind);
        let mut options = self.config.options.clone();
        let mut push = |name: &str, value: &Path| {
            options.push((name.to_owned(), value.as_os_str().as_encoded_bytes().into()));
        };
        let found = search.as_ref().and_then(|search| search.found.as_ref());
        match (&search, found) {
            (_, Some(found)) => {
                only_copy(kind, &found.library)?;
                push(RAI_OPTION_FRAMEWORK, &found.library);
                push(RAI_OPTION_SITE_PACKAGES, &found.site_packages);
            }
            // Whoever names a Python means that one.
            (Some(search), None) if search.is_named() && library.name == kind.name() => {
                return Err(LoadError::new(
                    Reason::FrameworkNotFound,
                    search.not_found(),
                ));
            }
            (Some(search), None) => {
                push(
                    RAI_OPTION_FRAMEWORK,
                    Path::new(search.soname(self.environment())),
                );
            }
            (None, None) => {}
        }
        match Proxy::init(library, &options) {
            Ok(proxy) => Ok(Arc::new(proxy)),
            Err(error) => {
                // Where nothing is seen anywhere, the framework's absence is the likely reason.
                let absent = search.filter(|search| !search.is_seen(self.environment()));
                Err(init_failed(library, absent.as_ref(), &error.text))
            }
        }
    }

    /// Looks for a framework; none where this release knows none for the backend.
    pub(crate) fn search(&self, kind: BackendKind) -> Option<Search> {
        let framework = frameworks::of(kind)?;
        let places = places::of(
            self.config.python.as_deref(),
            self.config.module.as_deref(),
            &self.config.environment,
        );
        let found = places.iter().find_map(|place| {
            let site_packages = place.site_packages.clone()?;
            let library = places::library_in(&site_packages, framework)?;
            Some(Found {
                library,
                site_packages,
            })
        });
        Some(Search {
            found,
            places,
            framework,
        })
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.config.environment
    }
}

impl Search {
    /// Whether the user has said where the framework is.
    pub(crate) fn is_named(&self) -> bool {
        let named = |place: &Place| matches!(place.why, "PYTHON" | "REDISAI_PYTHON");
        self.places.iter().any(named)
    }

    /// Whether the framework is somewhere that one can see from outside.
    fn is_seen(&self, environment: &Environment) -> bool {
        self.found.is_some() || places::system_library(self.framework, environment).is_some()
    }

    /// What the system's own search is asked for.
    fn soname(&self, environment: &Environment) -> &'static str {
        let seen = places::system_library(self.framework, environment).map(|seen| seen.0);
        let first = self.framework.sonames.first().copied();
        seen.or(first).unwrap_or(self.framework.file)
    }

    /// "Not found" in words: what, where it was looked for, what to do.
    pub(crate) fn not_found(&self) -> String {
        let mut looked: Vec<String> = self.places.iter().map(ToString::to_string).collect();
        if !self.is_named() {
            looked.push("the system's library path".to_owned());
        }
        format!(
            "{} was not found in {}; install it with: pip install 'redisai-rs[{}]'",
            self.framework.file,
            looked.join(", "),
            self.framework.extra
        )
    }
}

/// PyTorch and TensorFlow can be in a process once: what has mapped another file of the library's
/// name has loaded another copy.
fn only_copy(kind: BackendKind, library: &Path) -> Result<(), LoadError> {
    if !matches!(kind, BackendKind::Torch | BackendKind::Tf) {
        return Ok(());
    }
    let Some(other) = mapped::other_copy(library) else {
        return Ok(());
    };
    let text = format!(
        "this process has loaded {} already, and a second copy from {} would not work beside it: \
         use one of the two installations",
        other.display(),
        library.display()
    );
    Err(LoadError::new(Reason::SecondCopy, text))
}

fn init_failed(library: &Library, absent: Option<&Search>, text: &str) -> LoadError {
    let text = text.strip_prefix("ERR ").unwrap_or(text);
    match absent {
        Some(search) => LoadError::new(
            Reason::FrameworkNotFound,
            format!("{} ({text})", search.not_found()),
        ),
        None => LoadError::new(
            Reason::InitFailed,
            format!("the backend {} did not start: {text}", library.name),
        ),
    }
}

pub(crate) fn not_found(kind: BackendKind, path: &Path, error: &std::io::Error) -> LoadError {
    let text = format!(
        "the backend {} is not there: {}: {error}; install redisai-rs anew, or say BACKENDSPATH",
        kind.name(),
        path.display()
    );
    LoadError::new(Reason::LibraryNotFound, text)
}

/// Whether a file lies below a directory, links and `..` resolved. A file that is not there does not.
pub fn is_below(directory: &Path, file: &Path) -> bool {
    match (directory.canonicalize(), file.canonicalize()) {
        (Ok(directory), Ok(file)) => file.starts_with(directory),
        _ => false,
    }
}
