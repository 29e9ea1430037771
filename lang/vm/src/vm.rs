//! The engine: its runtime, its code, and the stack of the thread that uses it (inv:vm.lane).
//!
//! inv:vm.roots — the first words of the value stack belong to the machine ([`Root`]); everything
//! else stands above them.
//!
//! Absent on purpose: reading and expanding programs. The engine crate does that.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use bowline_ffi::{HostGate, Pass};
use bowline_gc::{FreezeError, Frozen, Interrupter, Mutator};
use bowline_layout::Value;
use bowline_middle::ir::Module;
use bowline_middle::{GlobalId, InlineOp, PrimitiveId};
use bowline_runtime::object::{CellRoots, Cells};
use bowline_runtime::{Fault, PrimFn, PrimKind, Rt, kinds};

use crate::compile::{CompileError, PrimitiveFacts};
use crate::machine::{
    Activation, Barrier, Lane, OWNER, Outcome, Pending, RESERVE, Regs, Start, Stubs,
};
use crate::raw::{Limit, Pc, Sp, Stack};
use crate::reporter::{Nobody, Reporter};
use crate::space::{CodeSpace, TraceFrame};

/// The machine's own words at the bottom of the value stack (inv:vm.roots).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(crate) enum Root {
    /// The dynamic state.
    Dyn,
    /// The dynamic state that a program starts with.
    OuterDyn,
    /// The list of active winders.
    Winders,
    /// The library's procedure that raises.
    Raise,
    /// The library's procedure that rewinds and throws.
    Rewind,
    /// The library's procedure that ends the program.
    Exit,
    /// The library's procedure that ends an interrupted run.
    Interrupt,
    /// The object that nobody handled.
    Uncaught,
    /// Where a pending exit leads.
    PendingKont,
    /// The list of values that it brings there.
    PendingValues,
    /// What C has raised.
    PendingObject,
}

pub(crate) const ROOTS: usize = 11;

/// Why a run ended without a value.
#[derive(Debug)]
pub enum Exit {
    /// An object was raised that nobody handled.
    Uncaught {
        /// The object: good until the heap is used again.
        condition: Value,
        /// Where it was raised, innermost first.
        trace: Vec<TraceFrame>,
    },
    /// The program asked to end with this status.
    Quit(i32),
    /// Somebody interrupted it.
    Interrupted {
        /// Where it was, innermost first.
        trace: Vec<TraceFrame>,
    },
}

/// A unit's code, ready to run.
#[derive(Clone, Copy)]
pub struct Entry(pub(crate) Pc);

/// A procedure of the library that the machine calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    /// `(lambda (object continuable?) …)`: raises.
    Raise,
    /// `(lambda (k values) …)`: runs winders, then throws.
    Rewind,
    /// `(lambda (status) …)`: runs winders, then ends the program.
    Exit,
    /// `(lambda () …)`: runs winders, then ends the interrupted run.
    Interrupt,
}

