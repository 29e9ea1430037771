//! The terminal's own settings: kept when the prompt begins, and put back whatever happens.
//!
//! The line editor takes the terminal for itself while it reads and gives it back afterwards. This is
//! for the rest: a program that left the terminal changed, a panic, a signal or a thread of C's that ends the process
//! while a line is edited, and the key that suspends it.

use std::io;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::show;

/// What the line editor asks of the terminal beyond its settings: marked pastes.
const MARKED_PASTES: &str = "\x1b[?2004h";
/// And undone.
const PLAIN_PASTES: &str = "\x1b[?2004l";

/// How long the system may take to stop the process. It does not where no shell could continue it.
const STOPPING: Duration = Duration::from_secs(1);

/// The one that is put back when the process exits.
static AT_EXIT: OnceLock<Terminal> = OnceLock::new();

extern "C" fn at_exit() {
    if let Some(terminal) = AT_EXIT.get()
        && terminal.0.editing.load(Ordering::SeqCst)
    {
        terminal.restore();
    }
}

/// The terminal as it was.
#[derive(Clone)]
pub(super) struct Terminal(Arc<State>);

struct State {
    settings: Mutex<Termios>,
    editing: AtomicBool,
    /// How often the process was continued.
    continued: Mutex<u32>,
    changed: Condvar,
}

impl State {
    fn continued(&self) -> MutexGuard<'_, u32> {
        let count = self.continued.lock();
        count.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the process was continued more often than `before`, or runs in spite of all.
    fn wait_until_continued(&self, before: u32) {
        let unchanged = |count: &mut u32| *count == before;
        let count = self.continued();
        drop(self.changed.wait_timeout_while(count, STOPPING, unchanged));
    }
}

impl Terminal {
    /// Keeps the settings, to be put back also when the process panics or is told to end.
    pub(super) fn keep() -> io::Result<Terminal> {
        let terminal = Terminal(Arc::new(State {
            settings: Mutex::new(tcgetattr(io::stdin())?),
            editing: AtomicBool::new(false),
            continued: Mutex::new(0),
            changed: Condvar::new(),
        }));
        let (panicking, watching) = (terminal.clone(), terminal.clone());
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            panicking.restore();
            tell(info);
        }));
        let mut signals = Signals::new([SIGTERM, SIGHUP, SIGCONT])?;
        thread::Builder::new()
            .name("bowline-signals".into())
            .spawn(move || {
                for signal in signals.forever() {
                    if signal == SIGCONT {
                        *watching.0.continued() += 1;
                        watching.0.changed.notify_all();
                        continue;
                    }
                    watching.restore();
                    // It ends the process, as the signal would have.
                    let _ = emulate_default_handler(signal);
                }
            })?;
        if AT_EXIT.set(terminal.clone()).is_ok() {
            bowline_gc::at_exit(at_exit);
        }
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

    /// Stops the process, as Ctrl-Z asks, while a line of so many rows is edited; returns when it is
    /// continued.
    pub(super) fn suspend(&self, rows: usize) {
        let Ok(edited) = tcgetattr(io::stdin()) else {
            return;
        };
        self.restore();
        let before = *self.0.continued();
        // All that the shell started with us is to stop, by a signal that any thread may take: this
        // one would run on for a while.
        let _ = kill(Pid::from_raw(0), Signal::SIGTSTP);
        self.0.wait_until_continued(before);
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &edited);
        // What is drawn again takes the place of rows of ours, not of what was printed meanwhile.
        show(&format!("{MARKED_PASTES}{}", "\n".repeat(rows)));
    }

    fn restore(&self) {
        // Held by another only for the moment in which he does the same.
        if let Ok(settings) = self.0.settings.try_lock() {
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &settings);
        }
        if self.0.editing.load(Ordering::SeqCst) {
            show(&format!("{PLAIN_PASTES}\n"));
        }
    }
}
