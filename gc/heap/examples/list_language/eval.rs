//! The evaluator. Environments are lists of pairs of a name and a value, in the heap like everything else.

use super::data::{Closure, Primitive, Symbol};
use super::error::Error;
use super::primitives;
use super::reader::{Reader, Symbols};
use bowline_gc::safe::{Immediate, Local, Pair, Root, Rootable, Scope, Table, View};
use std::collections::HashMap;

/// The values of global names.
pub(crate) struct Globals;

impl Rootable for Globals {
    type Of<'r> = HashMap<String, View<'r>>;
}

/// The language: its names and what they mean.
pub(crate) struct Language {
    symbols: Table<Symbols>,
    globals: Table<Globals>,
}

/// The forms that are no calls.
enum Form {
    Quote,
    If,
    Define,
    Lambda,
}

impl Form {
    fn of(operator: View<'_>) -> Option<Self> {
        match operator.downcast::<Symbol>()?.as_str() {
            "quote" => Some(Form::Quote),
            "if" => Some(Form::If),
            "define" => Some(Form::Define),
            "lambda" => Some(Form::Lambda),
            _ => None,
        }
    }
}

/// Part `i` of a form.
fn part<'v>(form: View<'v, Pair>, i: usize) -> Result<View<'v>, Error> {
    let mut rest = form;
    for _ in 0..i {
        rest = rest.cdr().as_pair().ok_or(Error::Arity("a form"))?;
    }
    Ok(rest.car())
}

/// What `name` means in this environment.
fn lookup<'v>(mut environment: View<'v>, name: View<'_, Symbol>) -> Option<View<'v>> {
    while let Some(pair) = environment.as_pair() {
        match pair.car().as_pair() {
            Some(binding) if binding.car().same(name) => return Some(binding.cdr()),
            _ => environment = pair.cdr(),
        }
    }
    None
}

impl Language {
    /// The language as it is in the beginning.
    pub(crate) fn new(s: &mut Scope<'_>) -> Result<Self, Error> {
        let globals = s.table::<Globals>(HashMap::new());
        s.scope(|s| {
            for (number, (name, _)) in primitives::TABLE.iter().enumerate() {
                let primitive = Primitive::make(s, number)?;
                globals.with(s, |table, s| {
                    table.insert((*name).into(), s.view(primitive).erase());
                });
            }
            Ok::<_, Error>(())
        })?;
        let symbols = s.table::<Symbols>(HashMap::new());
        Ok(Language { symbols, globals })
    }

