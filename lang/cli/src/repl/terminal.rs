//! The terminal's own settings: kept when the prompt begins, and put back whatever happens.
//!
//! The line editor takes the terminal for itself while it reads and gives it back afterwards. This is
//! for the rest: a program that left the terminal changed, a panic, and a signal that ends the
//! process while a line is edited.

use std::io::{self, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// What the line editor asks of the terminal beyond its settings, undone: marked pastes.
const PLAIN_PASTES: &str = "\x1b[?2004l";

/// The terminal as it was.
#[derive(Clone)]
pub(super) struct Terminal(Arc<State>);

struct State {
    settings: Mutex<Termios>,
    editing: AtomicBool,
}

impl Terminal {
    /// Keeps the settings, to be put back also when the process panics or is told to end.
    pub(super) fn keep() -> io::Result<Terminal> {
        let terminal = Terminal(Arc::new(State {
            settings: Mutex::new(tcgetattr(io::stdin())?),
            editing: AtomicBool::new(false),
        }));
        let (panicking, ending) = (terminal.clone(), terminal.clone());
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            panicking.restore();
            tell(info);
        }));
        let mut signals = Signals::new([SIGTERM, SIGHUP])?;
        thread::Builder::new()
            .name("bowline-signals".into())
            .spawn(move || {
                for signal in signals.forever() {
                    ending.restore();
                    // It ends the process, as the signal would have.
                    let _ = emulate_default_handler(signal);
                }
            })?;
        Ok(terminal)
    }

    /// Puts the settings back, and lets the line editor have the terminal while `edit` runs.
    pub(super) fn while_editing<R>(&self, edit: impl FnOnce() -> R) -> R {
        self.restore();
        self.0.editing.store(true, Ordering::SeqCst);
        let result = edit();
        self.0.editing.store(false, Ordering::SeqCst);
        result
    }

    fn restore(&self) {
        // Held by another only for the moment in which he does the same.
        if let Ok(settings) = self.0.settings.try_lock() {
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &settings);
        }
        if self.0.editing.load(Ordering::SeqCst) {
            let mut out = io::stdout();
            let _ = writeln!(out, "{PLAIN_PASTES}").and_then(|()| out.flush());
        }
    }
}
