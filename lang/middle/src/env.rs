//! What identifiers mean: bindings, the local ones that are alive and the tables of modules.
//!
//! inv:middle.local-life — a local binding is in the table exactly while the form that made it is
//! being expanded. Nothing can refer to it later, since what comes out of expansion holds no
//! syntax. So the bindings of one name that must be looked through are those of the forms around.
//!
//! Absent on purpose: phases. Macros are `syntax-rules` and run nothing.

use std::cell::RefCell;

use bowline_syntax::{Span, Symbol};

use crate::core::VarId;
use crate::fx::{FxHashMap, FxHashSet};
use crate::prims::{GlobalId, PrimitiveId};
use crate::scope::{ModuleId, Scope, ScopeSet, Scopes};
use crate::special::Special;
use crate::stx::Ident;

/// A macro: an index into the expander's list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct MacroId(pub(crate) u32);

/// What an identifier can be bound to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Binding {
    /// A syntactic form that the expander knows, or an auxiliary keyword.
    Special(Special),
    /// A macro.
    Macro(MacroId),
    /// A local variable.
    Local(VarId),
    /// A top-level variable.
    Global(GlobalId),
    /// A primitive.
    Primitive(PrimitiveId),
}

/// The outcome of looking an identifier up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resolution {
    /// This is what it means.
    Bound(Binding),
    /// It has no binding.
    Unbound,
    /// Several bindings fit and none fits best. Only a macro can bring that about.
    Ambiguous,
}

/// Where a name of a module's table comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// Defined in the module.
    Defined,
    /// Mentioned at a prompt, or in a definition there that was not carried out so far.
    Mentioned,
    /// Imported; a number for the library, to name it in messages.
    Imported(u32),
}

/// A binding of a module's table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) binding: Binding,
    pub(crate) origin: Origin,
    /// The definition or import set.
    pub(crate) span: Span,
}

/// The top-level bindings of a library, a program or an interaction environment.
#[derive(Clone)]
pub(crate) struct Module {
    /// The outer and the inner scope of its forms (inv:expand.edges).
    pub(crate) scopes: ScopeSet,
    pub(crate) inner: Scope,
    /// Names with the module's own scope alone.
    plain: FxHashMap<Symbol, Entry>,
    /// Names that macros introduced, with their full sets.
    marked: FxHashMap<Symbol, Vec<(ScopeSet, Entry)>>,
}

impl Module {
    /// The entry for exactly this name and set.
    pub(crate) fn get(&self, name: &Symbol, scopes: ScopeSet) -> Option<&Entry> {
        if scopes == self.scopes {
            return self.plain.get(name);
        }
        let list = self.marked.get(name)?;
        list.iter()
            .find(|(set, _)| *set == scopes)
            .map(|(_, entry)| entry)
    }

    /// Binds a name, in place of what it was bound to.
    pub(crate) fn insert(&mut self, name: Symbol, scopes: ScopeSet, entry: Entry) {
        if scopes == self.scopes {
            self.plain.insert(name, entry);
            return;
        }
        let list = self.marked.entry(name).or_default();
        list.retain(|(set, _)| *set != scopes);
        list.push((scopes, entry));
    }

    /// Makes room for more names.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.plain.reserve(more);
    }

    /// The names without marks, with what they are bound to.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Symbol, &Entry)> {
        self.plain.iter()
    }

    /// The names without marks.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Symbol> {
        self.plain.keys()
    }
}

/// A live local binding.
struct Local {
    scopes: ScopeSet,
    binding: Binding,
    /// Whether the sets of all older bindings of the name are inside this one's: then none of them
    /// can be meant where this one can. So it is unless macros are at work.
    shadows_all: bool,
}

/// All bindings.
pub(crate) struct Env {
    locals: FxHashMap<Symbol, Vec<Local>>,
    /// The names of the live local bindings, in order.
    trail: Vec<Symbol>,
    modules: Vec<Module>,
    /// Names with what they meant where they were looked up, if somebody wants to know.
    used: Option<RefCell<Used>>,
}

/// Names with what they meant.
pub(crate) type Used = FxHashSet<(Symbol, Binding)>;

/// A point to go back to (inv:middle.local-life).
#[derive(Clone, Copy)]
pub(crate) struct Mark(usize);

impl Env {
    pub(crate) fn new() -> Self {
        Self {
            locals: FxHashMap::default(),
            trail: Vec::new(),
            modules: Vec::new(),
            used: None,
        }
    }

    /// From now on notes what is looked up.
    pub(crate) fn start_noting(&mut self) {
        self.used = Some(RefCell::default());
    }

    pub(crate) fn is_noting(&self) -> bool {
        self.used.is_some()
    }

    /// What was looked up since the last call, with `next` in its place.
    pub(crate) fn swap_used(&mut self, next: Used) -> Used {
        match &mut self.used {
            Some(used) => used.replace(next),
            None => Used::default(),
        }
    }

