//! Commands: entries that begin with a comma.
//!
//! A name may be cut short as long as it is clear which is meant.
//!
//! Absent on purpose: keys, which are the terminal's.

use std::path::Path;

use bowline_middle::{BoundTo, core, passes};
use bowline_runtime::printer::{Mode, print_or_interrupt, procedure_label};
use bowline_syntax::{Datum, Span};

use super::describe::cut;
use super::{Candidate, End, Interaction, Outcome};

/// What a command does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Apropos,
    Backtrace,
    Disassemble,
    Doc,
    Env,
    Expand,
    ExpandStep,
    Gc,
    Help,
    Import,
    Load,
    Quit,
    Time,
}

/// A command.
pub(super) struct Command {
    pub(super) name: &'static str,
    /// What follows the name.
    operand: &'static str,
    about: &'static str,
    action: Action,
}

const fn row(
    name: &'static str,
    operand: &'static str,
    about: &'static str,
    action: Action,
) -> Command {
    Command {
        name,
        operand,
        about,
        action,
    }
}

/// Every command, by name.
const COMMANDS: &[Command] = &[
    row(
        "apropos",
        "TEXT",
        "the names that contain TEXT",
        Action::Apropos,
    ),
    row(
        "bt",
        "",
        "all that was told of the last error, with every call",
        Action::Backtrace,
    ),
    row(
        "dis",
        "NAME-OR-EXPR",
        "the bytecode of a procedure, or of an expression",
        Action::Disassemble,
    ),
    row(
        "doc",
        "NAME",
        "what NAME is and how it is used",
        Action::Doc,
    ),
    row("env", "", "what you have defined", Action::Env),
    row(
        "expand",
        "FORM",
        "the core language that FORM becomes",
        Action::Expand,
    ),
    row(
        "expand1",
        "FORM",
        "FORM after one use of a macro",
        Action::ExpandStep,
    ),
    row(
        "gc",
        "[minor | stats]",
        "collect, then tell of the heap; stats: only tell",
        Action::Gc,
    ),
    row("help", "[COMMAND]", "this table", Action::Help),
    row(
        "import",
        "SET ...",
        "the same as (import SET ...)",
        Action::Import,
    ),
    row("load", "FILE", "evaluate what a file holds", Action::Load),
    row("quit", "", "leave", Action::Quit),
    row(
        "time",
        "EXPR ...",
        "evaluate, and tell what it cost",
        Action::Time,
    ),
];

impl Command {
    pub(super) fn takes_file(&self) -> bool {
        self.action == Action::Load
    }
}

/// The commands that a name may be short for.
fn fitting(name: &str) -> Vec<&'static Command> {
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => vec![command],
        None => COMMANDS
            .iter()
            .filter(|command| command.name.starts_with(name))
            .collect(),
    }
}

/// The command that a name is short for, if that is clear.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    match fitting(name)[..] {
        [command] => Some(command),
        _ => None,
    }
}

/// The commands whose names begin so.
pub(super) fn candidates(name: &str) -> Vec<Candidate> {
    let fitting = COMMANDS
        .iter()
        .filter(|command| command.name.starts_with(name));
    fitting
        .map(|command| Candidate {
            text: format!(",{}", command.name),
            about: command.about.to_string(),
        })
        .collect()
}

impl Interaction {
    /// Carries out a command; `entry` is the text with its comma.
    pub(super) fn command(&mut self, entry: &str) -> Outcome {
        let body = entry.trim_start();
        let body = body.strip_prefix(',').unwrap_or(body);
        let (name, operand) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
        let command = self.which(name)?;
        let at = entry.len() - operand.len();
        let operand = operand.trim();
        if operand.is_empty() != command.operand.is_empty() && !command.operand.starts_with('[') {
            return Err(self.misused(command));
        }
        match command.action {
            Action::Apropos => self.apropos(operand),
            Action::Backtrace => self.backtrace(),
            Action::Disassemble => self.disassemble(entry, at, command),
            Action::Doc => self.doc(operand),
            Action::Env => self.definitions(),
            Action::Expand => self.expand(entry, at, command),
            Action::ExpandStep => self.expand_step(entry, at, command),
            Action::Gc => self.collect(operand, command),
            Action::Help => self.help(operand),
            Action::Import => self.import(entry, at),
            Action::Load => self.load_file(Path::new(operand.trim_matches('"'))),
            Action::Quit => Err(End::Quit(0)),
            Action::Time => self.time(entry, at),
        }
    }

