//! Pairs, boxes, vectors, strings, records and closures: what is usual is done here, everything else
//! and every error by the primitive.

use bowline_layout::{Flags, Header, Shape, Tag, TypeId, Value, procedure, string};
use bowline_middle::InlineOp;
use bowline_runtime::{kinds, object};

use super::data::{slot, slot_a, take_jump};
use super::{Regs, slow};
use crate::opcode::Insn;
use crate::raw;
use crate::vm::Vm;

/// Where a record's fields begin; word 1 is its type.
const RECORD_FIELDS: usize = 2;

/// Whether `v` is an object of this type.
#[inline(always)]
fn is(v: Value, id: TypeId) -> bool {
    v.is_object() && (raw::header_bits(v) >> 16) as u16 == id.0
}

/// The header of an object of this type.
#[inline(always)]
fn header_of(v: Value, id: TypeId) -> Option<Header> {
    if v.is_object() {
        Header::from_bits(raw::header_bits(v)).filter(|h| h.type_id() == id)
    } else {
        None
    }
}

/// `index` as a number below `length`.
#[inline(always)]
fn index_below(index: Value, length: usize) -> Option<usize> {
    let n = index.bits() >> 1;
    (index.is_fixnum() && n < length as u64).then_some(n as usize)
}

#[inline(always)]
pub(super) fn not(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.acc = Value::bool(!r.acc.is_true());
}

#[inline(always)]
pub(super) fn eq(_: &mut Vm, r: &mut Regs, _: Insn) {
    let left = r.pop();
    r.acc = Value::bool(left == r.acc);
}

#[inline(always)]
pub(super) fn unless_eq(_: &mut Vm, r: &mut Regs, i: Insn) {
    let left = r.pop();
    if left != r.acc {
        take_jump(r, i);
    }
}

#[inline(always)]
pub(super) fn unless_small(_: &mut Vm, r: &mut Regs, i: Insn) {
    if r.acc.bits() != i.small() as u64 {
        take_jump(r, i);
    }
}

#[inline(always)]
pub(super) fn is_null(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.acc = Value::bool(r.acc == Value::NIL);
}

#[inline(always)]
pub(super) fn is_pair(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.acc = Value::bool(r.acc.is_pair());
}

#[inline(always)]
pub(super) fn unless_null(_: &mut Vm, r: &mut Regs, i: Insn) {
    if r.acc != Value::NIL {
        take_jump(r, i);
    }
}

#[inline(always)]
pub(super) fn unless_pair(_: &mut Vm, r: &mut Regs, i: Insn) {
    if !r.acc.is_pair() {
        take_jump(r, i);
    }
}

#[inline(always)]
pub(super) fn unless_null_local(_: &mut Vm, r: &mut Regs, i: Insn) {
    if slot_a(r, i) != Value::NIL {
        take_jump(r, i);
    }
}

#[inline(always)]
pub(super) fn unless_pair_local(_: &mut Vm, r: &mut Regs, i: Insn) {
    if !slot_a(r, i).is_pair() {
        take_jump(r, i);
    }
}

#[inline(always)]
pub(super) fn is_type(_: &mut Vm, r: &mut Regs, i: Insn) {
    r.acc = Value::bool(is(r.acc, TypeId(i.b() as u16)));
}

#[inline(always)]
pub(super) fn is_bytevector(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.acc = Value::bool(is(r.acc, kinds::BYTEVECTOR) || is(r.acc, kinds::BYTEVECTOR_VIEW));
}

#[inline(always)]
pub(super) fn is_char(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.acc = Value::bool(r.acc.is_char());
}

#[inline(always)]
pub(super) fn is_procedure(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.acc = Value::bool(r.acc.is_procedure());
}

#[inline(always)]
pub(super) fn cons(vm: &mut Vm, r: &mut Regs, _: Insn) {
    let car = r.sp.get(-1);
    // inv:vm.publish; the heap itself keeps what the pair is made of.
    r.sp.put(0, r.closure);
    vm.stack.publish(r.sp.at(1));
    match vm.rt.heap.alloc_pair(car, r.acc) {
        Ok(pair) => {
            r.closure = r.sp.get(0);
            r.drop(1);
            r.acc = pair;
        }
        Err(e) => {
            r.closure = r.sp.get(0);
            slow(vm, r, move |vm, r| vm.fault(r, e.into()));
        }
    }
}

