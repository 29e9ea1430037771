//! A session: one heap, one engine, the libraries loaded so far, and the running of programs.
//!
//! inv:engine.boot — units of the standard library run before any other unit, and nothing of the
//! program is on the stack when they have; then what they made is frozen into the boot heap.
//!
//! Absent on purpose: threads of Scheme. A prompt is `interact`'s.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;

use bowline_gc::{HeapConfig, HeapError};
use bowline_middle::core::{Expr, Unit};
use bowline_middle::ir::Module;
use bowline_middle::{Expander, InlineOp, PrimitiveInfo, passes};
use bowline_runtime::{PrimKind, Primitive, Rt};
use bowline_syntax::{Datum, Diagnostic, Format, SourceId, Span};
use bowline_vm::{CompileError, Entry, Exit, Vm};

use crate::libraries;
use crate::loader::Loader;
use crate::report::{self, Telling};
use crate::start;

/// What a session is asked to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The heap.
    pub heap: HeapConfig,
    /// The command line that the program sees: its name, then its arguments.
    pub arguments: Vec<String>,
    /// How diagnostics are told.
    pub format: Format,
}

/// Why a session could not begin.
#[derive(Debug)]
pub enum StartError {
    /// The heap was refused.
    Heap(HeapError),
    /// The heap is too small for the runtime itself.
    OutOfMemory,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Heap(error) => error.fmt(f),
            StartError::OutOfMemory => f.write_str("the heap is too small for the runtime"),
        }
    }
}

impl std::error::Error for StartError {}

/// How a step of a session ended early: the status to exit with. What there is to say was said.
pub(crate) struct Stop(pub(crate) i32);

/// The status of a program that failed.
pub(crate) const FAILED: i32 = 1;
/// The status of a program that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

/// A session.
pub struct Session {
    pub(crate) loader: Loader,
    pub(crate) expander: Expander,
    pub(crate) vm: Vm,
    pub(crate) format: Format,
    frozen: bool,
}

/// What the compiler must know of primitives.
pub(crate) fn primitive_info(primitives: &[Primitive]) -> Vec<PrimitiveInfo> {
    primitives
        .iter()
        .map(|primitive| PrimitiveInfo {
            name: primitive.name,
            min_args: primitive.min,
            max_args: primitive.max,
            inline: InlineOp::by_name(primitive.name),
            control: !matches!(primitive.kind, PrimKind::Fn(_)),
        })
        .collect()
}

impl Session {
    /// Starts the process's heap and an engine on the calling thread.
    pub fn new(options: Options) -> Result<Session, StartError> {
        let heap = start::heap(options.heap);
        let mut expander = Expander::new(primitive_info(&bowline_runtime::primitives()));
        let mut loader = Loader::new();
        let expansions = Rc::clone(expander.expansions());
        loader.sources.borrow_mut().set_expansions(expansions);
        let library = start::library(&mut expander, &mut loader);
        let heap = heap.wait().map_err(StartError::Heap)?;
        let mutator = heap.try_attach().map_err(StartError::Heap)?;
        let rt = Rt::new(mutator, options.arguments).map_err(|_| StartError::OutOfMemory)?;
        let mut vm = Vm::new(rt).map_err(|_| StartError::OutOfMemory)?;
        vm.set_reporter(Rc::new(Telling {
            sources: Rc::clone(&loader.sources),
            format: options.format,
        }));
        let mut session = Session {
            loader,
            expander,
            vm,
            format: options.format,
            frozen: false,
        };
        session.run_library(&library)?;
        Ok(session)
    }

    /// Runs what was compiled ahead of the program (inv:engine.boot). It can lack nothing but memory.
    fn run_library(&mut self, library: &[Module]) -> Result<(), StartError> {
        for module in library {
            let entry = self.vm.load(module).map_err(|_| StartError::OutOfMemory)?;
            self.vm.run(entry).map_err(|_| StartError::OutOfMemory)?;
        }
        Ok(())
    }

    /// Runs the program in a file. The result is the status to exit with; failures were told on
    /// standard error.
    pub fn run_file(&mut self, file: &Path) -> i32 {
        let status = match self.try_run(file) {
            Ok(()) => 0,
            Err(Stop(status)) => status,
        };
        match self.flush() {
            Err(Stop(failed)) if status == 0 => failed,
            _ => status,
        }
    }

