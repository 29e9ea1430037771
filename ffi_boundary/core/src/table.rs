//! Static tables of functions: constant data of C's that lists functions by name, for programs that reach them by place.
//!
//! ```c
//! const bl_function functions[] = { { "add", (void (*)(void))add }, { "sub", (void (*)(void))sub }, { NULL, NULL } };
//! ```
//!
//! A program that is linked with its C needs no dynamic linker to find a function: it names the table once, and from
//! then on a function is a number.
//!
//! `inv:table.still` A table is constant and stays, and so do its functions: it is data of the process or of a library
//! that is never closed (`inv:library.open`), or C has registered it and says so. It is read once, when it is opened or
//! registered. What the program says is a table and the dynamic linker knows to be a function, or data of another size, is refused,
//! and so are names where no library has data: most of what is no table is found so, and nothing of it is followed.
//!
//! Absent on purpose: types. A table says where functions are; a declaration, or the arguments of an untyped call, say
//! what they take.

use crate::error::FfiError;
use crate::symbol::{Symbol, module_of, symbol_at};
use std::collections::HashMap;
use std::ffi::{CStr, c_char};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// No table has more functions. It bounds the search for the end of what is no table.
const MOST: usize = 65_536;
/// The bytes of an entry.
const ENTRY: usize = size_of::<TableEntry>();

/// C's `bl_function`: the last of a table has no name.
#[repr(C)]
pub struct TableEntry {
    name: *const c_char,
    address: *const (),
}

// SAFETY: inv:table.still: constant data.
unsafe impl Sync for TableEntry {}

impl TableEntry {
    /// The function at `address`, under this name.
    pub const fn new(name: &'static CStr, address: *const ()) -> TableEntry {
        let name = name.as_ptr();
        TableEntry { name, address }
    }

    /// The end of a table.
    pub const END: TableEntry = TableEntry {
        name: std::ptr::null(),
        address: std::ptr::null(),
    };
}

/// What was read of a table: a name and an address for each function.
pub struct FunctionTable(Box<[(Box<str>, *const ())]>);

// SAFETY: inv:table.still: addresses of functions, which stay.
unsafe impl Send for FunctionTable {}
// SAFETY: as above; nothing changes in here.
unsafe impl Sync for FunctionTable {}

/// What is wrong with a table, or with a number in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TableError {
    /// It has no end.
    Endless {
        /// The table.
        table: String,
        /// How many entries were looked at.
        entries: usize,
    },
    /// It is a function.
    Function {
        /// What was to be a table.
        table: String,
    },
    /// It is data that is no row of entries.
    Size {
        /// What was to be a table.
        table: String,
        /// Its bytes.
        bytes: usize,
    },
    /// The name of an entry is where no library has anything.
    Nameless {
        /// What was to be a table.
        table: String,
        /// The entry.
        index: usize,
    },
    /// It was to be found in another table.
    Nested {
        /// What was to be a table.
        table: String,
        /// The one that it was to be found in.
        within: String,
    },
    /// It has no function of this number.
    Index {
        /// The table.
        table: String,
        /// The number.
        index: i64,
        /// How many there are.
        count: usize,
    },
    /// A library is none: its functions have no numbers.
    NoTable {
        /// The library.
        library: String,
    },
    /// An entry has a name and no address.
    Empty {
        /// The table.
        table: String,
        /// The function.
        function: String,
    },
    /// An argument of an untyped call that no type of C's can be found for.
    Untyped {
        /// The function.
        function: String,
        /// Which argument, from 1.
        position: usize,
        /// The value.
        got: String,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableError::Endless { table, entries } => write!(
                f,
                "{table} has no end among its first {entries} entries: it must end with one whose name is NULL"
            ),
            TableError::Function { table } => write!(
                f,
                "{table} is none: it is a function, which `define-foreign` declares"
            ),
            TableError::Size { table, bytes } => write!(
                f,
                "{table} is none: it is {bytes} bytes of data, and a table has {ENTRY} for each of its entries"
            ),
            TableError::Nameless { table, index } => write!(
                f,
                "{table} is none: what would be the name of its entry {index} is no text of a library's"
            ),
            TableError::Nested { table, within } => write!(
                f,
                "{table} cannot be found in {within}: tables are found in libraries"
            ),
            TableError::Index {
                table,
                index,
                count: 0,
            } => {
                write!(f, "{table} has no function {index}: it is empty")
            }
            TableError::Index {
                table,
                index,
                count,
            } => write!(
                f,
                "{table} has no function {index}: the last one is {}",
                count - 1
            ),
            TableError::NoTable { library } => write!(
                f,
                "{library} is no table: its functions have names, not numbers"
            ),
            TableError::Empty { table, function } => {
                write!(f, "the address of `{function}` in {table} is NULL")
            }
            TableError::Untyped {
                function,
                position,
                got,
            } => write!(
                f,
                "argument {position} of `{function}`, which has no types, is {got}: C can be given an exact integer, a flonum, \
                 a boolean, a string, a bytevector or a pointer"
            ),
        }
    }
}

