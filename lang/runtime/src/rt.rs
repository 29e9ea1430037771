//! The runtime of one thread: heap, symbols, ports, globals, and the root stack's conventions.
//!
//! A primitive gets its arguments as positions on the root stack, where the collector updates
//! them.
//!
//! inv:rooted.args — after anything that may allocate, an argument is read again with [`Rt::arg`];
//! a value that is not an argument and must live on is pushed.
//!
//! Absent on purpose: running code. The engine owns an `Rt` and calls into it; nothing here calls
//! out (inv:primitive.leaf).

use std::sync::Arc;

use bowline_ffi::HostGate;
use bowline_gc::{FreezeError, Frozen, Heap, MoreRoots, Mutator};
use bowline_layout::{Shape, Tag, TypeId, Value};

use crate::code::{CodeTable, StubCodes};
use crate::datatypes::Datatypes;
use crate::fault::Result;
use crate::ffi::Foreign;
use crate::globals::Globals;
use crate::kinds;
use crate::lent::Lent;
use crate::object::{self, CellRoots, Cells};
use crate::owners::Owners;
use crate::port::PortTable;
use crate::primitive::{Primitive, primitives};
use crate::symbols::{SymbolTable, WellKnown};

/// Where a primitive's arguments are: `len` values on the root stack from `base` on.
#[derive(Clone, Copy, Debug)]
pub struct Args {
    /// The position of argument 0.
    pub base: usize,
    /// How many there are.
    pub len: usize,
}

/// The runtime of one thread.
pub struct Rt {
    /// The thread's mutator.
    pub heap: Box<Mutator>,
    /// Interned symbols.
    pub symbols: SymbolTable,
    /// The symbols that the runtime itself uses.
    pub known: WellKnown,
    /// The state of every open port.
    pub ports: PortTable,
    /// `errno` of the last foreign call.
    pub errno: i32,
    /// Global variables.
    pub globals: Globals,
    /// Names and arities of compiled code.
    pub code: CodeTable,
    /// The code words of procedures that are not compiled from Scheme; set by the engine.
    pub stubs: StubCodes,
    /// Foreign libraries and procedures.
    pub foreign: Foreign,
    /// By which gate threads of C's come in, if they may; set by the engine.
    pub gate: Option<&'static HostGate>,
    /// The constructors of algebraic data types.
    pub datatypes: Datatypes,
    /// Who makes what owns C memory.
    pub owners: Owners,
    /// What C was lent for longer than a call.
    pub(crate) lent: Lent,
    /// The command line: the program's name, then its arguments.
    pub args: Vec<String>,
    /// The table of primitives.
    pub primitives: Vec<Primitive>,
    /// When the runtime began, for `current-jiffy`.
    pub(crate) started: std::time::Instant,
    pub(crate) heap_ref: &'static Heap,
    pub(crate) roots: Arc<Cells>,
    freezes: u64,
}

/// The runtime's own roots: indices into `Rt::roots`.
pub(crate) mod root {
    /// The condition that stands ready for when the heap is full.
    pub(crate) const OUT_OF_MEMORY: usize = 0;
    /// The standard ports, input, output, error.
    pub(crate) const STDIN: usize = 1;
    pub(crate) const STDOUT: usize = 2;
    pub(crate) const STDERR: usize = 3;
    /// The callback objects of procedures that C keeps: a table with weak keys, or `#f` as long as there are none.
    pub(crate) const CALLBACKS: usize = 4;
    /// The type that callbacks were made of last, as a datum, or `#f`.
    pub(crate) const CALLBACK_TYPE: usize = 5;
    pub(crate) const COUNT: usize = 6;
}