    /// Writes out what the program printed. Text that is lost is a failure, and is told.
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        self.vm.rt.flush_ports().map_err(|lost| {
            tell(&self.format.remark(&lost.to_string()));
            Stop(FAILED)
        })
    }

    fn try_run(&mut self, file: &Path) -> Result<(), Stop> {
        let mut units = self.expand_file(file)?;
        self.vm.rt.heap().begin_refusals();
        // The standard library uses nothing of the program's, so it may all go first
        // (inv:engine.boot); otherwise the order stays.
        units.sort_by_key(|unit| !self.is_standard(unit));
        for unit in units {
            self.run_unit(unit)?;
        }
        Ok(())
    }

    /// Reads and expands a program: the units to run, in order.
    pub(crate) fn expand_file(&mut self, file: &Path) -> Result<Vec<Unit>, Stop> {
        let forms = self.read_file(file)?;
        let units = self.expander.expand_program(&forms, &mut self.loader);
        units.map_err(|diagnostics| self.refuse(&diagnostics))
    }

    /// The same of a program that is to be shown, with the libraries that its file defines although it imports them not.
    pub(crate) fn expand_whole(&mut self, file: &Path) -> Result<Vec<Unit>, Stop> {
        let forms = self.read_file(file)?;
        let units = self.expander.expand_whole(&forms, &mut self.loader);
        units.map_err(|diagnostics| self.refuse(&diagnostics))
    }

    pub(crate) fn read_file(&mut self, file: &Path) -> Result<Vec<Datum>, Stop> {
        self.loader.directories = libraries::search_path(file);
        let (source, text): (SourceId, String) = match self.loader.read(file) {
            Ok(read) => read,
            Err(message) => {
                tell(&self.format.remark(&message));
                return Err(Stop(FAILED));
            }
        };
        let (forms, diagnostics) = bowline_syntax::read_all(source, &text);
        if diagnostics.is_empty() {
            Ok(forms)
        } else {
            Err(self.refuse(&diagnostics))
        }
    }

    pub(crate) fn refuse(&self, diagnostics: &[Diagnostic]) -> Stop {
        let sources = self.loader.sources.borrow();
        tell(&self.format.text(diagnostics, &sources));
        Stop(FAILED)
    }

    /// Compiles and runs a unit.
    pub(crate) fn run_unit(&mut self, unit: Unit) -> Result<(), Stop> {
        if !self.is_standard(&unit) {
            self.freeze();
        }
        let place = first_place(&unit);
        let module = self.compile(unit)?;
        let entry = self.load(&module, place)?;
        match self.vm.run(entry) {
            Ok(_) => Ok(()),
            Err(Exit::Quit(status)) => Err(Stop(status)),
            // Nobody listens for interrupts while a program runs.
            Err(Exit::Interrupted { .. }) => Err(Stop(INTERRUPTED)),
            Err(Exit::Uncaught { condition, trace }) => {
                // What the program printed comes before what is said about its end.
                let _ = self.flush();
                let sources = self.loader.sources.borrow();
                let diagnostic = report::uncaught(&self.vm.rt, &sources, condition, trace);
                Err(self.refuse(&[diagnostic]))
            }
        }
    }

    /// The passes.
    pub(crate) fn compile(&self, unit: Unit) -> Result<Module, Stop> {
        let (prims, globals) = (self.expander.primitives(), self.expander.globals());
        passes::compile(unit, prims, globals).map_err(|diagnostic| self.refuse(&[*diagnostic]))
    }

    /// Makes the code of a module, which begins at `place`, ready to run.
    pub(crate) fn load(&mut self, module: &Module, place: Span) -> Result<Entry, Stop> {
        self.vm.load(module).map_err(|error| {
            let place = match error {
                CompileError::FrameTooLarge { span } => span,
                _ => place,
            };
            self.refuse(&[Diagnostic::error(error.to_string(), place)])
        })
    }

    /// Whether a unit belongs to the standard library.
    pub(crate) fn is_standard(&self, unit: &Unit) -> bool {
        let name = unit.library.as_deref().unwrap_or("");
        let path = name.trim_matches(['(', ')']).replace(' ', "/");
        libraries::embedded(&path).is_some()
    }

    /// Moves all that the library made out of the collector's way (inv:engine.boot). A heap that
    /// cannot be frozen is merely traced more often.
    pub(crate) fn freeze(&mut self) {
        if !self.frozen {
            self.frozen = self.vm.freeze().is_ok();
        }
    }
}

/// Where what was written of a unit begins.
pub(crate) fn first_place(unit: &Unit) -> Span {
    let mut places = unit.body.iter().map(Expr::place);
    places.find(|place| !place.is_none()).unwrap_or(Span::NONE)
}

/// Writes to standard error. There is nobody to tell when that fails.
pub(crate) fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
