//! Shared libraries and their symbols.
//!
//! `inv:library.open` A library that was opened is never closed: C may have registered a handler in
//! it, started a thread or kept a function pointer, and nobody could know.
//!
//! `inv:library.libc` A function of libc is the one that every library of the process calls. Where an executable or a
//! preloaded library defines a name of libc's too, `dlsym` on libc's own handle would still give libc's: its `free`
//! would be handed the blocks of another `malloc`.
//!
//! A table of functions (`table`) is a library, too: one that was read once, and whose functions have numbers as well.
//!
//! Absent on purpose: a search path of our own. Names mean what they mean to `dlopen`.

use crate::error::FfiError;
use crate::symbol::module_of;
use crate::table::{self, FunctionTable, TableError};
use std::ffi::{CStr, CString};
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

/// A loaded library, the process itself, or a table of functions.
pub struct Library {
    /// As it was asked for; `None` for the process.
    name: Option<String>,
    source: Source,
}

/// Where its functions are found.
enum Source {
    /// By the dynamic linker.
    Loaded(NonNull<libc::c_void>),
    /// In what was read of a table.
    Table(Arc<FunctionTable>),
}

// SAFETY: the handle is an opaque token of the dynamic linker, which locks for itself.
unsafe impl Send for Library {}
// SAFETY: see `Send`; nothing in a library changes after it was opened.
unsafe impl Sync for Library {}

impl Library {
    /// Loads a library by the name or path that `dlopen` takes; `None` is the process itself and all
    /// that is loaded into it.
    ///
    /// Constructors of the library run here.
    pub fn open(name: Option<&str>) -> Result<Arc<Library>, FfiError> {
        if name == Some("") {
            return Err(FfiError::NamelessLibrary);
        }
        let c_name = name.map(c_string).transpose()?;
        let pointer = c_name.as_ref().map_or(std::ptr::null(), |n| n.as_ptr());
        // The last flag: it stays also where C closes it more often than it has opened it (inv:library.open).
        let flags = libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_NODELETE;
        // SAFETY: the name is null or ends with a NUL and lives through the call.
        let handle = unsafe { libc::dlopen(pointer, flags) };
        match NonNull::new(handle) {
            Some(handle) => Ok(Arc::new(Library {
                name: name.map(str::to_owned),
                source: Source::Loaded(handle),
            })),
            None => Err(FfiError::UnknownLibrary {
                library: name.unwrap_or("the process").to_owned(),
                reason: last_error(),
                near: name.and_then(near),
            }),
        }
    }

    /// The table of functions of this name: one that C has registered, or else the data of this symbol of `library`, by
    /// default of the process.
    ///
    /// That the symbol is one of a table the program says, as it says what type a function has; what is seen to be none
    /// is an error.
    pub fn table(name: &str, library: Option<&Library>) -> Result<Arc<Library>, FfiError> {
        let registered = library.map_or_else(|| table::registered(name), |_| None);
        let table = match (registered, library) {
            (Some(registered), _) => registered,
            (None, Some(library)) => library.read_table(name)?,
            (None, None) => Library::open(None)?.read_table(name)?,
        };
        Ok(Arc::new(Library {
            name: Some(name.to_owned()),
            source: Source::Table(table),
        }))
    }

    fn read_table(&self, name: &str) -> Result<Arc<FunctionTable>, FfiError> {
        let table = table::named(name);
        if self.is_table() {
            let within = self.to_string();
            return Err(TableError::Nested { table, within }.into());
        }
        let first = self.symbol(name)?.cast();
        // SAFETY: the program says that a table stands there, and the library stays (inv:library.open).
        Ok(unsafe { FunctionTable::of_symbol(&table, first) }?)
    }

    /// Whether it is a table of functions.
    pub fn is_table(&self) -> bool {
        matches!(self.source, Source::Table(_))
    }

    /// The name that this was opened by; `None` for the process.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address of a symbol. A symbol whose address is null counts as missing.
    pub fn symbol(&self, symbol: &str) -> Result<*const (), FfiError> {
        let unknown = || FfiError::UnknownSymbol {
            symbol: symbol.to_owned(),
            library: self.to_string(),
        };
        let handle = match &self.source {
            Source::Loaded(handle) => handle,
            Source::Table(table) => {
                let index = table.find(symbol).ok_or_else(unknown)?;
                return self.numbered(index as i64).map(|(_, address)| address);
            }
        };
        let c_symbol = c_string(symbol)?;
        // SAFETY: the handle is open (inv:library.open) and the name ends with a NUL.
        let address = unsafe { libc::dlsym(handle.as_ptr(), c_symbol.as_ptr()) };
        if address.is_null() {
            return Err(unknown());
        }
        let address = if in_libc(address) {
            // inv:library.libc
            // SAFETY: the handle stands for the process's own search order, and the name ends with a NUL.
            let bound = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c_symbol.as_ptr()) };
            NonNull::new(bound).map_or(address, NonNull::as_ptr)
        } else {
            address
        };
        Ok(address.cast_const().cast())
    }

    /// The name and the address of function `index` of a table, counted from 0.
    pub fn numbered(&self, index: i64) -> Result<(&str, *const ()), FfiError> {
        let whole = self.to_string();
        let Source::Table(table) = &self.source else {
            return Err(TableError::NoTable { library: whole }.into());
        };
        let found = usize::try_from(index).ok().and_then(|i| table.get(i));
        let Some((name, address)) = found else {
            let count = table.len();
            return Err(TableError::Index {
                table: whole,
                index,
                count,
            }
            .into());
        };
        if address.is_null() {
            let function = name.to_owned();
            return Err(TableError::Empty {
                table: whole,
                function,
            }
            .into());
        }
        Ok((name, address))
    }
}

