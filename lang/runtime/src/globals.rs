//! Global variables: cells at fixed addresses with their names.
//!
//! Engines read and write a cell through its address (inv:cells.fixed). A cell holds
//! `Value::UNBOUND` until its definition has run.

use std::rc::Rc;
use std::sync::Arc;

use bowline_gc::Heap;
use bowline_layout::Value;

use crate::object::{CellRoots, Cells};

/// The global variables of the process.
pub struct Globals {
    cells: Arc<Cells>,
    names: Vec<Option<Rc<str>>>,
}

impl Globals {
    /// No variables yet; their cells are registered as roots.
    pub(crate) fn new(heap: &Heap) -> Globals {
        let cells = Cells::new(false, Value::UNBOUND);
        heap.register_roots(Box::new(CellRoots(Arc::clone(&cells))));
        Globals {
            cells,
            names: Vec::new(),
        }
    }

    /// Makes the variable `id` if it is new, and names it. False when there are too many.
    pub fn declare(&mut self, id: u32, name: Rc<str>) -> bool {
        let id = id as usize;
        if !self.cells.ensure(id) {
            return false;
        }
        if self.names.len() <= id {
            self.names.resize(id + 1, None);
        }
        self.names[id] = Some(name);
        true
    }

    /// The address of a declared variable's cell.
    pub fn address(&self, id: u32) -> *mut Value {
        self.cells.address(id as usize)
    }

    /// The value of a declared variable.
    pub fn get(&self, id: u32) -> Value {
        self.cells.get(id as usize)
    }

    /// Sets a declared variable.
    pub fn set(&self, id: u32, v: Value) {
        self.cells.set(id as usize, v);
    }

    /// The name of the variable `id`.
    pub fn name(&self, id: u32) -> &str {
        match self.names.get(id as usize) {
            Some(Some(name)) => name,
            _ => "?",
        }
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}