/// A field of the pair in `acc` or in a slot.
macro_rules! pair_fields {
    ($($acc:ident $local:ident $push:ident $field:ident $op:ident;)*) => {$(
        #[inline(always)]
        pub(super) fn $acc(vm: &mut Vm, r: &mut Regs, _: Insn) {
            if r.acc.is_pair() {
                r.acc = object::$field(r.acc);
            } else {
                slow(vm, r, move |vm, r| vm.inline_with_acc(r, InlineOp::$op, 1));
            }
        }

        #[inline(always)]
        pub(super) fn $local(vm: &mut Vm, r: &mut Regs, i: Insn) {
            let v = slot(r, i);
            if v.is_pair() {
                r.acc = object::$field(v);
            } else {
                r.acc = v;
                slow(vm, r, move |vm, r| vm.inline_with_acc(r, InlineOp::$op, 1));
            }
        }

        #[inline(always)]
        pub(super) fn $push(vm: &mut Vm, r: &mut Regs, i: Insn) {
            let v = slot(r, i);
            if v.is_pair() {
                r.push(object::$field(v));
            } else {
                // Never a pair, so this fails, and nothing is to be pushed.
                r.acc = v;
                slow(vm, r, move |vm, r| vm.inline_with_acc(r, InlineOp::$op, 1));
            }
        }
    )*};
}

pair_fields! {
    car car_local push_car_local car Car;
    cdr cdr_local push_cdr_local cdr Cdr;
}

/// A field of the second field of the pair in `acc`.
macro_rules! second_fields {
    ($($name:ident $field:ident $op:ident;)*) => {$(
        #[inline(always)]
        pub(super) fn $name(vm: &mut Vm, r: &mut Regs, _: Insn) {
            if r.acc.is_pair() {
                let rest = object::cdr(r.acc);
                if rest.is_pair() {
                    r.acc = object::$field(rest);
                    return;
                }
            }
            slow(vm, r, move |vm, r| vm.inline_with_acc(r, InlineOp::$op, 1));
        }
    )*};
}

second_fields! {
    cadr car Cadr;
    cddr cdr Cddr;
}

/// Stores `acc` in a field of the pair on the stack.
macro_rules! pair_stores {
    ($($name:ident $word:literal $op:ident;)*) => {$(
        #[inline(always)]
        pub(super) fn $name(vm: &mut Vm, r: &mut Regs, _: Insn) {
            let pair = r.sp.get(-1);
            if pair.is_pair() && !vm.rt.heap().in_boot_heap(pair) {
                object::store(&mut vm.rt.heap, pair, $word, r.acc);
                r.drop(1);
                r.acc = Value::UNSPECIFIED;
            } else {
                slow(vm, r, move |vm, r| vm.inline_with_acc(r, InlineOp::$op, 2));
            }
        }
    )*};
}

pair_stores! {
    set_car 0 SetCar;
    set_cdr 1 SetCdr;
}

#[inline(always)]
pub(super) fn vector_ref(vm: &mut Vm, r: &mut Regs, _: Insn) {
    let vector = r.sp.get(-1);
    let index = header_of(vector, kinds::VECTOR).and_then(|h| index_below(r.acc, h.length()));
    match index {
        Some(index) => {
            r.drop(1);
            r.acc = object::field(vector, 1 + index);
        }
        None => slow(vm, r, move |vm, r| {
            vm.inline_with_acc(r, InlineOp::VectorRef, 2)
        }),
    }
}

#[inline(always)]
pub(super) fn vector_set(vm: &mut Vm, r: &mut Regs, _: Insn) {
    let vector = r.sp.get(-2);
    let index = header_of(vector, kinds::VECTOR)
        .filter(|h| !h.flags().has(Flags::IMMUTABLE))
        .and_then(|h| index_below(r.sp.get(-1), h.length()));
    match index {
        Some(index) => {
            object::store(&mut vm.rt.heap, vector, 1 + index, r.acc);
            r.drop(2);
            r.acc = Value::UNSPECIFIED;
        }
        None => slow(vm, r, move |vm, r| {
            vm.inline_with_acc(r, InlineOp::VectorSet, 3)
        }),
    }
}

