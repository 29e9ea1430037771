//! What an executable needs to be this allocator: the names it exports, and one line that it says.

/// The names that are exported, one a line, in the order of bytes. The linker exports by itself only those that libc has
/// too; a dependent's build script finds them all, with blanks between, in `DEP_BOWLINE_INTERPOSE_EXPORTS`.
pub const EXPORTS: &str = include_str!("../exports.txt");

/// Makes the executable that says this once, at the top of a file, this allocator: for C, for every shared library
/// and, in an account of its own, for Rust.
///
/// The start is then also in `.preinit_array`, which only an executable may have and which runs before the
/// initialiser of any library.
#[macro_export]
macro_rules! executable {
    () => {
        const _: () = {
            #[used]
            #[unsafe(link_section = ".preinit_array")]
            static FIRST: $crate::Initialiser = $crate::start;

            #[global_allocator]
            static RUNTIME: $crate::RuntimeAllocator = $crate::RuntimeAllocator;
        };
    };
}
