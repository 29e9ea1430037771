//! A front end for tests: a small Scheme, straight to the intermediate language.
//!
//! It knows `define lambda if begin let (named too) set! quote and or`, boxes whatever is assigned or
//! defined inside a body, makes a closure of every lambda and calls everything through values. What
//! only the real passes make (loops, known calls, fix) is tested with IR written out.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use bowline_middle::ir::{FuncId, Function, Ir, Module, Slot};
use bowline_middle::{GlobalId, PrimitiveInfo, Primitives};
use bowline_runtime::{PrimKind, Primitive};
use bowline_syntax::{Datum, DatumKind, SourceId, Span, read_all};

/// The compiler's table of the runtime's primitives.
pub(crate) fn table(primitives: &[Primitive]) -> Primitives {
    let info = |p: &Primitive| PrimitiveInfo {
        name: p.name,
        min_args: p.min,
        max_args: p.max,
        inline: bowline_middle::InlineOp::by_name(p.name),
        control: !matches!(p.kind, PrimKind::Fn(_)),
    };
    Primitives::new(primitives.iter().map(info).collect())
}

#[derive(Default)]
struct Fun {
    vars: Vec<(String, Slot, bool)>,
    captured: Vec<String>,
    next: u16,
    most: u16,
}

impl Fun {
    fn bind(&mut self, name: &str, boxed: bool) -> Slot {
        let slot = Slot(self.next);
        self.next += 1;
        self.most = self.most.max(self.next);
        self.vars.push((name.to_string(), slot, boxed));
        slot
    }
}

pub(crate) struct Mini {
    prims: Primitives,
    globals: HashMap<String, GlobalId>,
    fresh: Vec<(GlobalId, Rc<str>)>,
    assigned: HashSet<String>,
    functions: Vec<Option<Function>>,
    funs: Vec<Fun>,
}

fn head(d: &Datum) -> Option<&str> {
    d.as_list()?.first()?.as_symbol().map(|s| s.as_str())
}

fn name(d: &Datum) -> String {
    d.as_symbol().expect("a name").as_str().to_string()
}

/// Required parameters, and the one for the rest.
type Formals = (Vec<Datum>, Option<Datum>);

/// The pieces of `(define (f . params) body …)` or `(define f value)`.
fn definition(items: &[Datum]) -> (String, Option<Formals>) {
    match &items[1].kind {
        DatumKind::List(l) => (name(&l[0]), Some((l[1..].to_vec(), None))),
        DatumKind::Improper(l, rest) => {
            let rest = Some((**rest).clone());
            (name(&l[0]), Some((l[1..].to_vec(), rest)))
        }
        _ => (name(&items[1]), None),
    }
}

impl Mini {
    pub(crate) fn new(prims: Primitives) -> Mini {
        Mini {
            prims,
            globals: HashMap::new(),
            fresh: Vec::new(),
            assigned: HashSet::new(),
            functions: Vec::new(),
            funs: Vec::new(),
        }
    }

    pub(crate) fn prims(&self) -> &Primitives {
        &self.prims
    }

    /// The module that runs the forms in a text; its value is the last one's.
    pub(crate) fn module(&mut self, source: SourceId, text: &str) -> Module {
        let (forms, diagnostics) = read_all(source, text);
        assert!(diagnostics.is_empty(), "{:?}", diagnostics[0].message);
        forms.iter().for_each(|f| self.scan(f, true));
        self.functions = vec![None];
        self.funs = vec![Fun::default()];
        let last = forms.len() - 1;
        let items = forms.iter().enumerate();
        let items = items.map(|(i, f)| self.expr(f, i == last)).collect();
        let fun = self.funs.pop().expect("the entry");
        self.functions[0] = Some(Function {
            id: FuncId(0),
            name: None,
            params: 0,
            rest: false,
            captures: 0,
            locals: fun.most,
            body: Ir::Seq(items),
            span: Span::NONE,
        });
        Module {
            functions: self.functions.drain(..).map(|f| f.expect("made")).collect(),
            entry: FuncId(0),
            globals: std::mem::take(&mut self.fresh),
        }
    }

    /// Notes globals, and which names are assigned or defined inside.
    fn scan(&mut self, d: &Datum, top: bool) {
        let Some(items) = d.as_list() else { return };
        match head(d) {
            Some("quote") => return,
            Some("define") => {
                let (name, _) = definition(items);
                if top {
                    self.global(&name);
                } else {
                    self.assigned.insert(name);
                }
            }
            Some("set!") => {
                self.assigned.insert(name(&items[1]));
            }
            _ => {}
        }
        items.iter().for_each(|i| self.scan(i, false));
    }

