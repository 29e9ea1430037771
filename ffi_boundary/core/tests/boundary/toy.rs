//! A language of one kind of procedure: an object whose code word is the number of a Rust closure.

use bowline_ffi::{
    CallError, ForeignFunction, Handle, HandleKind, Handles, Host, HostGate, Language, Library,
    Pass, PendingExit, Returned, Signature, StructType, TypeExpr, Types, call, make_bytevector,
    make_string,
};
use bowline_gc::{Collect, Heap, HeapConfig, Mutator, OutOfMemory, access};
use bowline_layout::{Tag, TypeId, Value, ephemeron, flonum, procedure, string, type_id};
use core::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// How a procedure can be left otherwise than by return.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Leave {
    /// A raise, with what was raised.
    Raise(String),
    /// A foreign call inside it ended with a pending exit.
    Pending,
    /// A foreign call inside it failed.
    Call(String),
}

type Body = Rc<dyn Fn(&mut Toy, Range<usize>) -> Result<Value, Leave>>;

struct Procedure {
    name: &'static str,
    arity: usize,
    body: Body,
}

/// The language's engine on one thread.
pub(crate) struct Toy {
    pub(crate) mutator: Box<Mutator>,
    procedures: Vec<Procedure>,
    /// What was left and goes on when a foreign call reports a pending exit.
    pub(crate) pending: Option<Leave>,
    /// The structs that it knows.
    pub(crate) types: Types,
    /// By which gate threads of C's come in, if they may.
    pub(crate) gate: Option<&'static HostGate>,
    /// Whose mutator and pending exit these are; those of the other threads.
    pub(crate) lane: u64,
    last_lane: u64,
    pub(crate) parked: Vec<(u64, Box<Mutator>, Option<Leave>)>,
    /// How guests' outermost callbacks were left.
    pub(crate) told: Vec<Leave>,
    /// Ephemerons of procedures that C keeps and their callback objects, by the kind of those.
    kept: Vec<(i64, Handle)>,
}

const PROCEDURE: TypeId = TypeId(20);
const RATNUM: TypeId = TypeId(21);
const VECTOR: TypeId = TypeId(22);

/// A type as a program writes it.
pub(crate) fn read(text: &str) -> TypeExpr {
    fn items(words: &mut std::vec::IntoIter<String>) -> Vec<TypeExpr> {
        let mut out = Vec::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "(" => out.push(TypeExpr::List(items(words))),
                ")" => break,
                _ => out.push(
                    word.parse()
                        .map_or_else(|_| TypeExpr::name(&word), TypeExpr::Int),
                ),
            }
        }
        out
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
    items(&mut words.into_iter()).remove(0)
}

/// Fields as a program writes them.
pub(crate) fn read_fields(text: &str) -> Vec<(String, TypeExpr)> {
    let TypeExpr::List(fields) = read(text) else {
        panic!("fields are a list");
    };
    let field = |field: &TypeExpr| match field {
        TypeExpr::List(parts) => (parts[0].to_string(), parts[1].clone()),
        _ => panic!("a field is (NAME TYPE)"),
    };
    fields.iter().map(field).collect()
}

pub(crate) fn signature(params: &str, result: &str) -> Signature {
    signature_in(&mut Types::default(), params, result)
}

/// A signature whose structs are among `types`.
pub(crate) fn signature_in(types: &mut Types, params: &str, result: &str) -> Signature {
    let TypeExpr::List(params) = read(params) else {
        panic!("parameters are a list");
    };
    Signature::parse(&params, &read(result), types).expect("a well-formed signature")
}

/// A function of libc or libm.
pub(crate) fn libc_function(name: &str, params: &str, result: &str) -> ForeignFunction {
    let library = Library::open(Some("libm.so.6")).expect("libm is there");
    ForeignFunction::new(name, &library, name, signature(params, result)).expect("is there")
}

/// The test's own C library.
pub(crate) fn support() -> Arc<Library> {
    let path = std::env::var(crate::LIBRARY).expect("set for trials");
    Library::open(Some(&path)).expect("was compiled")
}

/// A function of the test's own C library.
pub(crate) fn function(name: &str, params: &str, result: &str) -> ForeignFunction {
    ForeignFunction::new(name, &support(), name, signature(params, result)).expect("is there")
}

/// Starts the process's heap with the trial's zeal.
pub(crate) fn start_heap(limit: Option<usize>) -> &'static Heap {
    let zeal = std::env::var(crate::ZEAL).expect("set for trials");
    bowline_gc::start(HeapConfig {
        zeal: zeal.parse().expect("a known zeal"),
        limit,
        ..HeapConfig::default()
    })
    .expect("starts")
}

