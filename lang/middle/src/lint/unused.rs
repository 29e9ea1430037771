//! What nothing uses: local variables, definitions, imports.
//!
//! A name that begins with `_` says that this is meant. Parameters are never told of: the caller
//! decides how many there are.
//!
//! A definition is used if the program's other forms mention it, or a definition that is used. What
//! a macro of the unit may bring counts as mentioned, and so does all that a library exports.

use bowline_syntax::Symbol;

use super::known::MAKE_FOREIGN;
use super::walk::Walk;
use crate::core::Expr;
use crate::env::Binding;
use crate::expand::{Definition, VarKind};
use crate::fx::{FxHashMap, FxHashSet};
use crate::lint::Name;
use crate::prims::GlobalId;

/// Adds what the walk over these forms, now done, says of what is unused.
pub(super) fn report(walk: &mut Walk<'_>, body: &[Expr]) {
    variables(walk);
    definitions(walk, body);
    imports(walk);
}

fn variables(walk: &mut Walk<'_>) {
    let mut notes: Vec<_> = walk.notes.vars.iter().collect();
    notes.sort_by_key(|(var, _)| **var);
    for (var, note) in notes {
        let mentions = walk.vars[var.0 as usize];
        let name = walk.unit.vars[var.0 as usize].clone();
        if mentions.reads > 0 || note.kind == VarKind::Param || name.as_str().starts_with('_') {
            continue;
        }
        let message = match mentions.writes {
            0 => format!("the variable `{name}` is never used"),
            _ => format!("the variable `{name}` is assigned and never read"),
        };
        let advice = format!("if that is meant, call it `_{name}`");
        let found = walk.warn(Name::UnusedVariable, message, note.span);
        found.notes.push(advice);
    }
}

/// The top-level variables that are used.
fn used_globals(walk: &Walk<'_>) -> FxHashSet<GlobalId> {
    let notes = walk.notes;
    let mut used = FxHashSet::default();
    let mut queue: Vec<GlobalId> = Vec::new();
    queue.extend(walk.globals.get(&None).into_iter().flatten());
    let exported = notes.exported.iter().filter_map(|binding| match binding {
        Binding::Global(id) => Some(*id),
        _ => None,
    });
    queue.extend(exported);
    for id in notes.places.keys() {
        let name = walk.known.globals.name(*id);
        if name.is_some_and(|name| notes.templates.contains(name)) {
            queue.push(*id);
        }
    }
    while let Some(id) = queue.pop() {
        if used.insert(id) {
            queue.extend(walk.globals.get(&Some(id)).into_iter().flatten());
        }
    }
    used
}

fn definitions(walk: &mut Walk<'_>, body: &[Expr]) {
    let used = used_globals(walk);
    let notes = walk.notes;
    let is_used = |definition: &Definition| match definition.binding {
        Binding::Global(id) => used.contains(&id),
        binding => {
            notes.exported.contains(&binding)
                || notes.used.contains(&(definition.name.clone(), binding))
                || notes.templates.contains(&definition.name)
        }
    };
    let mut groups: FxHashMap<_, bool> = FxHashMap::default();
    for definition in &notes.definitions {
        if let Some(group) = definition.group {
            let name = Symbol::new(type_name(&definition.name));
            // A pattern mentions a constructor, and an export the predicate of an enumeration.
            let mentioned = || {
                let name = definition.name.clone();
                notes.used.contains(&(name, definition.binding))
            };
            let elsewhere = match group.1 {
                // Those who use a library may mention them in their types.
                "struct" | "enum" if walk.unit.library.is_some() => true,
                "struct" => walk.types.contains(&name),
                "enum" => walk.types.contains(&name) || mentioned(),
                "datatype" => mentioned(),
                _ => false,
            };
            *groups.entry(group).or_default() |= is_used(definition) || elsewhere;
        }
    }
    let procedures = procedures(walk, body);
    let mut told = FxHashSet::default();
    for definition in &notes.definitions {
        let name = &definition.name;
        let (what, done) = match definition.group {
            Some(group) => (group.1, groups[&group] || !told.insert(group)),
            None => {
                let what = match definition.binding {
                    Binding::Global(id) => procedures.get(&id).copied().unwrap_or("variable"),
                    _ => "macro",
                };
                (what, is_used(definition))
            }
        };
        let name = type_name(name);
        if done || name.starts_with('_') {
            continue;
        }
        let message = format!("the {what} `{name}` is never used");
        walk.warn(Name::UnusedDefinition, message, definition.span);
    }
}

/// The name of a struct or an enumeration of C, behind which a variable hides whose name no program can spell
/// without bars; of anything else the name itself.
fn type_name(name: &Symbol) -> &str {
    let name = name.as_str();
    let tag = name.strip_prefix("struct ");
    tag.or_else(|| name.strip_prefix("enum ")).unwrap_or(name)
}

/// The procedures that these forms define, and what to call them.
fn procedures(walk: &Walk<'_>, body: &[Expr]) -> FxHashMap<GlobalId, &'static str> {
    let procedure = |expr: &Expr| match expr {
        Expr::DefineGlobal(id, init, _) => match &**init {
            Expr::Lambda(_) | Expr::CaseLambda(..) => Some((*id, "procedure")),
            Expr::Call { f, .. } => match **f {
                Expr::Primitive(prim, _) if walk.known.prims.name(prim) == MAKE_FOREIGN => {
                    Some((*id, "foreign procedure"))
                }
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    body.iter().filter_map(procedure).collect()
}

fn imports(walk: &mut Walk<'_>) {
    let notes = walk.notes;
    for import in &notes.imports {
        let is_used =
            |name: &(_, Binding)| notes.used.contains(name) || notes.templates.contains(&name.0);
        // Every program begins with the base, whether it needs it or not.
        let base = import.only.is_none() && *import.library == *"(scheme base)";
        if base || import.names.is_empty() || import.names.iter().any(is_used) {
            continue;
        }
        let message = match &import.only {
            Some(name) => format!("`{name}` is imported and never used"),
            None => format!("nothing of {} is used", import.library),
        };
        walk.warn(Name::UnusedImport, message, import.span);
    }
}
