//! The printer: objects are looked at through views, so nothing here can collect.

use super::data::Symbol;
use bowline_gc::safe::{Immediate, View};

/// The text of a value.
pub(crate) fn print(value: View<'_>) -> String {
    let mut text = String::new();
    print_into(value, &mut text);
    text
}

fn print_into(value: View<'_>, text: &mut String) {
    if let Some(n) = value.as_fixnum() {
        text.push_str(&n.to_string());
    } else if let Some(b) = value.as_bool() {
        text.push_str(if b { "#t" } else { "#f" });
    } else if let Some(name) = value.downcast::<Symbol>() {
        text.push_str(name.as_str());
    } else if value.as_immediate() == Some(Immediate::NIL) || value.as_pair().is_some() {
        print_list(value, text);
    } else {
        text.push_str(&format!("#<{}>", value.what()));
    }
}

fn print_list(mut rest: View<'_>, text: &mut String) {
    text.push('(');
    let mut between = "";
    while let Some(pair) = rest.as_pair() {
        text.push_str(between);
        print_into(pair.car(), text);
        rest = pair.cdr();
        between = " ";
    }
    if !rest.is_nil() {
        text.push_str(" . ");
        print_into(rest, text);
    }
    text.push(')');
}
