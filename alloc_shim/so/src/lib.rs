//! `libbowline_malloc.so`: the exported malloc family as a library to preload. Needs `panic = "abort"`, so it is
//! built in release only.
#![no_std]

mod panic;

use bowline_interpose as _;
