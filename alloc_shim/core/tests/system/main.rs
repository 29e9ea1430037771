//! The region on the real system. Each trial has a process of its own, some under limits: the binary starts itself again
//! with the trial's name in `BOWLINE_TRIAL`.

#[cfg(not(loom))]
mod cleared;
#[cfg(not(loom))]
mod limits;
#[cfg(not(loom))]
mod memory;
#[cfg(not(loom))]
mod trial;

#[cfg(not(loom))]
fn main() {
    trial::run_all(&[memory::CASES, limits::CASES, cleared::CASES].concat());
}

#[cfg(loom)]
fn main() {}
