//! C memory, read and written by type.

use crate::toy::{Toy, double, function, integer, read, text};
use bowline_ffi::{
    CType, CallError, Repr, make_pointer, make_pointer_into, memory, pointer_address,
};
use bowline_gc::{Collect, OwnerLabel};
use bowline_layout::{Value, weak_pair};

pub(crate) const TRIALS: &[crate::Body] = &[
    ("memory_integers", integers),
    ("memory_others", others),
    ("memory_errors", errors),
    ("out_parameters", out_parameters),
    ("pointers_into_memory", pointers_into_memory),
];

fn error(result: Result<impl std::fmt::Debug, CallError>) -> String {
    result.expect_err("an error").to_string()
}

fn integers() {
    let mut toy = Toy::start();
    let room = [0xaau8; 32];
    let address = (&raw const room).expose_provenance();
    for (name, ctype) in CType::NAMED {
        let Some((low, high)) = ctype.repr().range() else {
            continue;
        };
        for n in [low, 0, 1, high] {
            let v = toy.integer(n);
            // Unaligned, with a negative offset.
            memory::write(&toy, ctype, address + 20, -7, v).expect("fits");
            let back = memory::read(&mut toy.mutator, ctype, address, 13).expect("readable");
            assert_eq!(integer(back), n, "{name}");
        }
        let v = toy.integer(if high < i128::from(u64::MAX) {
            high + 1
        } else {
            -1
        });
        assert!(
            error(memory::write(&toy, ctype, address, 13, v)).starts_with("the value to store")
        );
    }
}

fn others() {
    let mut toy = Toy::start();
    let mut room = [0u64; 4];
    let address = (&raw mut room).expose_provenance();
    let x = toy.flonum(0.1);
    toy.mutator.push(x);
    for (ctype, expected) in [(CType::Double, 0.1), (CType::Float, f64::from(0.1f32))] {
        let x = toy.mutator.get(0);
        memory::write(&toy, &ctype, address, 8, x).expect("a number");
        let back = memory::read(&mut toy.mutator, &ctype, address, 8).expect("readable");
        assert_eq!(double(back), expected);
    }
    for v in [Value::TRUE, Value::FALSE] {
        memory::write(&toy, &CType::Bool, address, 0, v).expect("any value");
        assert_eq!(
            memory::read(&mut toy.mutator, &CType::Bool, address, 0),
            Ok(v)
        );
    }
    let p = make_pointer(&mut toy.mutator, address + 8).expect("room");
    memory::write(&toy, &CType::Pointer, address, 0, p).expect("a pointer");
    let back = memory::read(&mut toy.mutator, &CType::Pointer, address, 0).expect("readable");
    assert_eq!(pointer_address(back), Some(address + 8));
    // A `string` in memory is a pointer to one.
    let word = u64::from_le_bytes(*b"C text\0\0");
    // SAFETY: the room is ours.
    unsafe { (&raw mut room[1]).write_volatile(word) };
    let back = memory::read(&mut toy.mutator, &CType::String, address, 0).expect("readable");
    assert_eq!(text(back), "C text");
}

fn errors() {
    let mut toy = Toy::start();
    assert_eq!(
        error(memory::read(&mut toy.mutator, &CType::Int, 0, 4)),
        "pointer-ref: the pointer is null"
    );
    assert_eq!(
        error(memory::write(&toy, &CType::Int, 0, 4, Value::fixnum(1))),
        "pointer-set!: the pointer is null"
    );
    for name in ["void", "bytevector", "(callback (int) int)"] {
        let ctype = read(name).parse(&mut toy.types).expect("a type");
        let text = format!("`{name}` cannot be read from or stored into C memory");
        assert_eq!(error(memory::read(&mut toy.mutator, &ctype, 8, 0)), text);
        assert_eq!(error(memory::write(&toy, &ctype, 8, 0, Value::FALSE)), text);
    }
    let s = toy.string("not kept");
    assert_eq!(
        error(memory::write(&toy, &CType::String, 8, 0, s)),
        "a string cannot be stored into C memory, where nothing would keep it in place; store a pointer to a copy, as `string->pointer` makes one"
    );
}

/// What C stores through a lent bytevector is what the typed functions return.
fn out_parameters() {
    let mut toy = Toy::start();
    for (name, ctype) in CType::NAMED {
        let (Repr::Signed(_) | Repr::Unsigned(_)) = ctype.repr() else {
            continue;
        };
        let out = function(
            &format!("out_{name}"),
            &format!("(bytevector {name})"),
            "void",
        );
        let (low, _) = ctype.repr().range().expect("an integer type");
        let cell = toy.bytes(&[0; 8]);
        toy.mutator.push(cell);
        let v = toy.integer(low);
        let cell = toy.mutator.get(0);
        toy.value(&out, &[cell, v]);
        let address = toy.mutator.get(0).addr().word(1).raw();
        let back = memory::read(&mut toy.mutator, ctype, address, 0).expect("readable");
        toy.mutator.pop();
        assert_eq!(integer(back), low, "{name}");
    }
}

/// A pointer derived from an owner, and one derived from that, keep the owner and not each other.
fn pointers_into_memory() {
    let mut toy = Toy::start();
    let mutator = &mut toy.mutator;
    let label = OwnerLabel::default();
    let owner = mutator.foreign_memory(64, true, label).expect("room");
    let address = pointer_address(owner).expect("a pointer");
    memory::copy_in(address + 8, b"C text");
    mutator.push(owner);
    let first = make_pointer_into(mutator, owner, address + 4).expect("room");
    mutator.push(first);
    let second = make_pointer_into(mutator, first, address + 8).expect("room");
    mutator.push(second);
    for i in 0..2 {
        let watched = mutator.get(i);
        let watch = mutator.weak_pair(watched, Value::NIL).expect("room");
        mutator.set(i, watch);
    }
    let watched = |mutator: &bowline_gc::Mutator, i| {
        // SAFETY: a weak pair stands there.
        unsafe { bowline_gc::access::value(mutator.get(i), weak_pair::CAR) }
    };
    mutator.collect(Collect::Full);
    assert_eq!(watched(mutator, 1), Value::BROKEN);
    let owner = watched(mutator, 0);
    assert_eq!(pointer_address(owner), Some(address));
    assert_eq!(pointer_address(mutator.get(2)), Some(address + 8));
    let byte = memory::read(mutator, &CType::UInt8, address, 8).expect("readable");
    assert_eq!(integer(byte), i128::from(b'C'));
    mutator.pop();
    mutator.collect(Collect::Full);
    assert_eq!(watched(mutator, 0), Value::BROKEN);
}
