//! Pointers that say what they point to: given to C, got from it, and told apart.

use crate::toy::{Toy, integer, read_fields};
use bowline_ffi::{
    StructType, make_pointer, make_pointer_into, memory, pointer_address, pointer_target,
    set_pointer_target,
};
use bowline_gc::{Collect, OwnerLabel};
use bowline_layout::{Value, weak_pair};

pub(crate) const TRIALS: &[crate::Body] = &[
    ("structs_through_c", through_c),
    ("structs_told_apart", told_apart),
    ("structs_defined_again", defined_again),
    ("views_keep_the_owner", views_keep_the_owner),
];

fn make(toy: &mut Toy, structure: &StructType) -> Value {
    let size = structure.layout().expect("it is defined").size;
    let label = OwnerLabel::default();
    let v = toy.mutator.foreign_memory(size, true, label).expect("room");
    set_pointer_target(v, structure.number());
    v
}

fn through_c() {
    let mut toy = Toy::start();
    let point = toy.define("point", "((x int) (y double))");
    let same = toy.function(
        "same_point",
        "((pointer (struct point)))",
        "(pointer (struct point))",
    );
    let via = toy.function(
        "via_point",
        "((callback ((pointer (struct point))) int) (pointer (struct point)))",
        "int",
    );
    let p = make(&mut toy, &point);
    let address = pointer_address(p).expect("a pointer");
    toy.mutator.push(p);
    memory::write_field(&toy, &point, 0, address, Value::fixnum(11)).expect("fits");
    let back = toy.value(&same, &[p]);
    assert_eq!(pointer_address(back), Some(address));
    assert_eq!(pointer_target(back), point.number());
    // As `void *` in C: what does not say what it points to.
    let plain = make_pointer(&mut toy.mutator, address).expect("room");
    assert_eq!(pointer_target(toy.value(&same, &[plain])), point.number());
    let null = toy.value(&same, &[Value::FALSE]);
    assert_eq!(
        (pointer_address(null), pointer_target(null)),
        (Some(0), point.number())
    );
    let number = point.number();
    let get = toy.procedure("get", 1, move |toy, args| {
        let p = toy.mutator.get(args.start);
        assert_eq!(pointer_target(p), number);
        let point = toy.types.structure(number).expect("it is known").clone();
        Ok(memory::read_field(&mut toy.mutator, &point, 0, p).expect("readable"))
    });
    let p = toy.mutator.get(0);
    assert_eq!(integer(toy.value(&via, &[get, p])), 11);
}

fn told_apart() {
    let mut toy = Toy::start();
    let point = toy.define("point", "((x int) (y double))");
    let other = toy.define("other", "((x int))");
    let same = toy.function("same_point", "((pointer (struct point)))", "pointer");
    let p = make(&mut toy, &other);
    assert_eq!(
        toy.error(&same, &[p]),
        "argument 1 of `same_point` has type (pointer (struct point)): expected such a pointer or #f, got #<pointer>"
    );
    let told = |toy: &Toy, v| {
        let who = || "point-x".to_owned();
        memory::struct_address(toy, &point, v, "x", who).map_err(|error| error.to_string())
    };
    let expected = "point-x: expected a pointer to (struct point), got #<pointer>";
    let v = make(&mut toy, &other);
    assert_eq!(told(&toy, v), Err(expected.to_owned()));
    let v = make_pointer(&mut toy.mutator, 16).expect("room");
    assert_eq!(
        told(&toy, v),
        Err(format!(
            "{expected} (if it is one, `(pointer-ref POINTER (struct point))` says so)"
        ))
    );
    let again = toy.define("point", "((x double))");
    let v = make(&mut toy, &again);
    assert_eq!(
        told(&toy, v),
        Err(format!(
            "{expected} (that is another definition of the same name)"
        ))
    );
    let v = make(&mut toy, &point);
    assert_eq!(told(&toy, v).ok(), pointer_address(v));
}

fn defined_again() {
    let mut toy = Toy::start();
    let fields = read_fields("((value int) (next (pointer (struct node))))");
    // A pointer to it may be declared before.
    let same = toy.function("same_point", "((pointer (struct node)))", "pointer");
    let first = toy
        .types
        .define("node", &fields, false)
        .expect("a definition");
    let p = make(&mut toy, &first);
    let address = pointer_address(p);
    assert_eq!(pointer_address(toy.value(&same, &[p])), address);
    let second = toy.types.define("node", &fields, false).expect("the same");
    assert_eq!(first, second);
    let others = read_fields("((value long) (next (pointer (struct node))))");
    let refused = toy
        .types
        .define("node", &others, false)
        .expect_err("differs");
    assert_eq!(
        refused.to_string(),
        "(struct node) is defined already, with other fields; its name means the same in the whole program"
    );
    let third = toy.types.define("node", &others, true).expect("a new one");
    assert_ne!(first, third);
    // Its pointers are to itself, and the old function takes the old one.
    let next = &third.layout().expect("it is defined").fields[1].ctype;
    assert_eq!(*next, bowline_ffi::CType::PointerTo(third.clone()));
    let p = make(&mut toy, &third);
    assert!(
        toy.error(&same, &[p])
            .starts_with("argument 1 of `same_point` has type")
    );
    let twice = read_fields("((x int) (x int))");
    let refused = toy
        .types
        .define("twice", &twice, false)
        .expect_err("one name twice");
    assert_eq!(refused.to_string(), "(struct twice) has two fields named x");
    let refused = toy
        .types
        .define("empty", &[], false)
        .expect_err("no fields");
    assert_eq!(
        refused.to_string(),
        "(struct empty) has no fields, which C does not allow"
    );
}

fn views_keep_the_owner() {
    let mut toy = Toy::start();
    toy.define("point", "((x int) (y double))");
    let pair = toy.define("pair", "((a (struct point)) (b (array (struct point) 2)))");
    let owner = make(&mut toy, &pair);
    let address = pointer_address(owner).expect("a pointer");
    let watch = toy.mutator.weak_pair(owner, Value::NIL).expect("room");
    toy.mutator.push(watch);
    let watched = |toy: &Toy| {
        // SAFETY: a weak pair stands there.
        unsafe { bowline_gc::access::value(toy.mutator.get(0), weak_pair::CAR) }
    };
    let owner = watched(&toy);
    let array = memory::read_field(&mut toy.mutator, &pair, 1, owner).expect("a view");
    assert_eq!(pointer_address(array), Some(address + 16));
    let inner = make_pointer_into(&mut toy.mutator, array, address + 32).expect("room");
    toy.mutator.push(inner);
    toy.mutator.collect(Collect::Full);
    assert_eq!(pointer_address(watched(&toy)), Some(address));
    toy.mutator.pop();
    toy.mutator.collect(Collect::Full);
    assert_eq!(watched(&toy), Value::BROKEN);
}