    /// A new, empty module.
    pub(crate) fn add_module(&mut self, scopes: &mut Scopes) -> ModuleId {
        let id = ModuleId(self.modules.len() as u32);
        let outer = scopes.fresh();
        let inner = scopes.fresh_module(id);
        let set = scopes.add(ScopeSet::EMPTY, outer);
        self.modules.push(Module {
            scopes: scopes.add(set, inner),
            inner,
            plain: FxHashMap::default(),
            marked: FxHashMap::default(),
        });
        id
    }

    pub(crate) fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0 as usize]
    }

    pub(crate) fn module_mut(&mut self, id: ModuleId) -> &mut Module {
        &mut self.modules[id.0 as usize]
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.trail.len())
    }

    /// Forgets the local bindings made since `mark`.
    pub(crate) fn release(&mut self, mark: Mark) {
        for name in self.trail.drain(mark.0..) {
            if let Some(list) = self.locals.get_mut(&name) {
                list.pop();
            }
        }
    }

    /// Binds a local name; `false` if exactly this identifier is bound already.
    pub(crate) fn bind(&mut self, ident: &Ident, binding: Binding, table: &Scopes) -> bool {
        let list = self.locals.entry(ident.name.clone()).or_default();
        if list.iter().rev().any(|local| local.scopes == ident.scopes) {
            return false;
        }
        let shadows_all = list
            .last()
            .is_none_or(|last| last.shadows_all && table.is_subset(last.scopes, ident.scopes));
        list.push(Local {
            scopes: ident.scopes,
            binding,
            shadows_all,
        });
        self.trail.push(ident.name.clone());
        true
    }

    /// Gives a local name bound before another meaning.
    pub(crate) fn rebind(&mut self, ident: &Ident, binding: Binding) {
        let list = self.locals.get_mut(&ident.name);
        let same = |local: &&mut Local| local.scopes == ident.scopes;
        if let Some(local) = list.and_then(|list| list.iter_mut().rev().find(same)) {
            local.binding = binding;
        }
    }

    /// What an identifier means. Counts as a use of it.
    pub(crate) fn resolve(&self, name: &Symbol, scopes: ScopeSet, table: &Scopes) -> Resolution {
        let meant = self.peek(name, scopes, table);
        if let (Some(used), Resolution::Bound(binding)) = (&self.used, meant)
            && !matches!(binding, Binding::Local(_))
        {
            used.borrow_mut().insert((name.clone(), binding));
        }
        meant
    }

    /// What an identifier means, asked out of curiosity.
    pub(crate) fn peek(&self, name: &Symbol, scopes: ScopeSet, table: &Scopes) -> Resolution {
        let mut search = Search {
            table,
            scopes,
            best: None,
            others: Vec::new(),
        };
        if let Some(list) = self.locals.get(name) {
            for local in list.iter().rev() {
                let fits = search.offer(local.scopes, local.binding);
                if fits && local.scopes == scopes {
                    return Resolution::Bound(local.binding);
                }
                if fits && local.shadows_all {
                    break;
                }
            }
        }
        for id in table.modules(scopes) {
            let module = self.module(id);
            if let Some(entry) = module.plain.get(name) {
                search.offer(module.scopes, entry.binding);
            }
            if let Some(list) = module.marked.get(name) {
                for (set, entry) in list {
                    search.offer(*set, entry.binding);
                }
            }
        }
        search.finish()
    }

    /// The names of live local bindings, for suggestions.
    pub(crate) fn local_names(&self) -> impl Iterator<Item = &Symbol> {
        self.trail.iter()
    }
}

/// The largest subset so far, and those that were not inside it.
struct Search<'a> {
    table: &'a Scopes,
    scopes: ScopeSet,
    best: Option<(ScopeSet, Binding)>,
    others: Vec<ScopeSet>,
}

impl Search<'_> {
    /// Considers a binding; whether it can be meant.
    fn offer(&mut self, set: ScopeSet, binding: Binding) -> bool {
        if !self.table.is_subset(set, self.scopes) {
            return false;
        }
        match self.best {
            Some((best, _)) if self.table.is_subset(set, best) => {}
            Some((best, _)) if self.table.is_subset(best, set) => {
                self.best = Some((set, binding));
            }
            Some((best, _)) => {
                // Neither holds the other; a larger one may still hold both.
                let larger = self.table.len(set) > self.table.len(best);
                self.others.push(if larger { best } else { set });
                if larger {
                    self.best = Some((set, binding));
                }
            }
            None => self.best = Some((set, binding)),
        }
        true
    }

    fn finish(self) -> Resolution {
        match self.best {
            None => Resolution::Unbound,
            Some((best, binding)) => {
                let inside = |&set: &ScopeSet| self.table.is_subset(set, best);
                if self.others.iter().all(inside) {
                    Resolution::Bound(binding)
                } else {
                    Resolution::Ambiguous
                }
            }
        }
    }
}