/// Whether the trial runs without needless collections.
pub(crate) fn calm() -> bool {
    std::env::var(crate::ZEAL).expect("set for trials") == "off"
}

impl Toy {
    pub(crate) fn start() -> Toy {
        Toy::on(start_heap(None))
    }

    pub(crate) fn on(heap: &'static Heap) -> Toy {
        Toy {
            mutator: heap.attach(),
            procedures: Vec::new(),
            pending: None,
            types: Types::default(),
            gate: None,
            lane: 0,
            last_lane: 0,
            parked: Vec::new(),
            told: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// A language that threads of C's may use.
    pub(crate) fn open() -> Toy {
        let mut toy = Toy::start();
        toy.gate = Some(Pass::gate_of(&toy.mutator));
        toy
    }

    fn swap(&mut self, lane: &mut (u64, Box<Mutator>, Option<Leave>)) {
        std::mem::swap(&mut self.lane, &mut lane.0);
        std::mem::swap(&mut self.mutator, &mut lane.1);
        std::mem::swap(&mut self.pending, &mut lane.2);
    }

    fn take_parked(&mut self, lane: u64) -> (u64, Box<Mutator>, Option<Leave>) {
        let at = self.parked.iter().position(|parked| parked.0 == lane);
        self.parked.swap_remove(at.expect("the lane is parked"))
    }

    /// A new procedure.
    pub(crate) fn procedure(
        &mut self,
        name: &'static str,
        arity: usize,
        body: impl Fn(&mut Toy, Range<usize>) -> Result<Value, Leave> + 'static,
    ) -> Value {
        let header = procedure::header(PROCEDURE, 0);
        let v = self.mutator.alloc(header, Tag::Procedure).expect("room");
        // SAFETY: fresh; the code word is raw.
        unsafe { access::set_word(v, procedure::CODE, self.procedures.len() as u64) };
        self.procedures.push(Procedure {
            name,
            arity,
            body: Rc::new(body),
        });
        v
    }

    fn known(&self, v: Value) -> &Procedure {
        // SAFETY: a procedure of this language has its number as code word.
        &self.procedures[unsafe { access::word(v, procedure::CODE) } as usize]
    }

    /// Calls a foreign function with arguments that are not rooted yet.
    pub(crate) fn call(
        &mut self,
        function: &ForeignFunction,
        args: &[Value],
    ) -> Result<Returned, CallError> {
        let base = self.mutator.len();
        args.iter().for_each(|v| self.mutator.push(*v));
        let returned = call(function, self, base..base + args.len());
        self.mutator.truncate(base);
        returned
    }

    /// As `call`, for what must succeed: the result and what out parameters gave.
    pub(crate) fn values(&mut self, function: &ForeignFunction, args: &[Value]) -> Vec<Value> {
        let base = self.mutator.len();
        args.iter().for_each(|v| self.mutator.push(*v));
        let returned = call(function, self, base..base + args.len()).expect("the call succeeds");
        let end = self.mutator.len();
        assert_eq!(end, base + args.len() + returned.outs);
        let outs = (end - returned.outs..end).map(|i| self.mutator.get(i));
        let all = std::iter::once(returned.value).chain(outs).collect();
        self.mutator.truncate(base);
        all
    }

    /// Defines a struct, as `((x int) (y double))`.
    pub(crate) fn define(&mut self, name: &str, fields: &str) -> Arc<StructType> {
        self.types
            .define(name, &read_fields(fields), true)
            .expect("a definition")
    }

    /// A function of the test's own C library whose types this program knows.
    pub(crate) fn function(&mut self, name: &str, params: &str, result: &str) -> ForeignFunction {
        let signature = signature_in(&mut self.types, params, result);
        ForeignFunction::new(name, &support(), name, signature).expect("is there")
    }

    /// As `call`, for what must succeed.
    pub(crate) fn value(&mut self, function: &ForeignFunction, args: &[Value]) -> Value {
        self.call(function, args).expect("the call succeeds").value
    }

    /// As `call` from inside a procedure: a failure leaves the procedure too.
    pub(crate) fn call_inside(
        &mut self,
        function: &ForeignFunction,
        args: &[Value],
    ) -> Result<Value, Leave> {
        match self.call(function, args) {
            Ok(returned) => Ok(returned.value),
            Err(CallError::PendingExit) => Err(self.pending.take().unwrap_or(Leave::Pending)),
            Err(error) => Err(Leave::Call(error.to_string())),
        }
    }

    /// The text of the error that a call must give.
    pub(crate) fn error(&mut self, function: &ForeignFunction, args: &[Value]) -> String {
        match self.call(function, args) {
            Err(CallError::Ffi(error)) => error.to_string(),
            other => panic!("expected an error of the boundary, got {other:?}"),
        }
    }

    /// Makes garbage and collects, so that everything that may move does.
    pub(crate) fn churn(&mut self) {
        for i in 0..200 {
            let junk = self.mutator.alloc_pair(Value::fixnum(i), Value::NIL);
            assert!(junk.is_ok());
        }
        self.mutator.collect(Collect::Full);
    }

    pub(crate) fn string(&mut self, text: &str) -> Value {
        make_string(&mut self.mutator, text).expect("room")
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Value {
        make_bytevector(&mut self.mutator, bytes).expect("room")
    }

    pub(crate) fn flonum(&mut self, x: f64) -> Value {
        bowline_ffi::make_flonum(&mut self.mutator, x).expect("room")
    }

    pub(crate) fn integer(&mut self, n: i128) -> Value {
        bowline_ffi::make_integer(&mut self.mutator, n).expect("room")
    }

    /// A number that only the language knows: half of `n`.
    pub(crate) fn half(&mut self, n: i64) -> Value {
        let header = bowline_layout::Header::new(bowline_layout::Shape::Values, RATNUM, 1);
        let v = self.mutator.alloc(header, Tag::Object).expect("room");
        // SAFETY: fresh, and no pointer is stored.
        unsafe { access::init(v, 1, Value::fixnum(n)) };
        v
    }
}

fn type_of(v: Value) -> Option<TypeId> {
    // SAFETY: an object of the heap has a header.
    v.is_object()
        .then(|| unsafe { access::header(v) }.type_id())
}

/// The text of a string object.
pub(crate) fn text(v: Value) -> String {
    assert_eq!(type_of(v), Some(type_id::STRING), "{v:?} is no string");
    // SAFETY: it is a string.
    let (length, chars) = string::unpack(unsafe { access::word(v, string::LENGTHS) });
    // SAFETY: as above.
    let body = unsafe { access::value(v, string::BODY) };
    // SAFETY: a body has that many bytes and a NUL.
    let bytes = unsafe { access::bytes(body, 1, length + 1) };
    assert_eq!(bytes[length], 0, "inv:string.nul");
    let text = std::str::from_utf8(&bytes[..length]).expect("strings are UTF-8");
    assert_eq!(text.chars().count(), chars);
    text.to_owned()
}

/// The bytes of a bytevector.
pub(crate) fn bytes(v: Value) -> Vec<u8> {
    assert_eq!(
        type_of(v),
        Some(type_id::BYTEVECTOR),
        "{v:?} is no bytevector"
    );
    // SAFETY: it is a bytevector.
    let length = unsafe { access::header(v) }.length();
    // SAFETY: as above.
    unsafe { access::bytes(v, 1, length) }.to_vec()
}

/// The double in a flonum.
pub(crate) fn double(v: Value) -> f64 {
    assert_eq!(type_of(v), Some(type_id::FLONUM), "{v:?} is no flonum");
    // SAFETY: it is a flonum.
    f64::from_bits(unsafe { access::word(v, flonum::BITS) })
}

fn limbs(v: Value) -> usize {
    // SAFETY: callers have seen that it is a bignum.
    bowline_layout::bignum::limbs(unsafe { access::header(v) })
}

/// An integer of either kind.
pub(crate) fn integer(v: Value) -> i128 {
    if let Some(n) = v.as_fixnum() {
        return i128::from(n);
    }
    assert_eq!(type_of(v), Some(type_id::BIGNUM), "{v:?} is no integer");
    assert_eq!(limbs(v), 1);
    // SAFETY: it is a bignum.
    let sign = unsafe { access::word(v, bowline_layout::bignum::SIGN) };
    // SAFETY: as above.
    let limb = i128::from(unsafe { access::word(v, bowline_layout::bignum::LIMBS) });
    if sign == 0 { limb } else { -limb }
}

impl Language for Toy {
    fn to_double(&self, v: Value) -> Option<f64> {
        (type_of(v)? == RATNUM).then(|| {
            // SAFETY: a ratnum of this language has one value.
            unsafe { access::value(v, 1) }
                .as_fixnum()
                .expect("a fixnum") as f64
                / 2.0
        })
    }

    fn types(&self) -> &Types {
        &self.types
    }

    fn describe(&self, v: Value) -> String {
        match type_of(v) {
            Some(type_id::STRING) => format!("{:?}", text(v)),
            Some(type_id::BYTEVECTOR) => format!("#u8{:?}", bytes(v)),
            Some(type_id::FLONUM) => format!("{:?}", double(v)),
            Some(type_id::BIGNUM) if limbs(v) == 1 => integer(v).to_string(),
            Some(type_id::BIGNUM) => "a large integer".into(),
            Some(type_id::FOREIGN_POINTER) => "#<pointer>".into(),
            _ if v.is_procedure() => format!("#<procedure {}>", self.known(v).name),
            _ => match v.as_fixnum() {
                Some(n) => n.to_string(),
                None => format!("{v:?}"),
            },
        }
    }
}

impl Host for Toy {
    fn mutator(&mut self) -> &mut Mutator {
        &mut self.mutator
    }

    fn invoke(&mut self, procedure: Value, args: Range<usize>) -> Result<Value, PendingExit> {
        assert_eq!(self.mutator.get(args.start - 1), procedure);
        assert_eq!(self.mutator.len(), args.end);
        let known = self.known(procedure);
        assert_eq!(known.arity, args.len());
        let body = known.body.clone();
        body(self, args).map_err(|leave| {
            assert_eq!(self.pending, None, "one exit at a time");
            self.pending = Some(leave);
            PendingExit
        })
    }

    fn raise_pending(&mut self, error: CallError) {
        assert_ne!(error, CallError::PendingExit);
        assert_eq!(self.pending, None, "one exit at a time");
        self.pending = Some(Leave::Call(error.to_string()));
    }

    fn raise_value(&mut self, v: Value) {
        self.pending = Some(Leave::Raise(self.describe(v)));
    }

    fn raise_errno(&mut self, errno: i32) {
        self.pending = Some(Leave::Raise(format!("errno {errno}")));
    }

    fn make_vector(&mut self, n: usize) -> Result<Value, OutOfMemory> {
        let header = bowline_layout::Header::new(bowline_layout::Shape::Values, VECTOR, n);
        self.mutator.alloc(header, Tag::Object)
    }

    fn set_vector_element(&mut self, v: Value, i: usize, element: Value) {
        assert_eq!(type_of(v), Some(VECTOR), "{v:?} is no vector");
        // SAFETY: a vector of this language has its elements from word 1 on.
        unsafe { self.mutator.store(v, i + 1, element) };
    }

    /// What is called so is said to capture nothing.
    fn constant(&self, procedure: Value) -> Option<u64> {
        // SAFETY: a procedure of this language has its number as code word.
        let number = unsafe { access::word(procedure, procedure::CODE) };
        let constant = self.procedures[number as usize]
            .name
            .starts_with("constant");
        constant.then_some(number)
    }

    fn kept_callback(&mut self, procedure: Value, kind: i64) -> Option<Value> {
        let handles = Handles::of(&self.mutator);
        let of_kind = self.kept.iter().filter(|kept| kept.0 == kind);
        let both = of_kind.map(|kept| handles.get(kept.1).expect("a handle of ours"));
        both.filter_map(|both| {
            // SAFETY: an ephemeron.
            let key = unsafe { self.mutator.read_weak(both, ephemeron::KEY) };
            // SAFETY: as above.
            let callback = unsafe { self.mutator.read_weak(both, ephemeron::VALUE) };
            (key == procedure).then_some(callback)
        })
        .next()
    }

    fn keep_callback(
        &mut self,
        procedure: usize,
        kind: i64,
        callback: usize,
    ) -> Result<(), OutOfMemory> {
        let (procedure, callback) = (self.mutator.get(procedure), self.mutator.get(callback));
        let both = self.mutator.ephemeron(procedure, callback)?;
        let handle = Handles::of(&self.mutator).create(both, HandleKind::Global);
        self.kept.push((kind, handle.expect("room")));
        Ok(())
    }

    fn abandon(&mut self, _: usize) {
        self.pending = None;
    }

    fn pass(&self) -> Option<Pass> {
        let guest = self.lane;
        self.gate.map(|gate| Pass { gate, guest })
    }

    fn exchange(&mut self, pass: Pass) {
        if pass.guest != self.lane {
            let mut lane = self.take_parked(pass.guest);
            self.swap(&mut lane);
            self.parked.push(lane);
        }
    }

    fn guest_begins(&mut self, mutator: Box<Mutator>) {
        assert!(mutator.is_empty());
        self.last_lane += 1;
        let mut lane = (self.last_lane, mutator, None);
        self.swap(&mut lane);
        self.parked.push(lane);
    }

    fn guest_ends(&mut self) -> Option<Box<Mutator>> {
        assert_ne!(self.lane, 0);
        assert_eq!(self.pending, None, "nothing is left to do");
        let mut lane = self.take_parked(0);
        self.swap(&mut lane);
        Some(lane.1)
    }

    fn guest_failed(&mut self) {
        let left = self.pending.take();
        self.told.push(left.expect("there is a reason"));
    }

    fn accepts(&self, procedure: Value, n: usize) -> bool {
        self.known(procedure).arity == n
    }

    fn procedure_name(&self, procedure: Value) -> String {
        self.known(procedure).name.to_owned()
    }
}
