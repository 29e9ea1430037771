//! A few lines of evaluator: calls of primitives, nested, with quoted data and global variables.
//!
//! | form | means |
//! |---|---|
//! | `(PRIMITIVE arg …)` | the call; arguments from left to right |
//! | `(quote d)` | the datum |
//! | `(def x e)` | defines a global variable |
//! | `(begin e …)` | the last value |
//! | `(fault e)` | the condition of `e`'s error |
//! | `(values->list e)` | the list of several values |

use bowline_layout::Value;
use bowline_runtime::{Args, Fault, Primitive, Rt, kinds, object, printer};
use bowline_syntax::{Datum, DatumKind, SourceId, read_all};
use std::collections::HashMap;

pub(crate) struct Session {
    pub(crate) rt: Rt,
    primitives: HashMap<&'static str, usize>,
    variables: HashMap<String, u32>,
}

type Result = bowline_runtime::Result<Value>;

impl Session {
    pub(crate) fn new(rt: Rt) -> Session {
        let primitives = rt
            .primitives
            .iter()
            .enumerate()
            .map(|(i, p)| (p.name, i))
            .collect();
        Session {
            rt,
            primitives,
            variables: HashMap::new(),
        }
    }

    /// The primitive of this name.
    pub(crate) fn primitive(&self, name: &str) -> Primitive {
        let index = self.primitives.get(name);
        self.rt.primitives[*index.unwrap_or_else(|| panic!("no primitive {name}"))]
    }

    /// The value of a global variable.
    pub(crate) fn variable(&self, name: &str) -> Value {
        let id = self.variables.get(name);
        let id = id.unwrap_or_else(|| panic!("no variable {name}"));
        self.rt.globals.get(*id)
    }

    /// What `write` prints of the value of the only expression in `source`; or `! ` and the error.
    pub(crate) fn run(&mut self, source: &str) -> String {
        let (data, diagnostics) = read_all(SourceId(0), source);
        assert!(diagnostics.is_empty(), "{source}: {diagnostics:?}");
        let [datum] = &data[..] else {
            panic!("{source}: {} expressions", data.len())
        };
        let height = self.rt.height();
        let result = self.eval(datum);
        let text = match result {
            Ok(v) => printer::print(&self.rt, v, printer::Mode::Write),
            Err(fault) => match *fault {
                Fault::Exit(status) => format!("exit {status}"),
                fault => {
                    let condition = self.rt.condition_of(Box::new(fault));
                    format!("! {}", self.rt.describe(condition))
                }
            },
        };
        self.rt.truncate(height);
        text
    }

    fn eval(&mut self, datum: &Datum) -> Result {
        match &datum.kind {
            DatumKind::Symbol(name) => Ok(self.variable(name.as_str())),
            DatumKind::List(items) if !items.is_empty() => {
                let head = items[0]
                    .as_symbol()
                    .expect("a name in front")
                    .as_str()
                    .to_owned();
                self.form(&head, &items[1..])
            }
            _ => self.rt.datum_to_value(datum, true),
        }
    }

    fn form(&mut self, head: &str, rest: &[Datum]) -> Result {
        match head {
            "quote" => self.rt.datum_to_value(&rest[0], false),
            "begin" => {
                let mut last = Value::UNSPECIFIED;
                for e in rest {
                    last = self.eval(e)?;
                }
                Ok(last)
            }
            "def" => {
                let v = self.eval(&rest[1])?;
                let name = rest[0].as_symbol().expect("a name").as_str();
                let id = self.variables.len() as u32;
                let id = *self.variables.entry(name.into()).or_insert(id);
                assert!(self.rt.globals.declare(id, name.into()));
                self.rt.globals.set(id, v);
                Ok(Value::UNSPECIFIED)
            }
            "fault" => {
                let height = self.rt.height();
                let result = self.eval(&rest[0]);
                self.rt.truncate(height);
                match result {
                    Ok(_) => panic!("no fault in {}", rest[0]),
                    Err(fault) => Ok(self.rt.condition_of(fault)),
                }
            }
            "values->list" => {
                let v = self.eval(&rest[0])?;
                assert!(object::is(v, kinds::MULTIPLE_VALUES));
                let height = self.rt.height();
                for i in 1..=object::length(v) {
                    self.rt.push(object::field(v, i));
                }
                self.rt.list_from_stack(height, Value::NIL)
            }
            _ => self.call(head, rest),
        }
    }

    fn call(&mut self, name: &str, args: &[Datum]) -> Result {
        let index = *self
            .primitives
            .get(name)
            .unwrap_or_else(|| panic!("no primitive {name}"));
        let primitive = self.rt.primitives[index];
        let base = self.rt.height();
        for arg in args {
            let v = self.eval(arg)?;
            self.rt.push(v);
        }
        let len = args.len();
        let fits = len >= primitive.min.into() && primitive.max.is_none_or(|m| len <= m.into());
        if !fits {
            let procedure = self.rt.make_primitive(index as u16)?;
            return Err(Box::new(Fault::Arity {
                procedure,
                got: len,
                min: primitive.min.into(),
                max: primitive.max.map(usize::from),
            }));
        }
        let function = primitive.function().expect("a primitive of Rust");
        let result = function(&mut self.rt, Args { base, len });
        if result.is_ok() {
            assert_eq!(self.rt.height(), base + len, "{name} left the stack uneven");
        }
        self.rt.truncate(base);
        result
    }
}