impl From<TableError> for FfiError {
    fn from(error: TableError) -> Self {
        FfiError::Table(Box::new(error))
    }
}

impl FunctionTable {
    /// Reads the table at `first`, which errors call `table`.
    ///
    /// # Safety
    /// `inv:table.still`, or more entries stand there than tables can have.
    pub unsafe fn read(
        table: &str,
        first: *const TableEntry,
    ) -> Result<Arc<FunctionTable>, TableError> {
        // SAFETY: the caller's.
        unsafe { FunctionTable::read_named(table, first, MOST, |_| true) }
    }

    /// As [`FunctionTable::read`], where a symbol begins that may be of something else.
    ///
    /// # Safety
    /// `inv:table.still`, if nothing else is known of the symbol.
    pub(crate) unsafe fn of_symbol(
        table: &str,
        first: *const TableEntry,
    ) -> Result<Arc<FunctionTable>, TableError> {
        let named = || table.to_owned();
        let most = match symbol_at(first.cast()) {
            Some(Symbol::Function) => return Err(TableError::Function { table: named() }),
            Some(Symbol::Data(bytes)) if bytes % ENTRY != 0 => {
                let table = named();
                return Err(TableError::Size { table, bytes });
            }
            Some(Symbol::Data(bytes)) => MOST.min(bytes / ENTRY),
            None => MOST,
        };
        let is_text = |name: *const c_char| module_of(name.cast()).is_some();
        // SAFETY: the caller's; what is known was looked at.
        unsafe { FunctionTable::read_named(table, first, most, is_text) }
    }

    /// Reads at most so many entries, with names of which `is_name` is true.
    ///
    /// # Safety
    /// As that of [`FunctionTable::read`]; a name for which `is_name` is false need be none.
    unsafe fn read_named(
        table: &str,
        first: *const TableEntry,
        most: usize,
        is_name: impl Fn(*const c_char) -> bool,
    ) -> Result<Arc<FunctionTable>, TableError> {
        let mut entries = Vec::new();
        loop {
            let (table, index) = (|| table.to_owned(), entries.len());
            if index == most {
                return Err(TableError::Endless {
                    table: table(),
                    entries: most,
                });
            }
            // SAFETY: the caller's: the end was not reached yet.
            let entry = unsafe { &*first.wrapping_add(index) };
            if entry.name.is_null() {
                return Ok(Arc::new(FunctionTable(entries.into())));
            }
            if !is_name(entry.name) {
                let table = table();
                return Err(TableError::Nameless { table, index });
            }
            // SAFETY: the caller's: a name ends with a NUL.
            let name = unsafe { CStr::from_ptr(entry.name) };
            entries.push((name.to_string_lossy().into(), entry.address));
        }
    }

    /// How many functions there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Function `index`, counted from 0: its name and its address.
    pub(crate) fn get(&self, index: usize) -> Option<(&str, *const ())> {
        let (name, address) = self.0.get(index)?;
        Some((name, *address))
    }

    /// The number of the function of this name.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| **known == *name)
    }
}

/// The tables that C has registered, by name.
static REGISTERED: LazyLock<Mutex<HashMap<String, Arc<FunctionTable>>>> =
    LazyLock::new(Mutex::default);

/// Makes a table known by a name; one that was known by it is so no more. On any thread, at any time.
///
/// # Safety
/// `inv:table.still`
pub unsafe fn register_functions(name: &str, first: *const TableEntry) -> Result<(), TableError> {
    // SAFETY: the caller's.
    let table = unsafe { FunctionTable::read(&named(name), first) }?;
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    registered.insert(name.to_owned(), table);
    Ok(())
}

