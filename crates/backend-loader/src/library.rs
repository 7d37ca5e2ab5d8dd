//! Opens a library and checks its table.

use crate::host::LibraryHost;
use crate::{LoadError, Reason, elf};
use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};
use redisai_backend_abi::{
    RAI_ABI_VERSION, RAI_ENTRY_SYMBOL, RAI_OK, RaiBackend, RaiBytes, RaiEntry, RaiInfo, RaiLoad,
    RaiLoaded, RaiPair, RaiPairs, RaiRun, RaiTensor, RaiText, RaiView,
};
use redisai_core::HostServices;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

/// Symbols of RedisAI 1.2's own backends, to tell their user what they are.
const REFERENCE_SYMBOLS: [&str; 4] = [
    "RAI_InitBackendTF",
    "RAI_InitBackendTFLite",
    "RAI_InitBackendTorch",
    "RAI_InitBackendORT",
];

type Init = unsafe extern "C" fn(*const RaiPair, usize, *mut RaiInfo, *mut RaiText) -> i32;
type Load = unsafe extern "C" fn(*const RaiLoad, *mut RaiLoaded, *mut RaiText) -> i32;
type Unload = unsafe extern "C" fn(u64);
type Run = unsafe extern "C" fn(
    u64,
    *const RaiRun,
    *const RaiView,
    usize,
    *mut RaiTensor,
    usize,
    *mut RaiText,
) -> i32;
type Cancel = unsafe extern "C" fn(u64);
type Info = unsafe extern "C" fn(u64, *mut RaiPairs);

/// The functions of a table that was checked: what must be there is there.
#[derive(Clone, Copy)]
pub(crate) struct Functions {
    pub(crate) init: Init,
    pub(crate) load: Load,
    pub(crate) unload: Unload,
    pub(crate) run: Run,
    pub(crate) cancel: Option<Cancel>,
    pub(crate) info: Option<Info>,
}

/// A library of this process: it is never unloaded.
pub(crate) struct Library {
    pub(crate) path: PathBuf,
    /// The backend's own name.
    pub(crate) name: String,
    pub(crate) functions: Functions,
}

impl Library {
    /// Opens the file and asks for its table.
    pub(crate) fn open(path: &Path, services: Arc<dyn HostServices>) -> Result<Self, LoadError> {
        elf::check(path)?;
        // SAFETY: the library's initialisers run: whoever names it as a backend trusts it.
        let handle = unsafe { Handle::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
        let handle = handle.map_err(|error| unloadable(path, &error))?;
        let entry = entry_of(&handle, path);
        // Never unloaded, refused or not: its threads and thread-locals may live on.
        std::mem::forget(handle);
        let table = ask(entry?, path, services)?;
        let functions = functions_of(&table, path)?;
        // SAFETY: the name lives for ever, says the ABI.
        let name = unsafe { table.name.as_slice() };
        Ok(Self {
            path: path.to_owned(),
            name: String::from_utf8_lossy(name).into_owned(),
            functions,
        })
    }
}

fn entry_of(handle: &Handle, path: &Path) -> Result<RaiEntry, LoadError> {
    // SAFETY: a symbol of this name has this type, says the ABI.
    if let Ok(entry) = unsafe { handle.get::<RaiEntry>(RAI_ENTRY_SYMBOL) } {
        return Ok(*entry);
    }
    let shown = path.display();
    let reference = REFERENCE_SYMBOLS.iter().any(|symbol| {
        // SAFETY: only looked for, never called.
        unsafe { handle.get::<unsafe extern "C" fn()>(*symbol) }.is_ok()
    });
    let text = if reference {
        format!(
            "{shown} is a backend of RedisAI 1.2, which does not fit: use the one of redisai-rs"
        )
    } else {
        format!("{shown} exports no {RAI_ENTRY_SYMBOL}: it is no backend library of redisai-rs")
    };
    Err(LoadError::new(Reason::Incompatible, text))
}

/// Calls the entry and copies as much of the table as it says it has; the rest stays null.
fn ask(
    entry: RaiEntry,
    path: &Path,
    services: Arc<dyn HostServices>,
) -> Result<RaiBackend, LoadError> {
    let shown = path.display();
    let refuse = |text: String| LoadError::new(Reason::Incompatible, text);
    let host = LibraryHost::leak(services);
    let mut given: *const RaiBackend = ptr::null();
    // SAFETY: as the ABI says: a host that lives for ever, a place for the table.
    let code = unsafe { entry(host.table(), &raw mut given) };
    if code != RAI_OK || given.is_null() {
        let text = format!(
            "{shown} was built for another ABI of redisai-rs than {RAI_ABI_VERSION}: build or install it anew"
        );
        return Err(refuse(text));
    }
    // SAFETY: both stand at the beginning of every version of the table.
    let (version, size) = unsafe { ((*given).abi_version, (*given).size as usize) };
    if version != RAI_ABI_VERSION {
        let text = format!(
            "{shown} has ABI version {version}, this module has {RAI_ABI_VERSION}: build or install both from one release"
        );
        return Err(refuse(text));
    }
    if size < std::mem::offset_of!(RaiBackend, cancel) {
        let text = format!("{shown} gives a table of {size} bytes, which is too short");
        return Err(refuse(text));
    }
    let mut table = EMPTY;
    // SAFETY: the table has `size` bytes; every member that is left out stays null.
    unsafe {
        ptr::copy_nonoverlapping(
            given.cast::<u8>(),
            (&raw mut table).cast::<u8>(),
            size.min(size_of::<RaiBackend>()),
        );
    }
    Ok(table)
}

const EMPTY: RaiBackend = RaiBackend {
    abi_version: 0,
    size: 0,
    name: RaiBytes::EMPTY,
    init: None,
    load: None,
    unload: None,
    run: None,
    cancel: None,
    info: None,
};

fn functions_of(table: &RaiBackend, path: &Path) -> Result<Functions, LoadError> {
    let missing = |name: &str| {
        let text = format!("{} gives a table without {name}", path.display());
        LoadError::new(Reason::Incompatible, text)
    };
    Ok(Functions {
        init: table.init.ok_or_else(|| missing("init"))?,
        load: table.load.ok_or_else(|| missing("load"))?,
        unload: table.unload.ok_or_else(|| missing("unload"))?,
        run: table.run.ok_or_else(|| missing("run"))?,
        cancel: table.cancel,
        info: table.info,
    })
}

fn unloadable(path: &Path, error: &libloading::Error) -> LoadError {
    // The system's own words stand in the source.
    let words = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    let shown = path.display().to_string();
    let words = words.strip_prefix(&format!("{shown}: ")).unwrap_or(&words);
    let text = format!("{shown} could not be loaded: {words}");
    LoadError::new(Reason::Unloadable, text)
}
