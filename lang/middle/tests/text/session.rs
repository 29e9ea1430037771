//! One case: a session with a fixed set of primitives, and the text of the stage that is asked for.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::eval;
use bowline_middle::core::{self, Unit};
use bowline_middle::passes::{self, Pass};
use bowline_middle::{Expander, InlineOp, PrimitiveInfo, SourceLoader, ir};
use bowline_syntax::{Diagnostic, SourceId, SourceMap, read_all, render};

/// Name, fewest and most arguments (255: no limit).
const PRIMITIVES: &[(&str, u8, u8)] = &[
    ("car", 1, 1),
    ("cdr", 1, 1),
    ("cons", 2, 2),
    ("list", 0, 255),
    ("append", 0, 255),
    ("vector", 0, 255),
    ("list->vector", 1, 3),
    ("vector-ref", 2, 2),
    ("vector-set!", 3, 3),
    ("not", 1, 1),
    ("eq?", 2, 2),
    ("eqv?", 2, 2),
    ("memv", 2, 2),
    ("null?", 1, 1),
    ("pair?", 1, 1),
    ("zero?", 1, 1),
    ("+", 0, 255),
    ("-", 1, 255),
    ("*", 0, 255),
    ("=", 1, 255),
    ("<", 1, 255),
    ("display", 1, 2),
    ("newline", 0, 1),
    ("%make-promise", 2, 2),
    ("%make-record-type", 2, 2),
    ("%make-record", 1, 255),
    ("%record?", 2, 2),
    ("%record-ref", 4, 4),
    ("%record-set!", 5, 5),
    ("%with-guard", 2, 2),
];

const CONTROL: &[(&str, u8, u8)] = &[
    ("apply", 2, 255),
    ("call-with-values", 2, 2),
    ("call/cc", 1, 1),
    ("values", 0, 255),
];

pub(crate) fn primitives() -> Vec<PrimitiveInfo> {
    let make = |control| {
        move |&(name, min_args, max): &(&'static str, u8, u8)| PrimitiveInfo {
            name,
            min_args,
            max_args: (max < 255).then_some(max),
            inline: InlineOp::by_name(name),
            control,
        }
    };
    let plain = PRIMITIVES.iter().map(make(false));
    plain.chain(CONTROL.iter().map(make(true))).collect()
}

#[derive(Default)]
pub(crate) struct Loader {
    pub(crate) map: SourceMap,
    pub(crate) libraries: HashMap<String, String>,
    pub(crate) files: HashMap<String, String>,
}

impl SourceLoader for Loader {
    fn library(&mut self, name: &[String]) -> Option<(SourceId, String)> {
        let name = format!("({})", name.join(" "));
        let text = self.libraries.get(&name)?.clone();
        Some((self.map.add(&name, text.as_str()), text))
    }

    fn include(&mut self, path: &str, _from: SourceId) -> Result<(SourceId, String), String> {
        let text = self.files.get(path).ok_or("no such file")?.clone();
        Ok((self.map.add(path, text.as_str()), text))
    }

    fn known_libraries(&self) -> Vec<String> {
        self.libraries.keys().cloned().collect()
    }
}

fn configure(settings: &[String]) -> Loader {
    let mut loader = Loader::default();
    for line in settings {
        let (head, text) = line.split_once(": ").expect("a setting has a colon");
        let text = text.replace("\\n", "\n");
        match head.split_once(' ') {
            Some(("file", name)) => loader.files.insert(name.into(), text),
            Some(("library", name)) => loader.libraries.insert(name.into(), text),
            _ => panic!("unknown setting {line}"),
        };
    }
    loader
}

fn lowered(expander: &Expander, unit: &mut Unit, stage: &str) -> String {
    let prims = expander.primitives();
    let globals = expander.globals();
    let pass = match stage {
        "letrec" => Some(Pass::Letrec),
        "assign" => Some(Pass::Assign),
        "optimize" => Some(Pass::Optimize),
        "contify" => Some(Pass::Contify),
        _ => None,
    };
    if stage == "ir" {
        return compiled(expander, unit);
    }
    if let Some(pass) = pass {
        passes::lower(unit, prims, pass).expect("not too deep");
    } else {
        // Whatever is asked for: the rest of the pipeline must be content, too.
        compiled(expander, unit);
    }
    core::print(unit, prims, globals)
}

/// The IR, which must be sound and survive being printed and read.
fn compiled(expander: &Expander, unit: &Unit) -> String {
    let (prims, globals) = (expander.primitives(), expander.globals());
    let module = passes::compile(unit.clone(), prims, globals).expect("small enough");
    let faults = ir::verify(&module, prims);
    assert!(faults.is_empty(), "{faults:?}");
    let text = ir::print(&module, prims, globals);
    let again = ir::parse(&text, prims).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(ir::print(&again, prims, globals), text);
    assert!(ir::verify(&again, prims).is_empty());
    text
}

fn show(
    expander: &Expander,
    loader: &Loader,
    stage: &str,
    outcome: Result<Vec<Unit>, Vec<Diagnostic>>,
    out: &mut String,
) {
    match outcome {
        Ok(units) => {
            for mut unit in units {
                if let Some(name) = &unit.library {
                    let _ = writeln!(out, "; {name}");
                }
                out.push_str(&lowered(expander, &mut unit, stage));
            }
        }
        Err(errors) => out.push_str(&render(&errors, &loader.map, false)),
    }
}

/// Runs the units: what they display, then the value of the last one's last form.
fn evaluate(expander: &Expander, units: Vec<Unit>) -> String {
    let mut machine = eval::Machine::new(expander.primitives());
    let mut value = String::new();
    for unit in units {
        compiled(expander, &unit);
        let module = passes::compile(unit, expander.primitives(), expander.globals());
        value = machine.run(module.expect("small enough"));
    }
    machine.output + &value
}

/// Runs a case.
pub(crate) fn run(stage: &str, settings: &[String], source: &str) -> String {
    let mut loader = configure(settings);
    let id = loader.map.add("test.scm", source);
    let mut out = String::new();
    let (data, faults) = read_all(id, source);
    if !faults.is_empty() {
        return render(&faults, &loader.map, false);
    }
    let mut expander = Expander::new(primitives());
    loader
        .map
        .set_expansions(std::rc::Rc::clone(expander.expansions()));
    if stage == "repl" {
        let env = expander.new_repl_env();
        for datum in &data {
            let outcome = expander.expand_repl(datum, env, &mut loader);
            show(&expander, &loader, "core", outcome, &mut out);
        }
    } else {
        let outcome = expander.expand_program(&data, &mut loader);
        if stage == "eval"
            && let Ok(units) = outcome
        {
            return evaluate(&expander, units);
        }
        show(&expander, &loader, stage, outcome, &mut out);
    }
    out
}
