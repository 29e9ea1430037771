//! A terminal with a process in it, and what its user would see.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};
use vt100::Parser;

use crate::Context;

/// How long anything may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Held while a terminal is made.
static STARTING: Mutex<()> = Mutex::new(());

/// What a trial comes to.
pub(crate) type Result<T = ()> = std::result::Result<T, Failed>;

/// What the keyboard sends.
pub(crate) mod key {
    pub(crate) const ENTER: &str = "\r";
    pub(crate) const ALT_ENTER: &str = "\x1b\r";
    pub(crate) const UP: &str = "\x1b[A";
    pub(crate) const LEFT: &str = "\x1b[D";
    pub(crate) const CTRL_C: &str = "\x03";
    pub(crate) const CTRL_D: &str = "\x04";
    pub(crate) const CTRL_O: &str = "\x0f";
    pub(crate) const CTRL_R: &str = "\x12";
    pub(crate) const CTRL_Z: &str = "\x1a";
}

/// A terminal of 24 lines and 80 columns in which `bowline repl` runs.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    /// The process's side; kept so that its settings can be looked at when the process is gone.
    line: OwnedFd,
    output: Receiver<Vec<u8>>,
    model: Parser,
}

impl Terminal {
    /// `bowline repl ARGUMENTS` in a folder, with this environment besides a bare one in which the
    /// folder is home; waits for the first prompt.
    pub(crate) fn new(
        context: &Context,
        folder: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Terminal> {
        let mut command = vec![context.bowline.as_os_str(), "repl".as_ref()];
        command.extend(arguments.iter().map(OsStr::new));
        let mut terminal = Terminal::start(&command, folder, environment)?;
        terminal.prompt()?;
        Ok(terminal)
    }

    /// A shell, in which `bowline` is the command.
    pub(crate) fn shell(context: &Context, folder: &Path) -> Result<Terminal> {
        std::os::unix::fs::symlink(&context.bowline, folder.join("bowline"))?;
        let command = ["bash", "--norc", "--noprofile", "-i"].map(OsStr::new);
        let mut terminal = Terminal::start(&command, folder, &[("PS1", "shell$ ")])?;
        terminal.see("shell$ ")?;
        Ok(terminal)
    }

    fn start(command: &[&OsStr], folder: &Path, environment: &[(&str, &str)]) -> Result<Terminal> {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // Processes inherit what openpty gives, but no copies. Were a trial's terminal open in the process
        // of another, that would not be hung up when a run of the trials is ended by force.
        let starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = openpty(&size, None)?;
        let (master, line) = (pair.master.try_clone()?, pair.slave.try_clone()?);
        drop(pair);
        // It makes standard input the terminal that the process belongs to.
        let child = Command::new("setsid")
            .arg("--ctty")
            .args(command)
            .env_clear()
            .envs([("HOME", folder), ("PATH", Path::new("/usr/bin:/bin"))])
            .envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8")])
            .envs(environment.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::from(line.try_clone()?))
            .stdout(Stdio::from(line.try_clone()?))
            .stderr(Stdio::from(line.try_clone()?))
            .spawn()?;
        drop(starting);
        let mut screen = File::from(master.try_clone()?);
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Terminal {
            child,
            keyboard: File::from(master),
            line,
            output,
            model: Parser::new(some(24), some(80), 1000),
        })
    }

    /// Presses keys.
    pub(crate) fn send(&mut self, keys: &str) -> Result {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// Types a line that is an entry, and waits for the next prompt.
    pub(crate) fn enter(&mut self, entry: &str) -> Result {
        self.send(entry)?;
        self.see(entry)?;
        self.send(key::ENTER)?;
        self.prompt()
    }

    /// Waits for a prompt with nothing behind it.
    pub(crate) fn prompt(&mut self) -> Result {
        self.wait("an empty prompt", |terminal| {
            let (_, column) = terminal.model.screen().cursor_position();
            column == 2 && terminal.cursor_row() == ">"
        })
    }

    /// Waits for a text on the screen.
    pub(crate) fn see(&mut self, text: &str) -> Result {
        self.wait(&format!("{text:?}"), |terminal| {
            terminal.model.screen().contents().contains(text)
        })
    }

    /// Waits for a row of the screen that is this, spaces at its end aside.
    pub(crate) fn row(&mut self, text: &str) -> Result {
        self.wait(&format!("the row {text:?}"), |terminal| {
            terminal.rows().iter().any(|row| row == text)
        })
    }

    /// Waits for a value, whatever name it got.
    pub(crate) fn value(&mut self, text: &str) -> Result {
        self.wait(&format!("the value {text}"), |terminal| {
            let mut values = terminal.rows().into_iter();
            values.any(|row| {
                row.starts_with('$') && row.split_once(" = ").is_some_and(|v| v.1 == text)
            })
        })
    }

    /// Waits for these rows, one below the other.
    pub(crate) fn block(&mut self, wanted: &[&str]) -> Result {
        self.wait(&format!("the rows {wanted:#?}"), |terminal| {
            terminal
                .rows()
                .windows(wanted.len())
                .any(|rows| rows == wanted)
        })
    }

    /// Interrupts what is evaluated, and waits until a text says so. A signal that comes just before a
    /// call begins to wait does not end the wait: then the user does it again.
    pub(crate) fn interrupt(&mut self, text: &str) -> Result {
        self.send(key::CTRL_C)?;
        let seen = |terminal: &Terminal| terminal.model.screen().contents().contains(text);
        if self.wait_for(LIMIT / 4, text, seen).is_err() {
            self.send(key::CTRL_C)?;
        }
        self.see(text)
    }

    /// Waits until something holds of what is seen.
    pub(crate) fn wait(&mut self, wanted: &str, holds: impl Fn(&Terminal) -> bool) -> Result {
        self.wait_for(LIMIT, wanted, holds)
    }

    fn wait_for(
        &mut self,
        limit: Duration,
        wanted: &str,
        holds: impl Fn(&Terminal) -> bool,
    ) -> Result {
        let deadline = Instant::now() + limit;
        while !holds(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.model.process(&bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let screen = self.model.screen().contents();
                    return Err(format!("no {wanted} on the screen\n{screen}").into());
                }
            }
        }
        Ok(())
    }