/// The table that C has registered under this name.
pub(crate) fn registered(name: &str) -> Option<Arc<FunctionTable>> {
    let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    registered.get(name).cloned()
}

/// What errors call the table of this name.
pub(crate) fn named(name: &str) -> String {
    format!("the table `{name}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;

    extern "C" fn one() -> i32 {
        1
    }

    #[unsafe(no_mangle)]
    static TABLE_OF_THESE_TESTS: [TableEntry; 3] = [
        TableEntry::new(c"one", one as *const ()),
        TableEntry::new(c"none", std::ptr::null()),
        TableEntry::END,
    ];

    fn text<T>(result: Result<T, impl fmt::Display>) -> String {
        result.err().map_or(String::new(), |e| e.to_string())
    }

    fn registered_here(name: &str) -> Arc<Library> {
        // SAFETY: inv:table.still: a static.
        unsafe { register_functions(name, TABLE_OF_THESE_TESTS.as_ptr()) }.expect("whole");
        Library::table(name, None).expect("registered")
    }

    #[test]
    fn functions_are_found_by_name_and_by_number() {
        let table = registered_here("a table");
        let address = one as *const ();
        assert_eq!(table.symbol("one"), Ok(address));
        assert_eq!(table.numbered(0), Ok(("one", address)));
        assert_eq!(table.name(), Some("a table"));
    }

    #[test]
    fn what_is_not_there_is_told() {
        let table = registered_here("another table");
        for (said, expected) in [
            (
                text(table.numbered(-1)),
                "the table `another table` has no function -1: the last one is 1",
            ),
            (
                text(table.symbol("two")),
                "the table `another table` has no symbol `two`",
            ),
            (
                text(table.symbol("none")),
                "the address of `none` in the table `another table` is NULL",
            ),
            (
                text(table.numbered(1)),
                "the address of `none` in the table `another table` is NULL",
            ),
            (
                text(table.numbered(2)),
                "the table `another table` has no function 2: the last one is 1",
            ),
            (
                text(Library::table("one", Some(&table))),
                "the table `one` cannot be found in the table `another table`: tables are found in libraries",
            ),
            (
                text(Library::table("no table", None)),
                "the process has no symbol `no table`",
            ),
            (
                text(Library::open(None).expect("there").numbered(0)),
                "the process is no table: its functions have names, not numbers",
            ),
        ] {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn what_is_seen_to_be_no_table_is_not_followed() {
        let libc = Library::open(Some("libc.so.6")).expect("always there");
        let found = |name| text(Library::table(name, Some(&libc)));
        assert_eq!(
            found("qsort"),
            "the table `qsort` is none: it is a function, which `define-foreign` declares"
        );
        assert_eq!(
            found("stdout"),
            "the table `stdout` is none: it is 8 bytes of data, and a table has 16 for each of its entries"
        );
        let nowhere = TableEntry {
            name: std::ptr::without_provenance(0x6369_6e6f_6d65_6861),
            address: std::ptr::null(),
        };
        let entries = [TableEntry::new(c"one", one as *const ()), nowhere];
        // SAFETY: nothing knows what stands on the stack, and its second name is none.
        let read = unsafe { FunctionTable::of_symbol("the table `t`", entries.as_ptr()) };
        assert_eq!(
            text(read),
            "the table `t` is none: what would be the name of its entry 1 is no text of a library's"
        );
    }

    #[test]
    fn an_empty_table_and_one_without_an_end() {
        // SAFETY: a table.
        let empty = unsafe { FunctionTable::read("", &TableEntry::END) }.expect("whole");
        assert!(empty.is_empty());
        let table = "the table `t`".to_owned();
        let error = TableError::Index {
            table,
            index: 0,
            count: 0,
        };
        assert_eq!(
            error.to_string(),
            "the table `t` has no function 0: it is empty"
        );
        let entry = || TableEntry::new(c"one", one as *const ());
        let endless: Vec<TableEntry> = (0..MOST).map(|_| entry()).collect();
        // SAFETY: as many entries as are looked at.
        let read = unsafe { FunctionTable::read("the table `t`", endless.as_ptr()) };
        assert_eq!(
            text(read),
            "the table `t` has no end among its first 65536 entries: it must end with one whose name is NULL"
        );
    }
}