    fn global(&mut self, name: &str) -> GlobalId {
        let next = GlobalId(self.globals.len() as u32);
        *self.globals.entry(name.to_string()).or_insert_with(|| {
            self.fresh.push((next, Rc::from(name)));
            next
        })
    }

    /// The variable as it stands at a level: the box itself if it is boxed.
    fn raw(&mut self, name: &str, level: usize) -> Option<(Ir, bool)> {
        let found = self.funs[level].vars.iter().rev().find(|v| v.0 == name);
        if let Some(&(_, slot, boxed)) = found {
            return Some((Ir::Local(slot), boxed));
        }
        if level == 0 {
            return None;
        }
        let (_, boxed) = self.raw(name, level - 1)?;
        let captured = &mut self.funs[level].captured;
        let at = captured.iter().position(|c| c == name).unwrap_or_else(|| {
            captured.push(name.to_string());
            captured.len() - 1
        });
        Some((Ir::Captured(at as u16), boxed))
    }

    fn variable(&mut self, name: &str, span: Span) -> Ir {
        match self.raw(name, self.funs.len() - 1) {
            Some((ir, true)) => Ir::BoxGet(Box::new(ir)),
            Some((ir, false)) => ir,
            None if self.globals.contains_key(name) => Ir::Global(self.globals[name], span),
            None => match self.prims.find(name) {
                Some(p) => Ir::Primitive(p),
                None => Ir::Global(self.global(name), span),
            },
        }
    }

    fn body(&mut self, forms: &[Datum], tail: bool) -> Ir {
        let defined: Vec<String> = forms
            .iter()
            .filter(|f| head(f) == Some("define"))
            .map(|f| definition(f.as_list().expect("a list")).0)
            .collect();
        let level = self.funs.len() - 1;
        let slots: Vec<Slot> = defined
            .iter()
            .map(|n| self.funs[level].bind(n, true))
            .collect();
        let last = forms.len() - 1;
        let items = forms.iter().enumerate();
        let items = items
            .map(|(i, f)| self.expr(f, tail && i == last))
            .collect();
        let body = Ir::Seq(items);
        let wrap = |body, slot| Ir::Let {
            slot,
            init: Box::new(Ir::BoxNew(Box::new(Ir::Unassigned))),
            body: Box::new(body),
        };
        slots.into_iter().rev().fold(body, wrap)
    }

    fn lambda(
        &mut self,
        label: Option<&str>,
        params: &[Datum],
        rest: Option<&Datum>,
        body: &[Datum],
        span: Span,
    ) -> Ir {
        let mut fun = Fun::default();
        let names: Vec<String> = params.iter().chain(rest).map(name).collect();
        for n in &names {
            fun.bind(n, false);
        }
        let boxed: Vec<&String> = names
            .iter()
            .filter(|n| self.assigned.contains(*n))
            .collect();
        let wrapped: Vec<(Slot, Slot)> = boxed
            .iter()
            .map(|n| {
                let from = Slot(names.iter().position(|m| m == *n).expect("there") as u16);
                (fun.bind(n, true), from)
            })
            .collect();
        let id = FuncId(self.functions.len() as u32);
        self.functions.push(None);
        self.funs.push(fun);
        let mut code = self.body(body, true);
        for (slot, from) in wrapped.into_iter().rev() {
            code = Ir::Let {
                slot,
                init: Box::new(Ir::BoxNew(Box::new(Ir::Local(from)))),
                body: Box::new(code),
            };
        }
        let fun = self.funs.pop().expect("pushed");
        self.functions[id.0 as usize] = Some(Function {
            id,
            name: label.map(Rc::from),
            params: params.len() as u16,
            rest: rest.is_some(),
            captures: fun.captured.len() as u16,
            locals: fun.most,
            body: code,
            span,
        });
        let level = self.funs.len() - 1;
        let captured = fun.captured.iter();
        let captured = captured
            .map(|n| self.raw(n, level).expect("outside").0)
            .collect();
        Ir::Closure { func: id, captured }
    }

    fn lambda_of(&mut self, label: Option<&str>, formals: &Datum, body: &[Datum]) -> Ir {
        let span = formals.span;
        match &formals.kind {
            DatumKind::List(l) => self.lambda(label, l, None, body, span),
            DatumKind::Improper(l, rest) => self.lambda(label, l, Some(rest), body, span),
            _ => self.lambda(label, &[], Some(formals), body, span),
        }
    }