impl Rt {
    /// A runtime on the calling thread, whose mutator this is.
    pub fn new(mut mutator: Box<Mutator>, args: Vec<String>) -> Result<Rt> {
        let heap = mutator.heap();
        let mut symbols = SymbolTable::new();
        let known = WellKnown::new(&mut symbols, &mut mutator)?;
        let roots = Cells::new(false, Value::FALSE);
        roots.ensure(root::COUNT - 1);
        heap.register_roots(Box::new(CellRoots(Arc::clone(&roots))));
        let mut rt = Rt {
            heap: mutator,
            symbols,
            known,
            ports: PortTable::new(heap),
            errno: 0,
            globals: Globals::new(heap),
            code: CodeTable::default(),
            stubs: StubCodes::default(),
            foreign: Foreign::default(),
            gate: None,
            datatypes: Datatypes::default(),
            owners: Owners::default(),
            lent: Lent::default(),
            args,
            primitives: primitives(),
            started: std::time::Instant::now(),
            heap_ref: heap,
            roots,
            freezes: 0,
        };
        rt.prepare_out_of_memory()?;
        rt.open_standard_ports()?;
        Ok(rt)
    }

    /// Argument `i`, as it is now (inv:rooted.args).
    #[inline(always)]
    pub fn arg(&self, args: Args, i: usize) -> Value {
        debug_assert!(i < args.len);
        self.heap.stack().get(args.base + i)
    }

    /// Argument `i`, or `None` when the caller left it out.
    #[inline]
    pub fn opt(&self, args: Args, i: usize) -> Option<Value> {
        if i < args.len {
            match self.arg(args, i) {
                Value::DEFAULT => None,
                v => Some(v),
            }
        } else {
            None
        }
    }

    /// Puts a temporary on the root stack.
    #[inline]
    pub fn push(&mut self, v: Value) {
        self.heap.stack().push(v);
    }

    /// Takes the last temporary off the root stack.
    #[inline]
    pub fn pop(&mut self) -> Value {
        self.heap.stack().pop()
    }

    /// The height of the root stack.
    #[inline]
    pub fn height(&self) -> usize {
        self.heap.stack().len()
    }

    /// The value at a position of the root stack.
    #[inline]
    pub fn at(&self, position: usize) -> Value {
        self.heap.stack().get(position)
    }

    /// Overwrites the value at a position of the root stack.
    #[inline]
    pub fn set_at(&mut self, position: usize, v: Value) {
        self.heap.stack().set(position, v);
    }

    /// Drops temporaries down to a height taken earlier, as the engine does when a primitive fails
    /// (inv:primitive.stack).
    #[inline]
    pub fn truncate(&mut self, height: usize) {
        self.heap.stack().truncate(height);
    }

    /// A pair.
    #[inline(always)]
    pub fn cons(&mut self, car: Value, cdr: Value) -> Result {
        Ok(self.heap.alloc_pair(car, cdr)?)
    }

    /// A `Values` object of `n` words, each the fixnum 0.
    pub fn alloc_values(&mut self, id: TypeId, n: usize) -> Result {
        let header = bowline_layout::Header::new(Shape::Values, id, n);
        Ok(self.heap.alloc(header, Tag::Object)?)
    }

    /// A `Values` object with these words. `words` are kept alive meanwhile.
    pub fn make_object(&mut self, id: TypeId, words: &[Value]) -> Result {
        let height = self.height();
        for &w in words {
            self.push(w);
        }
        let object = self.alloc_values(id, words.len())?;
        for i in 0..words.len() {
            object::init(object, i + 1, self.at(height + i));
        }
        self.truncate(height);
        Ok(object)
    }

    /// A procedure object with these captured values. `captured` are kept alive meanwhile.
    pub fn make_procedure(&mut self, id: TypeId, code: u64, captured: &[Value]) -> Result {
        let height = self.height();
        for &w in captured {
            self.push(w);
        }
        let header = bowline_layout::procedure::header(id, captured.len());
        let object = self.heap.alloc(header, Tag::Procedure)?;
        object::set_raw(object, bowline_layout::procedure::CODE, code);
        for i in 0..captured.len() {
            let v = self.at(height + i);
            object::init(object, bowline_layout::procedure::CAPTURED + i, v);
        }
        self.truncate(height);
        Ok(object)
    }