/// Whether `address` lies in the C library itself.
fn in_libc(address: *const libc::c_void) -> bool {
    let libc = libc::gnu_get_libc_version as *const libc::c_void;
    module_of(address).is_some_and(|module| module_of(libc) == Some(module))
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.source) {
            (Some(name), Source::Table(_)) => f.write_str(&table::named(name)),
            (Some(name), _) => write!(f, "the library `{name}`"),
            (None, _) => f.write_str("the process"),
        }
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Library({self})")
    }
}

fn c_string(text: &str) -> Result<CString, FfiError> {
    CString::new(text).map_err(|_| FfiError::NulInName {
        name: text.to_owned(),
    })
}

/// Where the system keeps libraries.
const FOLDERS: [&str; 7] = [
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/lib64",
    "/lib",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
];

/// The file that somebody may have meant who wrote `m`, `libm` or `libm.so`.
fn near(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".so").unwrap_or(name);
    let stem = stem.strip_prefix("lib").unwrap_or(stem);
    if stem.is_empty() || stem.contains('/') {
        return None;
    }
    let start = format!("lib{stem}.so.");
    let files = FOLDERS
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok());
    let names = files
        .flatten()
        .filter_map(|file| file.ok()?.file_name().into_string().ok());
    let meant = names.filter(|file| file.starts_with(&start) && file != name);
    meant.min_by_key(|file| (file.len(), file.clone()))
}

/// What the dynamic linker has to say about this thread's last failure.
fn last_error() -> String {
    // SAFETY: takes nothing; the result is this thread's own.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "no reason given".to_owned();
    }
    // SAFETY: a non-null result ends with a NUL and lives until the next call on this thread.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_libc() {
        let process = Library::open(None).expect("always there");
        assert_eq!(process.name(), None);
        assert!(process.symbol("strlen").is_ok());
    }

    #[test]
    fn a_library_that_is_not_there() {
        let error = Library::open(Some("libno-such-thing.so.9")).expect_err("not there");
        let text = error.to_string();
        assert!(
            text.starts_with("cannot load the library `libno-such-thing.so.9`: "),
            "{text}"
        );
        assert!(text.contains("No such file"), "{text}");
    }

    #[test]
    fn a_library_without_a_name() {
        let error = Library::open(Some("")).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "the name of a library is empty; #f stands for the process itself"
        );
    }

    #[test]
    fn a_symbol_that_is_not_there() {
        let process = Library::open(None).expect("always there");
        assert_eq!(
            process
                .symbol("no_such_symbol")
                .expect_err("not there")
                .to_string(),
            "the process has no symbol `no_such_symbol`"
        );
        let libm = Library::open(Some("libm.so.6")).expect("installed");
        assert_eq!(
            libm.symbol("no_such_symbol")
                .expect_err("not there")
                .to_string(),
            "the library `libm.so.6` has no symbol `no_such_symbol`"
        );
    }

    /// Stands before libc's own in this executable, as a malloc of the program's does.
    #[unsafe(no_mangle)]
    extern "C" fn gnu_get_libc_release() -> *const libc::c_char {
        c"ours".as_ptr()
    }

    #[test]
    fn a_function_of_libc_is_the_one_that_all_libraries_call() {
        let libc = Library::open(Some("libc.so.6")).expect("always there");
        let release = libc.symbol("gnu_get_libc_release").expect("in libc");
        assert_eq!(release, gnu_get_libc_release as *const ());
        let strlen = libc.symbol("strlen").expect("in libc");
        assert!(in_libc(strlen.cast()));
    }

    #[test]
    fn a_function_of_another_library_is_its_own() {
        let libm = Library::open(Some("libm.so.6")).expect("installed");
        let cos = libm.symbol("cos").expect("in libm");
        assert!(!in_libc(cos.cast()));
    }

    #[test]
    fn names_with_a_nul() {
        let text = "the name \"a\\0b\" has a NUL character in it";
        let error = Library::open(Some("a\0b")).expect_err("refused");
        assert_eq!(error.to_string(), text);
        let process = Library::open(None).expect("always there");
        assert_eq!(
            process.symbol("a\0b").expect_err("refused").to_string(),
            text
        );
    }
}
