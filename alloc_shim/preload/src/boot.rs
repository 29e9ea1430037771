//! The start: who wins, what libc is asked to tell, what the environment says.
//!
//! `malloc` works before the start: the heap makes itself at its first use, which in a C++ program comes from the
//! initialiser of libstdc++. The start runs once, on the thread that loads this module, from one of two places:
//!
//! ```text
//!   executable        .preinit_array   before the initialiser of any library
//!   shared library    .init_array      first of all libraries (`-z initfirst`)
//! ```
//!
//! An executable has both entries; the later one finds the work done. Both come before the initialisers of others
//! (inv:hooks.first).
//!
//! Absent on purpose: anything of std, which nobody has initialised yet.

use crate::environment::{self, Settings};
use crate::winner::{Outcome, decide};
use crate::{
    forward, heap, hooks, map, place, profile, signals, standard_error, statistics, table,
};
use bowline_alloc::pal::Unix;
use bowline_alloc::report::Line;
use bowline_alloc::table::{RegionTable, Winner, install};
use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicBool, Ordering};

/// An initialiser: the dynamic linker calls it with the arguments of `main`.
pub type Initialiser = unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char);

static STARTED: AtomicBool = AtomicBool::new(false);

/// Decides whose `malloc` the process has and does what follows from it; once, however often it is called.
///
/// # Safety
/// For the dynamic linker alone. `environment` is null or an array of C strings that ends with null.
pub unsafe extern "C" fn start(
    _: c_int,
    _: *const *const c_char,
    environment: *const *const c_char,
) {
    if STARTED.swap(true, Ordering::AcqRel) {
        return;
    }
    match decide() {
        Outcome::Own => {
            serve(Winner::Own, Some(table::own()));
            // SAFETY: the caller's word about the array.
            let settings = unsafe { environment::read(environment) };
            if settings != Settings::default() {
                follow(&settings);
            }
        }
        Outcome::Lost {
            family,
            table,
            told,
        } => {
            forward::to(family);
            if table.is_none() && !told {
                // SAFETY: the caller's word about the array.
                unsafe { environment::decline(environment) };
            }
            let winner = if table.is_some() {
                Winner::Other
            } else {
                Winner::Split
            };
            install(winner, table);
        }
        Outcome::Unreachable => serve(Winner::Split, None),
    }
}

/// Does what the variables ask for.
#[cold]
#[inline(never)]
fn follow(settings: &Settings<'_>) {
    if settings.hardened {
        harden();
    }
    if let Some(bytes) = settings.limit {
        heap::set_limit(bytes);
    }
    if settings.tell() {
        standard_error::keep();
    }
    let named = match settings.stats_file {
        Some(name) => statistics::at_exit_to(name),
        None => {
            if settings.stats {
                statistics::at_exit();
            }
            true
        }
    };
    let named = settings.map_file.is_none_or(map::to) && named;
    let profile = |name| profile::begin(name, settings.sample);
    let named = settings.profile.is_none_or(profile) && named;
    if !named {
        let line = Line::new("a file's path is longer than ").decimal(place::LONGEST);
        line.text(" bytes with the current folder, and is left out")
            .send(&Unix::new());
    }
    if settings.map_file.is_some() && settings.map_signal.is_none() {
        Line::new("there is no map without BOWLINE_MALLOC_MAP_SIGNAL").send(&Unix::new());
    }
    let about_profile = settings.sample.is_some() || settings.profile_signal.is_some();
    if about_profile && settings.profile.is_none() {
        Line::new("there is no profile without BOWLINE_MALLOC_PROFILE").send(&Unix::new());
    }
    signals::handle(settings);
}

/// Writes to freed blocks are found from now on: when others have been freed, or at exit, after everything else that
/// runs there.
fn harden() {
    if heap::harden() {
        hooks::at_exit(inspect);
    } else {
        let line = Line::new("no memory for the hardened mode");
        line.send(&Unix::new());
    }
}

extern "C" fn inspect(_: *mut c_void) {
    heap::inspect();
}

/// This copy's heap is in use: libc must tell of what happens to threads and processes.
fn serve(winner: Winner, table: Option<&'static RegionTable>) {
    if !hooks::register() {
        let line = Line::new("libc refused to tell of forks or of the ends of threads");
        line.send(&Unix::new());
    }
    install(winner, table);
}

/// 00101 is the first of those that programs may use: initialisers of this module that allocate come later.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static START: Initialiser = start;
