//! Entries from a line editor.

use std::io::Write;
use std::rc::Rc;

use rustyline::Editor;
use rustyline::config::{BellStyle, ColorMode, CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;

use super::helper::Asked;
use super::history::{self, History};
use super::terminal::Terminal;
use super::{FAILED, Next, PROMPT, Shared, keys, show, tell};

/// Who ends a session without saying so must be told how.
const HOW_TO_LEAVE: &str = "To leave, press Ctrl-D or type ,quit\n";

struct Prompt {
    editor: Editor<Asked, FileHistory>,
    history: History,
    terminal: Terminal,
    interaction: Rc<Shared>,
}

/// What the keyboard gave.
enum Typed {
    Entry(String),
    /// An empty line.
    Nothing,
    /// An interrupt, which drops the line.
    Interrupt,
    End,
}

/// Evaluates until the user leaves: the status to exit with.
pub(super) fn run(interaction: Rc<Shared>, color: bool) -> Result<i32, String> {
    let mut prompt = Prompt::new(interaction, color).map_err(|error| error.to_string())?;
    let mut interrupts = 0;
    loop {
        let typed = prompt.read();
        interrupts = match typed {
            Ok(Typed::Interrupt) => interrupts + 1,
            _ => 0,
        };
        match typed {
            Ok(Typed::Entry(entry)) => {
                if let Next::End(status) = prompt.evaluate(&entry) {
                    return Ok(status);
                }
            }
            Ok(Typed::Interrupt) if interrupts == 2 => show(HOW_TO_LEAVE),
            Ok(Typed::Nothing | Typed::Interrupt) => {}
            Ok(Typed::End) => return Ok(0),
            Err(error) => {
                let _ = writeln!(
                    std::io::stderr(),
                    "bowline: cannot read the terminal: {error}"
                );
                return Ok(FAILED);
            }
        }
    }
}

impl Prompt {
    fn new(interaction: Rc<Shared>, color: bool) -> rustyline::Result<Prompt> {
        let config = Config::builder()
            .max_history_size(history::LENGTH)?
            .completion_type(CompletionType::List)
            .completion_show_all_if_ambiguous(true)
            .bell_style(BellStyle::None)
            .color_mode(if color {
                ColorMode::Forced
            } else {
                ColorMode::Disabled
            })
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(Asked::new(interaction.clone(), color)));
        let terminal = Terminal::keep()?;
        keys::bind(&mut editor, terminal.clone());
        let history = History::new();
        history.load(&mut editor);
        Ok(Prompt {
            editor,
            history,
            terminal,
            interaction,
        })
    }

    fn read(&mut self) -> rustyline::Result<Typed> {
        let motion = line_motion(self.measure());
        show(&motion);
        let (terminal, editor) = (&self.terminal, &mut self.editor);
        let edited = self
            .interaction
            .while_resting(|| terminal.while_editing(|| editor.readline(PROMPT)));
        match edited {
            Ok(entry) if entry.trim().is_empty() => Ok(Typed::Nothing),
            Ok(entry) => Ok(Typed::Entry(entry)),
            Err(ReadlineError::Interrupted) => {
                self.erase_remark();
                Ok(Typed::Interrupt)
            }
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(ReadlineError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                show("What was typed is not UTF-8.\n");
                Ok(Typed::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes back what is said after a line that was dropped; the cursor is below it.
    fn erase_remark(&self) {
        if let Some(column) = self.editor.helper().and_then(Asked::remark) {
            show(&format!("\x1b[A\x1b[{}G\x1b[K\n", column + 1));
        }
    }

    fn evaluate(&mut self, entry: &str) -> Next {
        self.history.keep(&mut self.editor, entry.trim_end());
        let columns = self.measure();
        let motion = line_motion(columns);
        let mut interaction = self.interaction.awake();
        interaction.show_on_terminal(columns, motion.clone());
        tell(interaction.submit(entry), &motion)
    }

    /// The columns of the terminal; the helper is told of its size.
    fn measure(&mut self) -> usize {
        let (columns, rows) = self.editor.dimensions().unwrap_or((80, 24));
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        if let Some(asked) = self.editor.helper() {
            asked.resize(columns, rows);
        }
        columns
    }
}

/// What moves the cursor to the beginning of a line, unless it is there: what was printed last may
/// have no end of line, and is not to be written over.
///
/// A line's width of spaces ends on the next line, except from the beginning of one: there the
/// terminal waits with the step to the next line until there is something to put on it. The line is
/// erased, lest somebody who copies it gets the spaces.
fn line_motion(columns: usize) -> String {
    format!("{}\r\x1b[K", " ".repeat(columns))
}