    /// The procedure object of a primitive.
    pub fn make_primitive(&mut self, index: u16) -> Result {
        let code = self.stubs.primitive;
        self.make_procedure(kinds::PRIMITIVE, code, &[Value::fixnum(index.into())])
    }

    /// A flonum.
    #[inline]
    pub fn make_flonum(&mut self, x: f64) -> Result {
        let v = self
            .heap
            .alloc(bowline_layout::flonum::HEADER, Tag::Object)?;
        object::set_raw(v, bowline_layout::flonum::BITS, x.to_bits());
        Ok(v)
    }

    /// A vector whose elements are all `fill`, which is kept alive meanwhile.
    pub fn make_vector(&mut self, n: usize, fill: Value) -> Result {
        if n > bowline_layout::Header::MAX_LENGTH {
            return Err(Box::new(crate::fault::Fault::OutOfMemory));
        }
        let height = self.height();
        self.push(fill);
        let v = self.alloc_values(kinds::VECTOR, n)?;
        if fill != Value::fixnum(0) {
            self.push(v);
            self.in_pieces(1..n + 1, |rt, piece| {
                let (fill, v) = (rt.at(height), rt.at(height + 1));
                for i in piece {
                    object::store(&mut rt.heap, v, i, fill);
                }
            });
        }
        let v = match self.height() - height {
            1 => v,
            _ => self.pop(),
        };
        self.truncate(height);
        Ok(v)
    }

    /// A bytevector with this content.
    pub fn make_bytevector(&mut self, content: &[u8]) -> Result {
        let v = self.alloc_bytevector(content.len())?;
        object::bytes_mut(&mut self.heap, v, 0, content.len()).copy_from_slice(content);
        Ok(v)
    }

    /// A bytevector of `n` zeros.
    pub fn alloc_bytevector(&mut self, n: usize) -> Result {
        if n > bowline_layout::Header::MAX_LENGTH {
            return Err(Box::new(crate::fault::Fault::OutOfMemory));
        }
        self.alloc_buffer(bowline_layout::bytevector::header(n))
    }

    /// The bytes of a bytevector, its own or C's.
    #[inline]
    pub fn bytevector(&self, v: Value) -> &[u8] {
        object::content(&self.heap, v)
    }

    /// The same, to be written.
    #[inline]
    pub(crate) fn bytevector_mut(&mut self, v: Value) -> &mut [u8] {
        object::content_mut(&mut self.heap, v)
    }

    /// The list of the values on the root stack from `from` up to its top, before `tail`; they are
    /// taken off the stack.
    pub fn list_from_stack(&mut self, from: usize, tail: Value) -> Result {
        let mut list = tail;
        while self.height() > from {
            let item = self.at(self.height() - 1);
            list = self.cons(item, list)?;
            self.pop();
        }
        Ok(list)
    }

    /// Fails if somebody wants what is running to stop: for primitives that may take long.
    #[inline]
    pub fn check_interrupt(&self) -> Result<()> {
        if self.heap.stack().interrupt_wanted() {
            return Err(Box::new(crate::fault::Fault::Interrupt { unwound: false }));
        }
        Ok(())
    }

    /// A number that changes whenever addresses may have: at every collection and freeze.
    #[inline]
    pub fn epoch(&self) -> u64 {
        self.heap_ref.collections() + self.freezes
    }

    /// Moves everything that lives into the boot heap, `roots` included.
    pub fn freeze(&mut self, roots: MoreRoots<'_>) -> std::result::Result<Frozen, FreezeError> {
        self.freezes += 1;
        self.heap_ref.freeze(&mut self.heap, roots)
    }

    /// The heap that this runtime's thread is attached to.
    pub fn heap(&self) -> &'static Heap {
        self.heap_ref
    }
}
