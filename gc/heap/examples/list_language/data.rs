//! The kinds of objects that the language has, beside pairs and immediates.

bowline_gc::kinds! {
    pub(crate) const KINDS;
    /// A name: one object for each, so that names are compared by identity.
    pub(crate) text Symbol = 16;
    /// What `lambda` makes.
    pub(crate) record Closure = 17 { parameters, body, environment }
    /// A procedure written in Rust, by its number in a table.
    pub(crate) record Primitive = 18 [number: usize] {}
}
