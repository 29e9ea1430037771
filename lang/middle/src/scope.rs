//! Scopes and sets of scopes.
//!
//! Every binding form makes a scope and adds it to all it encloses; every macro expansion makes one
//! for what it introduces. An identifier means the binding whose set is the largest subset of its
//! own (Flatt, "Binding as sets of scopes").
//!
//! Sets are interned in a trie whose paths are the scopes in ascending order, so that a set is a
//! number, equality is `==`, and adding the newest scope, which is nearly every addition, is one
//! look-up and one node whatever the size of the set.
//!
//! inv:middle.scope-order — scopes are numbered in order of creation, and along a path of the trie
//! the numbers ascend.
//!
//! Absent on purpose: forgetting. A set costs 32 bytes for the life of the expander.

use crate::fx::FxHashMap;

/// A scope.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Scope(u32);

/// A set of scopes: a node of the trie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ScopeSet(u32);

/// A module: something with a table of top-level bindings of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ModuleId(pub(crate) u32);

const NO_MODULE: u32 = u32::MAX;

struct Node {
    parent: ScopeSet,
    scope: Scope,
    len: u32,
    /// A node further up, so that any is found in logarithmically many steps.
    jump: ScopeSet,
    /// The nearest node, this one or before it, that adds a module's scope; 0 when there is none.
    module_node: u32,
    /// A bit for each scope, several sharing one: a quick way to see that a set is no subset.
    mask: u64,
}

/// What a scope was made for.
#[derive(Clone, Copy)]
struct Origin {
    module: u32,
    /// The definition context whose macro uses it marks; 0 when it is no use-site scope.
    use_site_of: u32,
}

/// All scopes and sets of an expander.
pub(crate) struct Scopes {
    nodes: Vec<Node>,
    edges: FxHashMap<(ScopeSet, Scope), ScopeSet>,
    origins: Vec<Origin>,
    /// The last union that was not trivial: unions come in runs.
    last_union: (ScopeSet, ScopeSet, ScopeSet),
}

impl ScopeSet {
    /// The set without scopes.
    pub(crate) const EMPTY: Self = Self(0);
}

impl Scopes {
    pub(crate) fn new() -> Self {
        let root = Node {
            parent: ScopeSet::EMPTY,
            scope: Scope(0),
            len: 0,
            jump: ScopeSet::EMPTY,
            module_node: 0,
            mask: 0,
        };
        Self {
            nodes: vec![root],
            edges: FxHashMap::default(),
            origins: Vec::new(),
            last_union: (ScopeSet::EMPTY, ScopeSet::EMPTY, ScopeSet::EMPTY),
        }
    }

    fn make(&mut self, module: u32, use_site_of: u32) -> Scope {
        let scope = Scope(self.origins.len() as u32);
        self.origins.push(Origin {
            module,
            use_site_of,
        });
        scope
    }

    /// A new scope.
    pub(crate) fn fresh(&mut self) -> Scope {
        self.make(NO_MODULE, 0)
    }

    /// The scope of a module's top level.
    pub(crate) fn fresh_module(&mut self, module: ModuleId) -> Scope {
        self.make(module.0, 0)
    }

    /// A scope that marks the use of a macro in the definition context `frame` that defines it.
    pub(crate) fn fresh_use_site(&mut self, frame: u32) -> Scope {
        self.make(NO_MODULE, frame)
    }

    fn node(&self, set: ScopeSet) -> &Node {
        &self.nodes[set.0 as usize]
    }

    /// `set` with a scope newer than all of its own (inv:middle.scope-order).
    fn append(&mut self, set: ScopeSet, scope: Scope) -> ScopeSet {
        if let Some(&child) = self.edges.get(&(set, scope)) {
            return child;
        }
        let child = ScopeSet(self.nodes.len() as u32);
        let parent = self.node(set);
        let module_node = if self.origins[scope.0 as usize].module == NO_MODULE {
            parent.module_node
        } else {
            child.0
        };
        let (near, far) = (
            self.node(parent.jump),
            self.node(self.node(parent.jump).jump),
        );
        let jump = if parent.len - near.len == near.len - far.len {
            near.jump
        } else {
            set
        };
        let node = Node {
            parent: set,
            scope,
            len: parent.len + 1,
            jump,
            module_node,
            mask: parent.mask | 1 << (scope.0 & 63),
        };
        self.nodes.push(node);
        self.edges.insert((set, scope), child);
        child
    }