    fn which(&self, name: &str) -> Outcome<&'static Command> {
        let found = fitting(name);
        if let [command] = found[..] {
            return Ok(command);
        }
        let names = COMMANDS.iter().map(|command| command.name);
        let message = if !found.is_empty() && !name.is_empty() {
            let all: Vec<_> = found.iter().map(|c| format!(",{}", c.name)).collect();
            format!("`,{name}` may be any of {}", all.join(" "))
        } else if let Some(near) = bowline_middle::nearest(name, names) {
            format!("there is no command `,{name}`: did you mean `,{near}`?")
        } else {
            format!("there is no command `,{name}`: ,help lists them")
        };
        Err(End::Failed(self.session.format.remark(&message)))
    }

    pub(super) fn misused(&self, command: &Command) -> End {
        let message = format!("it is used so: ,{} {}", command.name, command.operand);
        End::Failed(self.session.format.remark(message.trim_end()))
    }

    fn remark(&self, message: &str) -> End {
        End::Failed(self.session.format.remark(message))
    }

    /// The forms of a command's operand, which begins at byte `at`.
    pub(super) fn operands(&mut self, entry: &str, at: usize) -> Outcome<Vec<Datum>> {
        // The command itself is blank to the reader, so that places count from the entry's start.
        let blank = entry[..at].replace(|c: char| c != '\n', " ");
        let padding = " ".repeat(at - blank.len());
        self.read(entry, &format!("{padding}{blank}{}", &entry[at..]))
    }

    fn operand(&mut self, entry: &str, at: usize, command: &Command) -> Outcome<Datum> {
        let mut forms = self.operands(entry, at)?;
        match (forms.pop(), forms.is_empty()) {
            (Some(form), true) => Ok(form),
            _ => Err(self.misused(command)),
        }
    }

    fn help(&mut self, name: &str) -> Outcome {
        if !name.is_empty() {
            let command = self.which(name.trim_start_matches(','))?;
            let text = format!(
                ",{} {}\n  {}\n",
                command.name, command.operand, command.about
            );
            self.say(&text.replace(" \n", "\n"));
            return Ok(());
        }
        let rows = COMMANDS.iter().map(|command| {
            let used = format!(",{} {}", command.name, command.operand);
            (used.trim_end().to_string(), command.about.to_string())
        });
        let mut text =
            "Type an expression to evaluate it, a definition to keep it, or a command:\n"
                .to_string();
        text += &table(rows);
        text += "Commands may be cut short where that is clear: ,a vector is ,apropos vector.\n";
        text +=
            "Tab completes, Ctrl-C interrupts, Ctrl-D leaves, Ctrl-R searches what was typed.\n";
        if self.named {
            text += "A value is kept under the name that it is shown with: $1, $2 ...\n";
        }
        self.say(&text);
        Ok(())
    }

    fn doc(&mut self, name: &str) -> Outcome {
        let text = self.describe(name)?;
        self.say(&text);
        Ok(())
    }

    fn backtrace(&mut self) -> Outcome {
        match self.whole_failure() {
            Some(text) => self.say(&text),
            None => self.say("nothing has failed yet\n"),
        }
        Ok(())
    }

    fn apropos(&mut self, text: &str) -> Outcome {
        let all = self.session.expander.all_bound(self.env);
        let found = all
            .iter()
            .filter(|bound| bound.name.as_str().contains(text) && self.has_meaning(bound));
        let rows: Vec<_> = found
            .map(|bound| (bound.name.to_string(), self.kind(bound)))
            .collect();
        if rows.is_empty() {
            return Err(self.remark(&format!("no name contains `{text}`")));
        }
        self.say(&table(rows));
        Ok(())
    }

    /// The user's own definitions with what they are.
    fn definitions(&mut self) -> Outcome {
        let all = self.session.expander.all_bound(self.env);
        let mut rows = Vec::new();
        for bound in all {
            let own = bound.library.is_none() && !bound.name.as_str().starts_with('$');
            if !own || !self.has_meaning(&bound) {
                continue;
            }
            let what = match (self.signature(&bound), bound.meaning) {
                (Some(signature), _) => signature.lines().next().unwrap_or("").to_string(),
                (None, BoundTo::Variable(id)) => {
                    let rt = &self.session.vm.rt;
                    match print_or_interrupt(rt, rt.globals.get(id.0), Mode::Write) {
                        Ok(text) => cut(&text),
                        Err(_) => return Err(self.stopped_printing()),
                    }
                }
                (None, _) => "syntax".to_string(),
            };
            rows.push((bound.name.to_string(), what));
        }
        match rows.is_empty() {
            true => self.say("nothing is defined yet\n"),
            false => self.say(&table(rows)),
        }
        Ok(())
    }

    fn import(&mut self, entry: &str, at: usize) -> Outcome {
        let sets = self.operands(entry, at)?;
        let session = &mut self.session;
        let units = session
            .expander
            .import(self.env, &sets, &mut session.loader);
        let units = units.map_err(|diagnostics| self.refused(&diagnostics))?;
        let place = sets.first().map_or(Span::NONE, |set| set.span);
        self.units(units, place).map(|_| ())
    }

    /// Runs the libraries among what a form expands to; gives what would run for the form itself.
    fn preview(&mut self, form: &Datum) -> Outcome<Vec<core::Unit>> {
        let session = &mut self.session;
        let units = session
            .expander
            .preview(form, self.env, &mut session.loader);
        let units = units.map_err(|diagnostics| self.refused(&diagnostics))?;
        let (libraries, own) = units.into_iter().partition(|unit| unit.library.is_some());
        self.units(libraries, form.span)?;
        Ok(own)
    }

    fn expand(&mut self, entry: &str, at: usize, command: &Command) -> Outcome {
        let form = self.operand(entry, at, command)?;
        for unit in self.preview(&form)? {
            let expander = &self.session.expander;
            let text = core::print(&unit, expander.primitives(), expander.globals());
            self.say(&text);
        }
        Ok(())
    }

    fn expand_step(&mut self, entry: &str, at: usize, command: &Command) -> Outcome {
        let form = self.operand(entry, at, command)?;
        let session = &mut self.session;
        let step = session
            .expander
            .expand_step(&form, self.env, &mut session.loader);
        match step.map_err(|diagnostics| self.refused(&diagnostics))? {
            Some(form) => self.say(&format!("{form}\n")),
            None => return Err(self.remark(&self.no_step(&form))),
        }
        Ok(())
    }

    /// Why a form has no next step.
    fn no_step(&self, form: &Datum) -> String {
        let head = form.as_list().and_then(|parts| parts.first()?.as_symbol());
        let bound = head.and_then(|head| self.session.expander.bound(self.env, head.as_str()));
        match bound.map(|bound| (bound.meaning, bound.name)) {
            Some((BoundTo::Syntax, name)) => {
                format!("`{name}` is built in, no macro: ,expand shows what becomes of the form")
            }
            _ => "this is no use of a macro".to_string(),
        }
    }

    fn disassemble(&mut self, entry: &str, at: usize, command: &Command) -> Outcome {
        let form = self.operand(entry, at, command)?;
        if form.as_symbol().is_some() {
            let value = self.form(&form)?;
            let vm = &self.session.vm;
            if let Some(text) = vm.disassemble_procedure(value) {
                self.say(&text);
                return Ok(());
            }
            let message = match value.is_procedure() {
                true => format!("the {} is not bytecode", procedure_label(&vm.rt, value)),
                false => format!("the value of `{form}` is no procedure"),
            };
            return Err(self.remark(&message));
        }
        for unit in self.preview(&form)? {
            let expander = &self.session.expander;
            let module = passes::compile(unit, expander.primitives(), expander.globals());
            let module = module.map_err(|diagnostic| self.refused(&[*diagnostic]))?;
            match self.session.vm.load(&module) {
                Ok(entry) => {
                    let text = self.session.vm.disassemble(entry);
                    self.say(&text);
                }
                Err(error) => return Err(self.too_large(&error, form.span)),
            }
        }
        Ok(())
    }
}

/// The widest first column that the second one is moved behind.
const COLUMN: usize = 28;

/// Lines of two columns.
pub(super) fn table(rows: impl IntoIterator<Item = (String, String)>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let widths = rows.iter().map(|(first, _)| first.chars().count());
    let width = widths.filter(|&n| n <= COLUMN).max().unwrap_or(0);
    let line = |(first, second): &(String, String)| {
        let line = format!("  {first:width$}  {second}");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, find, fitting};

    #[test]
    fn names_may_be_cut_short_where_that_is_clear() {
        let name = |text: &str| find(text).map(|command| command.name);
        assert_eq!(name("q"), Some("quit"));
        assert_eq!(name("expand"), Some("expand"));
        assert_eq!(name("doc"), Some("doc"));
        assert_eq!(name("d"), None);
        assert_eq!(name("other"), None);
        assert_eq!(fitting("e").len(), 3);
        assert!(COMMANDS.is_sorted_by_key(|command| command.name));
    }
}
