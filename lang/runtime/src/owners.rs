//! Who makes what owns C memory: a label for each pair of maker and place in the program.
//!
//! The heap counts owners by label, and a label's text is made once: what it costs to make an owner is a
//! look-up, mostly a comparison with the one before. A program has as many labels as it has places
//! that make owners.
//!
//! Absent on purpose: finding the place. The engine knows the frames.

use std::collections::HashMap;

use bowline_gc::OwnerLabel;

/// The maker of an owner: a primitive, or the finalizer that was attached to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Maker {
    /// A primitive of this name.
    Primitive(&'static str),
    /// The constructor of the struct with this number.
    Struct(u32),
    /// A procedure with this code.
    Code(u64),
    /// A foreign procedure of this index.
    Foreign(u64),
    /// A crossing; see `bowline_ffi::Held`.
    Crossing((u64, usize)),
}

/// The labels of owners, and the places in them.
#[derive(Default)]
pub struct Owners {
    /// The place of the call that is making an owner now: a number of [`Owners::new_place`], or 0.
    pub place: u32,
    places: Vec<String>,
    labels: HashMap<(Maker, u32), OwnerLabel>,
    last: Option<((Maker, u32), OwnerLabel)>,
}

impl Owners {
    /// A number for a place, as in "main.scm:12"; never 0.
    pub fn new_place(&mut self, text: String) -> u32 {
        self.places.push(text);
        self.places.len() as u32
    }

    /// The text of a place with such a number.
    pub fn place_text(&self, place: u32) -> Option<&str> {
        let i = (place as usize).checked_sub(1)?;
        self.places.get(i).map(String::as_str)
    }

    /// The label of what `maker` makes at the current place, if it has made something here before.
    pub(crate) fn known(&mut self, maker: Maker) -> Option<OwnerLabel> {
        let key = (maker, self.place);
        match self.last {
            Some((last, label)) if last == key => Some(label),
            _ => {
                let label = *self.labels.get(&key)?;
                self.last = Some((key, label));
                Some(label)
            }
        }
    }

    /// Keeps the label of what `maker` makes at the current place.
    pub(crate) fn keep(&mut self, maker: Maker, label: OwnerLabel) {
        self.labels.insert((maker, self.place), label);
    }

    /// The text of a label for what a maker of this name makes at the current place.
    pub(crate) fn text(&self, name: &str) -> String {
        match self.place_text(self.place) {
            Some(place) => format!("{name} at {place}"),
            None => name.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_known_by_its_maker_and_place() {
        let mut owners = Owners::default();
        let here = owners.new_place("main.scm:1".into());
        let there = owners.new_place("main.scm:2".into());
        assert_eq!(owners.text("c-free"), "c-free");
        owners.place = there;
        assert_eq!(owners.text("c-free"), "c-free at main.scm:2");
        owners.keep(Maker::Foreign(3), OwnerLabel::default());
        // The second answer is that of the last look-up.
        assert!(owners.known(Maker::Foreign(3)).is_some());
        assert!(owners.known(Maker::Foreign(3)).is_some());
        assert_eq!(owners.known(Maker::Code(3)), None);
        owners.place = here;
        assert_eq!(owners.known(Maker::Foreign(3)), None);
    }
}
