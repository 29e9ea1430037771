//! A kernel that refuses memory that can be executed.

use crate::seccomp::{ALLOW, EQUAL, HAS, LOAD, install, refuse_with, step};
use crate::toy::{Leave, Toy, function, libc_function, read, text};
use bowline_ffi::{CallbackPlan, ForeignFunction, Maker, make_callback};
use bowline_gc::OwnerLabel;
use bowline_layout::Value;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("no_executable_memory", no_executable_memory),
    ("no_memory_becomes_executable", no_memory_becomes_executable),
];

const NO_CLOSURE: &str =
    "cannot make a C function for argument 1 of `repeat`: the system gives no executable memory";

/// Has the kernel refuse every mapping that is executable, or becomes it, with EACCES from now on.
fn refuse_executable_mappings() {
    // Where the kernel puts the call's third argument, of both calls the protection.
    const PROTECTION: u32 = 32;
    install(&mut [
        step(LOAD, 0, 0, 0),
        step(EQUAL, 1, 0, libc::SYS_mmap as u32),
        step(EQUAL, 0, 3, libc::SYS_mprotect as u32),
        step(LOAD, 0, 0, PROTECTION),
        step(HAS, 0, 1, libc::PROT_EXEC as u32),
        refuse_with(libc::EACCES),
        ALLOW,
    ]);
}

/// What is called, loaded while libraries can be.
struct Functions {
    id: ForeignFunction,
    getenv: ForeignFunction,
    repeat: ForeignFunction,
    /// With an env, near and far.
    each: ForeignFunction,
    far: ForeignFunction,
}

fn functions() -> Functions {
    Functions {
        id: function("id_int", "(int)", "int"),
        getenv: libc_function("getenv", "(string)", "string"),
        repeat: function("repeat", "((callback (int64) int64) int)", "int"),
        each: function(
            "env_first",
            "(env int (callback/env (env int) int64))",
            "int64",
        ),
        far: function(
            "env_seventeenth",
            &format!("((callback/env ({}env) int64) env)", "int ".repeat(16)),
            "int64",
        ),
    }
}

impl Functions {
    /// Calls without a callback: numbers, lent strings, results.
    fn others_work(&self, toy: &mut Toy) {
        assert_eq!(toy.value(&self.id, &[Value::fixnum(7)]), Value::fixnum(7));
        let name = toy.string("BOWLINE_FFI_TRIAL");
        let value = toy.value(&self.getenv, &[name]);
        assert!(text(value).starts_with("no_"));
        toy.churn();
    }
}

/// A callback object, or why there is none.
fn made(toy: &mut Toy) -> Result<Value, String> {
    let callback = read("(callback (int64) int64)").parse_lasting_callback(&mut toy.types);
    let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
    let plan = CallbackPlan::of(&callback.expect("a type of a callback"));
    let plan = plan.expect("libffi knows the types");
    let by = Maker {
        gate: None,
        label: OwnerLabel::default(),
    };
    make_callback(&mut toy.mutator, plan, same, None, by).map_err(|e| e.to_string())
}

fn no_executable_memory() {
    let mut toy = Toy::start();
    let f = functions();
    refuse_executable_mappings();
    for _ in 0..3 {
        let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
        assert_eq!(toy.error(&f.repeat, &[same, Value::fixnum(1)]), NO_CLOSURE);
        assert_eq!(
            made(&mut toy),
            Err(NO_CLOSURE.replace("repeat", "make-callback"))
        );
        f.others_work(&mut toy);
        with_env(&mut toy, &f);
    }
}

/// What C finds by an env near enough needs no memory that can be executed.
fn with_env(toy: &mut Toy, f: &Functions) {
    if cfg!(target_arch = "x86_64") {
        let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
        let fix = Value::fixnum;
        assert_eq!(toy.value(&f.each, &[fix(4), same]), fix(6));
    }
    let never = toy.procedure("never", 16, |_, _| panic!("C has no function for it"));
    assert_eq!(
        toy.error(&f.far, &[never]),
        NO_CLOSURE.replace("repeat", "env_seventeenth")
    );
}

/// Write or execute, never both (`PR_SET_MDWE`): libffi's trampolines are pages of its own text, if it was built
/// with them.
fn no_memory_becomes_executable() {
    const PR_SET_MDWE: libc::c_int = 65;
    const REFUSE_EXEC_GAIN: libc::c_ulong = 1;
    let mut toy = Toy::start();
    let f = functions();
    // SAFETY: takes numbers.
    let status = unsafe { libc::prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) };
    if status != 0 {
        eprintln!("this kernel has no PR_SET_MDWE: not tried");
        return;
    }
    let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
    toy.mutator.push(same);
    let lasting = made(&mut toy);
    let same = toy.mutator.pop();
    match toy.call_inside(&f.repeat, &[same, Value::fixnum(5)]) {
        Ok(v) => {
            assert_eq!(v, Value::fixnum(5));
            assert!(lasting.is_ok());
        }
        Err(leave) => {
            assert_eq!(leave, Leave::Call(NO_CLOSURE.into()));
            assert_eq!(lasting, Err(NO_CLOSURE.replace("repeat", "make-callback")));
        }
    }
    f.others_work(&mut toy);
}