/// The engine of one thread.
pub struct Vm {
    /// The runtime.
    pub rt: Rt,
    pub(crate) stack: Stack,
    pub(crate) limit: Limit,
    /// The code of each primitive.
    pub(crate) functions: Vec<PrimFn>,
    /// The primitive of each inline operation.
    pub(crate) inline: Vec<usize>,
    pub(crate) facts: Vec<PrimitiveFacts>,
    pub(crate) code: CodeSpace,
    /// Constants that are objects.
    pub(crate) constants: Arc<Cells>,
    /// The cells of the primitives that are used as values: one object for each, whichever unit
    /// names it, so that `eq?` knows them.
    pub(crate) primitive_cells: HashMap<PrimitiveId, u64>,
    pub(crate) stubs: Stubs,
    /// The registers on their way into or out of the loop.
    pub(crate) regs: Regs,
    /// Where the running activation's first frame is.
    pub(crate) floor: Sp,
    /// Frames whose return tells of it, oldest first (inv:vm.barrier).
    pub(crate) barriers: Vec<Barrier>,
    /// The frame of the foreign procedure that was called last.
    pub(crate) caller_fp: Sp,
    /// Those that have not returned, outermost first.
    pub(crate) activations: Vec<Activation>,
    pub(crate) next_activation: u64,
    /// The floor of the light procedure that is running (inv:vm.light).
    pub(crate) light: Option<Sp>,
    pub(crate) outcome: Outcome,
    pub(crate) pending: Option<Pending>,
    pub(crate) uncaught_trace: Vec<TraceFrame>,
    pub(crate) reporter: Rc<dyn Reporter>,
    /// The numbers of the places that owners were made at, by return address; `None` for those in
    /// the library.
    pub(crate) places: HashMap<u64, Option<u32>>,
    /// The one that was asked for last.
    pub(crate) last_place: (u64, u32),
    /// Full heaps reported without getting away.
    pub(crate) full: u32,
    /// Whether the stack may go beyond its limit, because a full heap is being reported.
    pub(crate) overdraft: bool,
    /// Which threads may use the engine (inv:vm.lane).
    pub(crate) gate: &'static HostGate,
    /// Whose state this is.
    pub(crate) lane: u64,
    pub(crate) last_lane: u64,
    /// The states of the other threads.
    pub(crate) parked: Vec<Lane>,
    /// Tells whether the owner is to be interrupted.
    pub(crate) interrupter: Interrupter,
    /// Whether a guest has met that request.
    pub(crate) stopped: bool,
}

/// What stands in the table for a primitive that the machine carries out itself. The compiler calls
/// those as procedures, so it is never run.
fn control_primitive(_: &mut Rt, _: bowline_runtime::Args) -> bowline_runtime::Result {
    Err(Box::new(Fault::Control {
        message: "a control primitive was called in place".to_string(),
        irritants: Vec::new(),
    }))
}

impl Vm {
    /// An engine for this runtime, which has run nothing yet.
    pub fn new(mut rt: Rt) -> Result<Vm, Box<Fault>> {
        let mut code = CodeSpace::default();
        let stubs = Stubs::new(&mut code);
        rt.stubs = stubs.codes;
        let stack = Stack::new(rt.heap.stack());
        let functions = rt.primitives.iter().map(|p| match p.kind {
            PrimKind::Fn(f) | PrimKind::Owner(f) => f,
            PrimKind::Control(_) => control_primitive as PrimFn,
        });
        let functions = functions.collect();
        let inline_of = |p: &bowline_runtime::Primitive| InlineOp::by_name(p.name);
        let facts = rt.primitives.iter().map(|p| PrimitiveFacts {
            inline: inline_of(p),
        });
        let facts = facts.collect();
        let find = |op: &InlineOp| rt.primitives.iter().position(|p| p.name == op.name());
        let inline = InlineOp::ALL.iter().map(|op| find(op).unwrap_or(0));
        let inline = inline.collect();
        let constants = Cells::new(false, Value::FALSE);
        rt.heap
            .heap()
            .register_roots(Box::new(CellRoots(Arc::clone(&constants))));
        let dynamic = rt.make_object(kinds::DYN, &[Value::NIL, Value::NIL])?;
        let base = stack.base();
        let (gate, interrupter) = (Pass::gate_of(&rt.heap), rt.heap.stack().interrupter());
        rt.gate = Some(gate);
        for _ in 0..ROOTS {
            rt.push(Value::FALSE);
        }
        let mut vm = Vm {
            rt,
            stack,
            limit: stack.limit(),
            functions,
            inline,
            facts,
            code,
            constants,
            primitive_cells: HashMap::new(),
            stubs,
            regs: Regs::at_rest(stubs.halt, base),
            floor: base.at(ROOTS as isize),
            barriers: Vec::new(),
            caller_fp: base,
            activations: Vec::new(),
            next_activation: 0,
            light: None,
            outcome: Outcome::Returned,
            pending: None,
            uncaught_trace: Vec::new(),
            reporter: Rc::new(Nobody),
            places: HashMap::new(),
            last_place: (0, 0),
            full: 0,
            overdraft: false,
            gate,
            lane: OWNER,
            last_lane: OWNER,
            parked: Vec::new(),
            interrupter,
            stopped: false,
        };
        vm.watch_stack(ROOTS);
        vm.set_root(Root::Dyn, dynamic);
        vm.set_root(Root::OuterDyn, dynamic);
        vm.set_root(Root::Winders, Value::NIL);
        vm.rt.heap().keep_reserve(RESERVE);
        Ok(vm)
    }