    /// Whether a scope is in a set.
    fn contains(&self, set: ScopeSet, scope: Scope) -> bool {
        if self.node(set).mask & 1 << (scope.0 & 63) == 0 {
            return false;
        }
        let mut at = set;
        while at != ScopeSet::EMPTY && self.node(at).scope > scope {
            let node = self.node(at);
            let far = node.jump != ScopeSet::EMPTY && self.node(node.jump).scope >= scope;
            at = if far { node.jump } else { node.parent };
        }
        at != ScopeSet::EMPTY && self.node(at).scope == scope
    }

    /// `set` and `scope`.
    pub(crate) fn add(&mut self, set: ScopeSet, scope: Scope) -> ScopeSet {
        if self.contains(set, scope) {
            return set;
        }
        let mut prefix = set;
        let mut newer = Vec::new();
        while prefix != ScopeSet::EMPTY && self.node(prefix).scope > scope {
            newer.push(self.node(prefix).scope);
            prefix = self.node(prefix).parent;
        }
        let prefix = self.append(prefix, scope);
        let rebuild = |set, scope| self.append(set, scope);
        newer.into_iter().rev().fold(prefix, rebuild)
    }

    /// The scopes of a set, newest first.
    fn members(&self, set: ScopeSet) -> impl Iterator<Item = Scope> {
        let mut at = set;
        std::iter::from_fn(move || {
            let node = self.node(at);
            at = node.parent;
            (node.len > 0).then_some(node.scope)
        })
    }

    /// The scopes of either set.
    pub(crate) fn union(&mut self, a: ScopeSet, b: ScopeSet) -> ScopeSet {
        if a == b || b == ScopeSet::EMPTY {
            return a;
        }
        if a == ScopeSet::EMPTY {
            return b;
        }
        if (self.last_union.0, self.last_union.1) == (a, b) {
            return self.last_union.2;
        }
        let scopes: Vec<Scope> = self.members(b).collect();
        let all = scopes
            .into_iter()
            .rev()
            .fold(a, |set, scope| self.add(set, scope));
        self.last_union = (a, b, all);
        all
    }

    /// `set` without the use-site scopes of a definition context: what a definition in that context
    /// binds, since a macro's argument that ends up defined there is meant for the context itself.
    pub(crate) fn without_use_sites(&mut self, set: ScopeSet, frame: u32) -> ScopeSet {
        let marked = |scope: Scope| self.origins[scope.0 as usize].use_site_of == frame;
        if frame == 0 || !self.members(set).any(marked) {
            return set;
        }
        let kept: Vec<Scope> = self.members(set).filter(|&scope| !marked(scope)).collect();
        let rebuild = |set, scope| self.append(set, scope);
        kept.into_iter().rev().fold(ScopeSet::EMPTY, rebuild)
    }

    /// How many scopes a set has.
    pub(crate) fn len(&self, set: ScopeSet) -> u32 {
        self.node(set).len
    }

    /// The oldest `len` scopes of a set.
    fn prefix(&self, set: ScopeSet, len: u32) -> ScopeSet {
        let mut at = set;
        while self.node(at).len > len {
            let node = self.node(at);
            at = if self.node(node.jump).len >= len {
                node.jump
            } else {
                node.parent
            };
        }
        at
    }

    /// Whether every scope of `a` is in `b`.
    pub(crate) fn is_subset(&self, a: ScopeSet, b: ScopeSet) -> bool {
        let (mut a, mut b) = (a, b);
        if self.node(a).mask & !self.node(b).mask != 0 {
            return false;
        }
        // The common case: `b` grew out of `a`.
        if self.prefix(b, self.node(a).len) == a {
            return true;
        }
        while a != b && a != ScopeSet::EMPTY {
            let (a_node, b_node) = (self.node(a), self.node(b));
            if a_node.len > b_node.len || a_node.scope > b_node.scope {
                return false;
            }
            if a_node.scope == b_node.scope {
                a = a_node.parent;
            }
            b = b_node.parent;
        }
        true
    }