    fn let_form(&mut self, items: &[Datum], tail: bool, span: Span) -> Ir {
        let pair = |d: &Datum| {
            let l = d.as_list().expect("a binding");
            (l[0].clone(), l[1].clone())
        };
        if items[1].as_symbol().is_some() {
            let label = name(&items[1]);
            let bindings: Vec<_> = items[2]
                .as_list()
                .expect("bindings")
                .iter()
                .map(pair)
                .collect();
            let params: Vec<Datum> = bindings.iter().map(|b| b.0.clone()).collect();
            let args: Vec<Ir> = bindings.iter().map(|b| self.expr(&b.1, false)).collect();
            let level = self.funs.len() - 1;
            let slot = self.funs[level].bind(&label, true);
            let f = self.lambda(Some(&label), &params, None, &items[3..], span);
            let set = Ir::BoxSet(Box::new(Ir::Local(slot)), Box::new(f));
            let call = Ir::Call {
                f: Box::new(Ir::BoxGet(Box::new(Ir::Local(slot)))),
                args,
                tail,
                span,
            };
            self.funs[level].vars.pop();
            return Ir::Let {
                slot,
                init: Box::new(Ir::BoxNew(Box::new(Ir::Unassigned))),
                body: Box::new(Ir::Seq(vec![set, call])),
            };
        }
        let bindings: Vec<_> = items[1]
            .as_list()
            .expect("bindings")
            .iter()
            .map(pair)
            .collect();
        let level = self.funs.len() - 1;
        let inits: Vec<Ir> = bindings.iter().map(|b| self.expr(&b.1, false)).collect();
        let mut slots = Vec::new();
        for (variable, _) in &bindings {
            let n = name(variable);
            let boxed = self.assigned.contains(&n);
            slots.push((self.funs[level].bind(&n, boxed), boxed));
        }
        let mut code = self.body(&items[2..], tail);
        for ((slot, boxed), init) in slots.into_iter().zip(inits).rev() {
            let init = if boxed {
                Ir::BoxNew(Box::new(init))
            } else {
                init
            };
            code = Ir::Let {
                slot,
                init: Box::new(init),
                body: Box::new(code),
            };
        }
        let vars = &mut self.funs[level].vars;
        vars.truncate(vars.len() - bindings.len());
        code
    }

    fn assign(&mut self, target: &str, value: Ir, define: bool, span: Span) -> Ir {
        match self.raw(target, self.funs.len() - 1) {
            Some((ir, _)) => Ir::BoxSet(Box::new(ir), Box::new(value)),
            None if define => Ir::DefineGlobal(self.global(target), Box::new(value)),
            None => Ir::SetGlobal(self.global(target), Box::new(value), span),
        }
    }

    fn expr(&mut self, d: &Datum, tail: bool) -> Ir {
        let Some(items) = d.as_list() else {
            return match d.as_symbol() {
                Some(s) => self.variable(s.as_str(), d.span),
                None => Ir::Const(d.clone()),
            };
        };
        let boolean = |b| Ir::Const(Datum::new(DatumKind::Boolean(b), d.span));
        let unspecified = || Ir::Const(Datum::new(DatumKind::Unspecified, d.span));
        match head(d) {
            Some("quote") => Ir::Const(items[1].clone()),
            Some("if") => Ir::If(
                Box::new(self.expr(&items[1], false)),
                Box::new(self.expr(&items[2], tail)),
                Box::new(
                    items
                        .get(3)
                        .map_or_else(unspecified, |e| self.expr(e, tail)),
                ),
            ),
            Some("begin") => self.body(&items[1..], tail),
            Some("lambda") => self.lambda_of(None, &items[1], &items[2..]),
            Some("let") => self.let_form(items, tail, d.span),
            Some("define") => {
                let (target, formals) = definition(items);
                let value = match formals {
                    Some((params, rest)) => {
                        self.lambda(Some(&target), &params, rest.as_ref(), &items[2..], d.span)
                    }
                    None => self.expr(&items[2], false),
                };
                self.assign(&target, value, true, d.span)
            }
            Some("set!") => {
                let value = self.expr(&items[2], false);
                self.assign(&name(&items[1]), value, false, d.span)
            }
            Some("and") if items.len() == 1 => boolean(true),
            Some("and") => {
                let mut rest = items[1..].iter().rev();
                let last = self.expr(rest.next().expect("one"), tail);
                rest.fold(last, |then, item| {
                    let test = self.expr(item, false);
                    Ir::If(Box::new(test), Box::new(then), Box::new(boolean(false)))
                })
            }
            _ => self.call(items, tail, d.span),
        }
    }

    fn call(&mut self, items: &[Datum], tail: bool, span: Span) -> Ir {
        let f = self.expr(&items[0], false);
        let args: Vec<Ir> = items[1..].iter().map(|i| self.expr(i, false)).collect();
        if let Ir::Primitive(prim) = f {
            let info = self.prims.get(prim).expect("a primitive");
            if !info.control && info.accepts(args.len()) {
                return Ir::PrimCall { prim, args, span };
            }
        }
        Ir::Call {
            f: Box::new(f),
            args,
            tail,
            span,
        }
    }
}