    /// Compiles and links a unit.
    pub fn load(&mut self, module: &Module) -> Result<Entry, CompileError> {
        crate::load::load(self, module)
    }

    /// Runs a unit.
    pub fn run(&mut self, entry: Entry) -> Result<Value, Exit> {
        let done = self.activate(Start::Entry(entry.0), 0);
        self.finished(done)
    }

    /// Calls a procedure.
    pub fn call(&mut self, procedure: Value, args: &[Value]) -> Result<Value, Exit> {
        let height = self.rt.height();
        self.rt.push(procedure);
        for &arg in args {
            self.rt.push(arg);
        }
        let done = self.activate(Start::Procedure, args.len());
        self.rt.truncate(height);
        self.finished(done)
    }

    fn finished(&mut self, (outcome, value): (Outcome, Value)) -> Result<Value, Exit> {
        match outcome {
            Outcome::Returned => Ok(value),
            Outcome::Quit(status) => Err(Exit::Quit(status)),
            Outcome::Interrupted => Err(Exit::Interrupted {
                trace: std::mem::take(&mut self.uncaught_trace),
            }),
            // Only a callback's activation can throw outwards; what the engine starts is outermost.
            Outcome::Uncaught | Outcome::Throw => Err(Exit::Uncaught {
                condition: self.root(Root::Uncaught),
                trace: std::mem::take(&mut self.uncaught_trace),
            }),
        }
    }

    /// Makes `reporter` the one to ask for places and to tell of what goes on.
    pub fn set_reporter(&mut self, reporter: Rc<dyn Reporter>) {
        self.reporter = reporter;
    }

    /// Installs a procedure of the library.
    pub fn install_hook(&mut self, hook: Hook, procedure: Value) {
        let root = match hook {
            Hook::Raise => Root::Raise,
            Hook::Rewind => Root::Rewind,
            Hook::Exit => Root::Exit,
            Hook::Interrupt => Root::Interrupt,
        };
        self.set_root(root, procedure);
    }

    /// After a run that failed: what was lent to report a full heap is kept back again.
    pub fn settle(&mut self) {
        self.got_away();
    }

    /// Moves everything that lives into the boot heap.
    pub fn freeze(&mut self) -> Result<Frozen, FreezeError> {
        self.rt.freeze(&mut |_| ())
    }

    /// The value of a global variable, if it has one.
    pub fn global(&self, id: GlobalId) -> Option<Value> {
        let globals = &self.rt.globals;
        let declared = (id.0 as usize) < globals.len();
        let value = declared.then(|| globals.get(id.0));
        value.filter(|v| *v != Value::UNBOUND)
    }

    /// How many arguments a procedure takes: the fewest, and the most if there is a limit.
    pub fn argument_counts(&self, procedure: Value) -> (usize, Option<usize>) {
        self.arity_of(procedure)
    }

    /// The call chain that a condition carries.
    pub fn trace_of(&self, condition: Value) -> Vec<TraceFrame> {
        self.condition_trace(condition).unwrap_or_default()
    }

    /// The thread's mutator.
    pub fn mutator(&mut self) -> &mut Mutator {
        &mut self.rt.heap
    }

    #[inline(always)]
    pub(crate) fn root(&self, root: Root) -> Value {
        self.stack.base().get(root as isize)
    }

    #[inline(always)]
    pub(crate) fn set_root(&mut self, root: Root, v: Value) {
        self.stack.base().put(root as isize, v);
    }
}

impl Drop for Vm {
    /// The program is over: threads of C's that call back from now on are refused.
    fn drop(&mut self) {
        self.gate.close();
    }
}

impl fmt::Debug for Vm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vm")
            .field("units", &self.code.units().len())
            .field("activations", &self.activations.len())
            .finish()
    }
}
