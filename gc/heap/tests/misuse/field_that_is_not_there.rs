//! A field that the record does not have cannot be made up.
use bowline_gc::safe::Field;

bowline_gc::kinds! { record Closure = 16 { body } }

const ENVIRONMENT: Field<Closure> = Field::nth(1);

fn main() {
    let _ = ENVIRONMENT;
}
