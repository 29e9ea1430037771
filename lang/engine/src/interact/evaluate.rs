//! Evaluating forms one after another, and showing what they give.
//!
//! The values of an entry's last form are the reply; those of the others, and large ones, go to the
//! program's own port, so that everything appears in the order in which it came about. Every value
//! that is shown gets a name, `$1` and so on; the oldest names are given up so that a long session
//! does not keep everything alive that it ever computed.
//!
//! Absent on purpose: a value for definitions. They show nothing.

use std::path::{Path, PathBuf};

use bowline_layout::Value;
use bowline_middle::core::{Defined, Unit};
use bowline_middle::{BoundTo, passes};
use bowline_runtime::printer::{Mode, print_or_interrupt};
use bowline_runtime::{kinds, object};
use bowline_syntax::{Datum, DatumKind, Reader, Span};
use bowline_vm::Vm;

use super::{End, Interaction, Outcome, SOURCE};
use crate::libraries;

/// How many values keep their names.
const KEPT: usize = 100;

/// Longer texts of values go to the program's port, where their output can be interrupted.
const LARGE: usize = 64 << 10;

impl Interaction {
    /// Evaluates what was typed. Nothing is evaluated if any of it cannot be read.
    pub(super) fn entry_text(&mut self, text: &str) -> Outcome {
        let forms = self.read(text, text)?;
        self.forms(&forms)?;
        if let [form] = &forms[..] {
            self.tell_how_to_leave(form);
        }
        Ok(())
    }

    /// Whoever types `exit` wants to leave, not to see the procedure.
    fn tell_how_to_leave(&mut self, form: &Datum) {
        let bound = self.session.expander.bound(self.env, "exit");
        let standard = bound.is_some_and(|bound| bound.library.is_some());
        if self.named && standard && form.is_symbol("exit") {
            self.say("to leave type (exit) or ,quit, or press Ctrl-D\n");
        }
    }

    /// Evaluates forms, the last of which gives the reply.
    pub(super) fn forms(&mut self, forms: &[Datum]) -> Outcome {
        let Some((last, first)) = forms.split_last() else {
            return Ok(());
        };
        for form in first {
            let value = self.form(form)?;
            self.show(value, false)?;
        }
        let value = self.form(last)?;
        self.show(value, true)
    }

    /// Reads a text, which is shown as another of the same length, as the continuation of what was
    /// typed before.
    pub(super) fn read(&mut self, shown: &str, text: &str) -> Outcome<Vec<Datum>> {
        let first = self.lines + 1;
        self.lines += text.trim_end_matches('\n').split('\n').count() as u32;
        let sources = &self.session.loader.sources;
        let source = sources.borrow_mut().add_from_line(SOURCE, shown, first);
        let mut reader = Reader::new(source, text).keep_cycles().fold_case(self.fold);
        let (mut forms, mut wrong) = (Vec::new(), Vec::new());
        for datum in reader.by_ref() {
            match datum {
                Ok(form) => forms.push(form),
                Err(error) => wrong.push(error.into_diagnostic()),
            }
        }
        if !wrong.is_empty() {
            return Err(self.refused(&wrong));
        }
        self.fold = reader.is_folding();
        Ok(forms)
    }

    /// Evaluates the forms of a file.
    pub(super) fn load_file(&mut self, file: &Path) -> Outcome {
        let loader = &mut self.session.loader;
        let (source, text) = match loader.read(file) {
            Ok(read) => read,
            Err(message) => return Err(End::Failed(self.session.format.remark(&message))),
        };
        let (forms, wrong) = bowline_syntax::read_all(source, &text);
        if !wrong.is_empty() {
            return Err(self.refused(&wrong));
        }
        let beside = libraries::search_path(file);
        let before = std::mem::replace(&mut self.session.loader.directories, beside);
        let done = forms
            .iter()
            .try_for_each(|form| self.form(form).map(|_| ()));
        self.session.loader.directories = before;
        done
    }

    /// The file of `(load "FILE")`, unless `load` means something else here.
    fn load_form(&self, form: &Datum) -> Option<PathBuf> {
        let [word, file] = form.as_list()? else {
            return None;
        };
        let DatumKind::String(file) = &file.kind else {
            return None;
        };
        let bound = self.session.expander.bound(self.env, "load");
        let taken = bound.is_some_and(|bound| self.has_meaning(&bound));
        (word.is_symbol("load") && !taken).then(|| PathBuf::from(&**file))
    }

    /// Evaluates one form. The value is good until the heap is used.
    pub(super) fn form(&mut self, form: &Datum) -> Outcome<Value> {
        if let Some(file) = self.load_form(form) {
            return self.load_file(&file).map(|()| Value::UNSPECIFIED);
        }
        let session = &mut self.session;
        let units = session
            .expander
            .expand_repl(form, self.env, &mut session.loader);
        let units = units.map_err(|diagnostics| self.refused(&diagnostics))?;
        self.units(units, form.span)
    }

    /// Runs units, of which the last gives the value.
    pub(super) fn units(&mut self, units: Vec<Unit>, place: Span) -> Outcome<Value> {
        let mut value = Value::UNSPECIFIED;
        let mut units = units.into_iter();
        while let Some(unit) = units.next() {
            let library = unit.library.clone();
            match self.unit(unit, place) {
                Ok(given) => value = given,
                Err(end) => {
                    // What did not run to its end has to be tried again, not taken for done.
                    let rest = units.filter_map(|unit| unit.library);
                    for name in library.into_iter().chain(rest) {
                        self.session.expander.forget_library(&name);
                    }
                    return Err(end);
                }
            }
        }
        let rt = &mut self.session.vm.rt;
        rt.push(value);
        self.fill_in();
        Ok(self.session.vm.rt.pop())
    }