    /// Evaluates all that `text` holds. The result is the last value.
    pub(crate) fn run<'s>(&self, s: &mut Scope<'s>, text: &str) -> Result<Local<'s>, Error> {
        s.escape(|s| {
            let mut value = s.root(Immediate::NIL);
            let mut reader = Reader::new(text);
            loop {
                let more = s.scope(|s| {
                    let Some(datum) = reader.read(s, &self.symbols)? else {
                        return Ok(false);
                    };
                    let empty = s.local(Immediate::NIL);
                    let result = self.eval(s, datum, empty)?;
                    value.set(s, result);
                    Ok::<_, Error>(true)
                })?;
                if !more {
                    return Ok(s.local(value.get()));
                }
            }
        })
    }

    /// The value of `expression`. A call in tail position replaces the expression and the environment and
    /// goes round again; what each round makes leaves the root stack at its end.
    pub(crate) fn eval<'s>(
        &self,
        s: &mut Scope<'s>,
        expression: Local<'_>,
        environment: Local<'_>,
    ) -> Result<Local<'s>, Error> {
        s.escape(|s| {
            let (mut expression, mut environment) = (s.root(expression), s.root(environment));
            let mut value = s.root(Immediate::NIL);
            while s.scope(|s| self.step(s, &mut expression, &mut environment, &mut value))? {}
            Ok(s.local(value.get()))
        })
    }

    /// One step. Returns whether there must be another; if not, the value is there.
    fn step(
        &self,
        s: &mut Scope<'_>,
        expression: &mut Root<'_>,
        environment: &mut Root<'_>,
        value: &mut Root<'_>,
    ) -> Result<bool, Error> {
        s.poll();
        let here = s.local(expression.get());
        let Some(form) = s.downcast::<Pair, _>(here) else {
            let found = self.atom(s, s.view(here), s.view(environment.get()))?;
            value.set(s, found);
            return Ok(false);
        };
        match Form::of(s.view(form).car()) {
            Some(Form::Quote) => value.set(s, part(s.view(form), 1)?),
            Some(Form::If) => {
                let test = s.local(part(s.view(form), 1)?);
                let test = self.eval(s, test, environment.get())?;
                let branch = if s.view(test).is_true() { 2 } else { 3 };
                expression.set(s, part(s.view(form), branch)?);
                return Ok(true);
            }
            Some(Form::Define) => {
                let what = s.local(part(s.view(form), 2)?);
                let result = self.eval(s, what, environment.get())?;
                let name = part(s.view(form), 1)?.cast::<Symbol>()?;
                let name = name.as_str().to_string();
                self.globals.with(s, |table, s| {
                    table.insert(name, s.view(result));
                });
                value.set(s, result);
            }
            Some(Form::Lambda) => {
                let parameters = s.local(part(s.view(form), 1)?);
                let body = s.local(part(s.view(form), 2)?);
                let closure = Closure::make(s, parameters, body, environment.get())?;
                value.set(s, closure);
            }
            None => return self.call(s, form, expression, environment, value),
        }
        Ok(false)
    }

    /// The value of what is no form: a variable, or a constant.
    fn atom<'v>(
        &self,
        s: &'v Scope<'_>,
        atom: View<'v>,
        environment: View<'v>,
    ) -> Result<Local<'v>, Error> {
        let Some(name) = atom.downcast::<Symbol>() else {
            return Ok(s.local(atom));
        };
        if let Some(value) = lookup(environment, name) {
            return Ok(s.local(value));
        }
        let text = name.as_str();
        let global = self
            .globals
            .with(s, |table, s| table.get(text).map(|v| s.local(*v)));
        global.ok_or_else(|| Error::Unbound(text.into()))
    }

    /// One step of a call: a primitive gives its value, a closure its body to go on with.
    fn call(
        &self,
        s: &mut Scope<'_>,
        form: Local<'_, Pair>,
        expression: &mut Root<'_>,
        environment: &mut Root<'_>,
        value: &mut Root<'_>,
    ) -> Result<bool, Error> {
        let mut values = Vec::new();
        let mut rest = Some(form);
        while let Some(pair) = rest {
            let operand = s.local(s.view(pair).car());
            values.push(self.eval(s, operand, environment.get())?);
            rest = s.view(pair).cdr().as_pair().map(|pair| s.local(pair));
        }
        let (procedure, arguments) = values.split_first().ok_or(Error::Arity("a call"))?;
        if let Some(primitive) = s.view(*procedure).downcast::<Primitive>() {
            let (_, run) = primitives::TABLE[primitive.raw(Primitive::number)];
            let result = run(s, arguments)?;
            value.set(s, result);
            return Ok(false);
        }
        let closure = s.cast::<Closure, _>(*procedure)?;
        let mut bound = s.local(s.view(closure).get(Closure::environment));
        let mut names = s.local(s.view(closure).get(Closure::parameters));
        for argument in arguments {
            let pair = s.downcast::<Pair, _>(names);
            let pair = pair.ok_or(Error::Arity("a call of a closure"))?;
            let name = s.local(s.view(pair).car());
            let binding = s.pair(name, *argument)?;
            bound = s.pair(binding, bound)?.erase();
            names = s.local(s.view(pair).cdr());
        }
        if !s.view(names).is_nil() {
            return Err(Error::Arity("a call of a closure"));
        }
        environment.set(s, bound);
        expression.set(s, s.view(closure).get(Closure::body));
        Ok(true)
    }
}