#[inline(always)]
pub(super) fn vector_length(vm: &mut Vm, r: &mut Regs, _: Insn) {
    match header_of(r.acc, kinds::VECTOR) {
        Some(h) => r.acc = Value::fixnum(h.length() as i64),
        None => slow(vm, r, move |vm, r| {
            vm.inline_with_acc(r, InlineOp::VectorLength, 1)
        }),
    }
}

#[inline(always)]
pub(super) fn bytevector_ref(vm: &mut Vm, r: &mut Regs, _: Insn) {
    let v = r.sp.get(-1);
    let index = header_of(v, kinds::BYTEVECTOR).and_then(|h| index_below(r.acc, h.length()));
    match index {
        Some(index) => {
            r.drop(1);
            r.acc = Value::fixnum(object::bytes(&vm.rt.heap, v, index, 1)[0].into());
        }
        None => slow(vm, r, view_ref),
    }
}

/// The byte of a view, and every error.
fn view_ref(vm: &mut Vm, mut r: Regs) -> Regs {
    let v = r.sp.get(-1);
    if is(v, kinds::BYTEVECTOR_VIEW)
        && let Some(index) = index_below(r.acc, object::byte_count(v))
    {
        r.drop(1);
        r.acc = Value::fixnum(vm.rt.bytevector(v)[index].into());
        return r;
    }
    vm.inline_with_acc(r, InlineOp::BytevectorRef, 2)
}

#[inline(always)]
pub(super) fn string_ref(vm: &mut Vm, r: &mut Regs, _: Insn) {
    let v = r.sp.get(-1);
    if is(v, kinds::STRING) {
        let (bytes, chars) = string::unpack(object::raw(v, string::LENGTHS));
        // As many bytes as characters: all ASCII, so the index counts bytes.
        if let (true, Some(index)) = (bytes == chars, index_below(r.acc, chars)) {
            let body = object::field(v, string::BODY);
            r.drop(1);
            r.acc = Value::char(object::bytes(&vm.rt.heap, body, index, 1)[0].into());
            return;
        }
    }
    slow(vm, r, move |vm, r| {
        vm.inline_with_acc(r, InlineOp::StringRef, 2)
    });
}

#[inline(always)]
pub(super) fn string_length(vm: &mut Vm, r: &mut Regs, _: Insn) {
    if is(r.acc, kinds::STRING) {
        let (_, chars) = string::unpack(object::raw(r.acc, string::LENGTHS));
        r.acc = Value::fixnum(chars as i64);
    } else {
        slow(vm, r, move |vm, r| {
            vm.inline_with_acc(r, InlineOp::StringLength, 1)
        });
    }
}

/// A comparison of two characters: their words compare as they do.
macro_rules! characters {
    ($($name:ident $relation:tt $op:ident;)*) => {$(
        #[inline(always)]
        pub(super) fn $name(vm: &mut Vm, r: &mut Regs, _: Insn) {
            let left = r.sp.get(-1);
            if left.is_char() && r.acc.is_char() {
                r.drop(1);
                r.acc = Value::bool(left.bits() $relation r.acc.bits());
            } else {
                slow(vm, r, move |vm, r| vm.inline_with_acc(r, InlineOp::$op, 2));
            }
        }
    )*};
}

characters! {
    char_eq == CharEq;
    char_lt < CharLt;
}

#[inline(always)]
pub(super) fn char_to_integer(vm: &mut Vm, r: &mut Regs, _: Insn) {
    if r.acc.is_char() {
        r.acc = Value::fixnum((r.acc.bits() >> 8) as i64);
    } else {
        slow(vm, r, move |vm, r| {
            vm.inline_with_acc(r, InlineOp::CharToInteger, 1)
        });
    }
}

#[inline(always)]
fn is_instance(v: Value, rtd: Value) -> bool {
    is(v, kinds::RECORD) && object::field(v, 1) == rtd
}