    /// The modules whose scopes are in a set, newest first.
    pub(crate) fn modules(&self, set: ScopeSet) -> impl Iterator<Item = ModuleId> {
        let mut at = self.node(set).module_node;
        std::iter::from_fn(move || {
            if at == 0 {
                return None;
            }
            let node = &self.nodes[at as usize];
            at = self.node(node.parent).module_node;
            Some(ModuleId(self.origins[node.scope.0 as usize].module))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_equal_whatever_the_order_of_additions() {
        let mut scopes = Scopes::new();
        let all: Vec<Scope> = (0..5).map(|_| scopes.fresh()).collect();
        let build = |scopes: &mut Scopes, order: [usize; 5]| {
            let add = |set, index: usize| scopes.add(set, all[index]);
            order.into_iter().fold(ScopeSet::EMPTY, add)
        };
        let up = build(&mut scopes, [0, 1, 2, 3, 4]);
        let mixed = build(&mut scopes, [3, 0, 4, 2, 1]);
        assert_eq!(up, mixed);
        assert_eq!(scopes.add(up, all[2]), up);
        assert_eq!(scopes.len(up), 5);
    }

    #[test]
    fn subsets_and_unions() {
        let mut scopes = Scopes::new();
        let (a, b, c) = (scopes.fresh(), scopes.fresh(), scopes.fresh());
        let set_a = scopes.add(ScopeSet::EMPTY, a);
        let set_ac = scopes.add(set_a, c);
        let set_b = scopes.add(ScopeSet::EMPTY, b);
        let all = scopes.union(set_ac, set_b);
        assert_eq!(scopes.union(set_b, set_ac), all);
        assert!(scopes.is_subset(set_a, set_ac));
        assert!(scopes.is_subset(set_b, all));
        assert!(scopes.is_subset(set_ac, all));
        assert!(!scopes.is_subset(set_b, set_ac));
        assert!(!scopes.is_subset(all, set_ac));
        assert!(scopes.is_subset(ScopeSet::EMPTY, ScopeSet::EMPTY));
        assert!(!scopes.is_subset(set_a, ScopeSet::EMPTY));
    }

    #[test]
    fn subset_of_sets_that_share_mask_bits() {
        let mut scopes = Scopes::new();
        let first = scopes.fresh();
        let later = (0..64).map(|_| scopes.fresh()).last().expect("64 scopes");
        let a = scopes.add(ScopeSet::EMPTY, first);
        let b = scopes.add(ScopeSet::EMPTY, later);
        assert!(!scopes.is_subset(a, b));
        assert!(!scopes.is_subset(b, a));
    }

    #[test]
    fn use_sites_are_stripped_for_their_frame_only() {
        let mut scopes = Scopes::new();
        let plain = scopes.fresh();
        let one = scopes.fresh_use_site(1);
        let two = scopes.fresh_use_site(2);
        let base = scopes.add(ScopeSet::EMPTY, plain);
        let with_one = scopes.add(base, one);
        let both = scopes.add(with_one, two);
        assert_eq!(scopes.without_use_sites(both, 2), with_one);
        assert_eq!(scopes.without_use_sites(both, 3), both);
        assert_eq!(scopes.without_use_sites(with_one, 1), base);
    }

    #[test]
    fn modules_are_found() {
        let mut scopes = Scopes::new();
        let first = scopes.fresh_module(ModuleId(0));
        let local = scopes.fresh();
        let second = scopes.fresh_module(ModuleId(1));
        let set = scopes.add(ScopeSet::EMPTY, first);
        let set = scopes.add(set, local);
        let set = scopes.add(set, second);
        let found: Vec<ModuleId> = scopes.modules(set).collect();
        assert_eq!(found, [ModuleId(1), ModuleId(0)]);
        assert_eq!(scopes.modules(ScopeSet::EMPTY).count(), 0);
    }
}