    /// Gives variables that were used before an import has brought their names along the values that
    /// the names have now: what was compiled then refers to them.
    fn fill_in(&mut self) {
        for (id, meaning) in self.session.expander.take_replaced() {
            let vm = &mut self.session.vm;
            let value = match meaning {
                BoundTo::Primitive(primitive) => vm.primitive_value(primitive),
                BoundTo::Variable(other) => vm.global(other),
                BoundTo::Syntax | BoundTo::Macro => None,
            };
            if let (Some(value), None) = (value, vm.global(id))
                && (id.0 as usize) < vm.rt.globals.len()
            {
                vm.rt.globals.set(id.0, value);
            }
        }
    }

    fn unit(&mut self, mut unit: Unit, place: Span) -> Outcome<Value> {
        let definitions = std::mem::take(&mut unit.definitions);
        let session = &mut self.session;
        if !session.is_standard(&unit) {
            session.freeze();
        }
        let expander = &session.expander;
        let module = passes::compile(unit, expander.primitives(), expander.globals());
        let module = module.map_err(|diagnostic| self.refused(&[*diagnostic]))?;
        let entry = match self.session.vm.load(&module) {
            Ok(entry) => entry,
            Err(error) => return Err(self.too_large(&error, place)),
        };
        let vm = &mut self.session.vm;
        let has_value = |vm: &Vm, defined: &Defined| vm.global(defined.variable).is_some();
        let had_values: Vec<_> = definitions.iter().map(|d| has_value(vm, d)).collect();
        let ended = vm.run(entry);
        for (definition, had_value) in definitions.iter().zip(had_values) {
            // Of one that failed only what got its first value by it is known to be defined.
            if ended.is_ok() || !had_value && has_value(&self.session.vm, definition) {
                self.session.expander.defined(self.env, definition);
            }
        }
        ended.map_err(|exit| self.ended(exit, place, &definitions))
    }

    /// Shows a value, or several. Whoever is `last` becomes the reply.
    fn show(&mut self, value: Value, last: bool) -> Outcome {
        let rt = &mut self.session.vm.rt;
        let base = rt.height();
        if object::is(value, kinds::MULTIPLE_VALUES) {
            (1..=object::length(value)).for_each(|i| rt.push(object::field(value, i)));
        } else if value != Value::UNSPECIFIED {
            rt.push(value);
        }
        let end = rt.height();
        let shown = (base..end).try_for_each(|at| self.show_one(at, last));
        self.session.vm.rt.truncate(base);
        shown
    }

    /// Shows the value at a position of the root stack.
    fn show_one(&mut self, at: usize, last: bool) -> Outcome {
        let rt = &self.session.vm.rt;
        let text = match print_or_interrupt(rt, rt.at(at), Mode::Write) {
            Ok(text) => text,
            Err(_) => return Err(self.stopped_printing()),
        };
        let name = self.keep(at);
        let line = match self.named {
            true => format!("{name} = {text}\n"),
            false => format!("{text}\n"),
        };
        if last && line.len() <= LARGE {
            self.say(&line);
            return Ok(());
        }
        self.print(&line)
    }

    /// Gives the value at a position of the root stack a name.
    fn keep(&mut self, at: usize) -> String {
        self.results += 1;
        let name = format!("${}", self.results);
        let id = self.session.expander.define(self.env, &name);
        let rt = &mut self.session.vm.rt;
        if rt.globals.declare(id.0, name.as_str().into()) {
            rt.globals.set(id.0, rt.at(at));
            self.kept.push_back(id);
        }
        if self.kept.len() > KEPT
            && let Some(old) = self.kept.pop_front()
        {
            rt.globals.set(old.0, Value::UNBOUND);
        }
        name
    }

    /// Adds to the reply, on a line of its own.
    pub(super) fn say(&mut self, text: &str) {
        if self.text.is_empty() {
            self.text = self.line_start();
        }
        self.text.push_str(text);
    }

    /// Writes to the program's output, on a line of its own.
    fn print(&mut self, line: &str) -> Outcome {
        bowline_ffi::flush_c_stdout();
        let fresh = self.line_start();
        let rt = &mut self.session.vm.rt;
        let port = rt.stdout_port();
        let text = format!("{}{fresh}{line}", std::mem::take(&mut self.text));
        let written = rt
            .write_text("write", 2, port, &text)
            .map(|()| self.flush());
        match written {
            Ok(()) => Ok(()),
            Err(fault) if matches!(*fault, bowline_runtime::Fault::Interrupt { .. }) => {
                Err(self.stopped_printing())
            }
            // The program has closed the port.
            Err(_) => {
                self.text = text;
                Ok(())
            }
        }
    }

    /// Writes out what the program printed, C included, and notes if some of it is lost.
    pub(super) fn flush(&mut self) {
        bowline_ffi::flush_c_stdout();
        if let Err(lost) = self.session.vm.rt.flush_ports() {
            self.lost.get_or_insert(lost);
        }
    }

    /// What there is to print so that a line begins.
    pub(super) fn line_start(&mut self) -> String {
        if let Some(motion) = &self.line_motion {
            return motion.clone();
        }
        let begun = self.line_is_begun();
        if begun { "\n" } else { "" }.to_owned()
    }

    /// Whether the program has printed to the terminal and not ended the line.
    fn line_is_begun(&mut self) -> bool {
        let mut outputs = self.session.vm.rt.standard_outputs();
        outputs.any(|out| !out.is_at_line_start())
    }

    /// What is shown next begins a line.
    pub(super) fn line_was_ended(&mut self) {
        self.session
            .vm
            .rt
            .standard_outputs()
            .for_each(|out| out.line_was_ended());
    }
}