#[inline(always)]
pub(super) fn is_record(_: &mut Vm, r: &mut Regs, _: Insn) {
    let v = r.pop();
    r.acc = Value::bool(is_instance(v, r.acc));
}

#[inline(always)]
pub(super) fn record_ref(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let v = r.sp.get(-4);
    if is_instance(v, r.sp.get(-3)) {
        let length = (raw::header_bits(v) >> 32) as usize - 1;
        if let Some(index) = index_below(r.sp.get(-2), length) {
            r.drop(4);
            r.acc = object::field(v, RECORD_FIELDS + index);
            return;
        }
    }
    slow(vm, r, move |vm, r| {
        vm.primitive_slow(r, i.b() as usize, i.a())
    });
}

#[inline(always)]
pub(super) fn record_set(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let v = r.sp.get(-5);
    if is_instance(v, r.sp.get(-4)) {
        let length = (raw::header_bits(v) >> 32) as usize - 1;
        if let Some(index) = index_below(r.sp.get(-3), length) {
            object::store(&mut vm.rt.heap, v, RECORD_FIELDS + index, r.sp.get(-2));
            r.drop(5);
            r.acc = Value::UNSPECIFIED;
            return;
        }
    }
    slow(vm, r, move |vm, r| {
        vm.primitive_slow(r, i.b() as usize, i.a())
    });
}

#[inline(always)]
pub(super) fn box_new(vm: &mut Vm, r: &mut Regs, _: Insn) {
    r.sp.put(0, r.acc);
    r.sp.put(1, r.closure);
    vm.stack.publish(r.sp.at(2));
    let header = Header::new(Shape::Values, kinds::BOX, 1);
    let made = vm.rt.heap.alloc(header, Tag::Object);
    r.closure = r.sp.get(1);
    match made {
        Ok(object) => {
            object::init(object, 1, r.sp.get(0));
            r.acc = object;
        }
        Err(e) => slow(vm, r, move |vm, r| vm.fault(r, e.into())),
    }
}

#[inline(always)]
pub(super) fn box_get(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.acc = object::field(r.acc, 1);
}

#[inline(always)]
pub(super) fn box_get_local(_: &mut Vm, r: &mut Regs, i: Insn) {
    r.acc = object::field(slot(r, i), 1);
}

#[inline(always)]
pub(super) fn box_get_captured(_: &mut Vm, r: &mut Regs, i: Insn) {
    let object = object::field(r.closure, procedure::CAPTURED + i.b() as usize);
    r.acc = object::field(object, 1);
}

#[inline(always)]
pub(super) fn box_set(vm: &mut Vm, r: &mut Regs, _: Insn) {
    let object = r.pop();
    object::store(&mut vm.rt.heap, object, 1, r.acc);
}

#[inline(always)]
pub(super) fn closure(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let code = r.pc.offset(i.b() as isize).bits();
    make_procedure(vm, r, kinds::CLOSURE, code, i.a());
}

#[inline(always)]
pub(super) fn case_lambda(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let code = vm.rt.stubs.case_lambda;
    make_procedure(vm, r, kinds::CASE_LAMBDA, code, i.a());
}

#[inline(always)]
pub(super) fn patch(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let closure = slot_a(r, i);
    let word = procedure::CAPTURED + i.b() as usize;
    object::store(&mut vm.rt.heap, closure, word, r.acc);
}

/// `acc` = a procedure that captures the top `n` words, which are taken off.
#[inline(always)]
fn make_procedure(vm: &mut Vm, r: &mut Regs, id: TypeId, code: u64, n: usize) {
    // inv:vm.publish; what is captured lies on the stack, below.
    r.sp.put(0, r.closure);
    vm.stack.publish(r.sp.at(1));
    let made = vm.rt.heap.alloc(procedure::header(id, n), Tag::Procedure);
    r.closure = r.sp.get(0);
    match made {
        Ok(object) => {
            object::set_raw(object, procedure::CODE, code);
            r.drop(n);
            for i in 0..n {
                object::init(object, procedure::CAPTURED + i, r.sp.get(i as isize));
            }
            r.acc = object;
        }
        Err(e) => slow(vm, r, move |vm, r| vm.fault(r, e.into())),
    }
}