    /// The rows of the screen without the spaces at their ends.
    pub(crate) fn rows(&self) -> Vec<String> {
        let (_, columns) = self.model.screen().size();
        let rows = self.model.screen().rows(0, columns.get());
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    /// The row that the cursor is in.
    pub(crate) fn cursor_row(&self) -> String {
        let (row, _) = self.model.screen().cursor_position();
        self.rows().swap_remove(usize::from(row))
    }

    /// The place of a text on the screen: row and column.
    pub(crate) fn place(&self, text: &str) -> Result<(u16, u16)> {
        for (number, row) in self.rows().iter().enumerate().rev() {
            if let Some(at) = row.find(text) {
                let column = row[..at].chars().count();
                return Ok((u16::try_from(number)?, u16::try_from(column)?));
            }
        }
        Err(format!("{text:?} is not to be seen").into())
    }

    /// The cell at a place.
    pub(crate) fn cell(&self, (row, column): (u16, u16)) -> Result<&vt100::Cell> {
        let cell = self.model.screen().cell(row, column);
        cell.ok_or_else(|| "outside of the screen".into())
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.model.screen()
    }

    /// Makes the terminal narrower or wider.
    pub(crate) fn resize(&mut self, rows: u16, columns: u16) -> Result {
        self.model.screen_mut().set_size(some(rows), some(columns));
        let (rows, columns) = (rows.to_string(), columns.to_string());
        let status = Command::new("stty")
            .args(["rows", &rows, "cols", &columns])
            .stdin(Stdio::from(self.line.try_clone()?))
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err("stty failed".into())
        }
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) -> Result {
        let process = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &process]).status()?;
        if status.success() {
            Ok(())
        } else {
            Err("kill failed".into())
        }
    }

    /// Whether the terminal shows what is typed and gives it line by line, as it did at first.
    pub(crate) fn is_cooked(&self) -> Result<bool> {
        let flags = tcgetattr(self.line.as_fd())?.local_flags;
        Ok(flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG))
    }

    /// Waits for the end of the process.
    pub(crate) fn end(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + LIMIT;
        loop {
            // What is not read would keep the process from ending.
            while let Ok(bytes) = self.output.try_recv() {
                self.model.process(&bytes);
            }
            if let Some(status) = self.child.try_wait()? {
                break Ok(status);
            }
            if Instant::now() > deadline {
                let screen = self.model.screen().contents();
                break Err(format!("the process does not end; the screen\n{screen}").into());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until no thread of the process runs or wants to.
    pub(crate) fn rest(&self) -> Result {
        let deadline = Instant::now() + LIMIT;
        while self.runs()? {
            if Instant::now() > deadline {
                return Err("the process does not come to rest".into());
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn runs(&self) -> Result<bool> {
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let Ok(line) = fs::read_to_string(task?.path().join("stat")) else {
                return Ok(true);
            };
            // The state stands behind the name, in which there may be anything.
            let state = line.rsplit_once(") ").map(|(_, rest)| rest.as_bytes()[0]);
            if state != Some(b'S') {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Presses a key again and again until the process ends. Signals that come too fast are one.
    pub(crate) fn press_until_end(&mut self, key: &str) -> Result<ExitStatus> {
        let deadline = Instant::now() + LIMIT;
        while self.child.try_wait()?.is_none() && Instant::now() < deadline {
            self.send(key)?;
            thread::sleep(Duration::from_millis(50));
        }
        self.end()
    }

    /// Waits for the place where an entry goes on, at a dumb terminal.
    pub(crate) fn more(&mut self) -> Result {
        self.wait("a line that goes on", |terminal| {
            let (_, column) = terminal.model.screen().cursor_position();
            column == 2 && terminal.cursor_row().is_empty()
        })
    }

    /// Leaves with Ctrl-D at the prompt, which is to end with this status.
    pub(crate) fn leave(&mut self, status: i32) -> Result {
        // While something is evaluated the key means something to the system.
        self.prompt()?;
        self.send(key::CTRL_D)?;
        match self.end()?.code() {
            Some(code) if code == status => Ok(()),
            other => Err(format!("expected status {status}, got {other:?}").into()),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already, or a trial has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn some(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN)
}
