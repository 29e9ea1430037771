//! Reading heap profiles: the messages of `profile.proto`, written from its description and not from the writer.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;

/// A profile, with everything looked up.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// Kind and unit of each value.
    pub(crate) kinds: Vec<(String, String)>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) period: (u64, String, String),
    pub(crate) drop_frames: String,
    pub(crate) default: String,
    pub(crate) comments: Vec<String>,
    pub(crate) nanoseconds: u64,
}

#[derive(Debug)]
pub(crate) struct Sample {
    /// Innermost first.
    pub(crate) stack: Vec<Frame>,
    pub(crate) values: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) address: u64,
    /// The file, and where in it.
    pub(crate) file: Option<(String, u64)>,
    /// The function's name, as `addr2line` finds it.
    pub(crate) name: String,
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn number(&self) -> u64 {
        match self {
            Field::Number(number) => *number,
            Field::Bytes(_) => panic!("a number is expected"),
        }
    }

    fn bytes(&self) -> &'a [u8] {
        match self {
            Field::Bytes(bytes) => bytes,
            Field::Number(_) => panic!("a message is expected"),
        }
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
    }
    panic!("a number of more than 64 bits");
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (field, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(field)
            }
            other => panic!("a field of kind {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

fn packed(mut bytes: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        numbers.push(varint(&mut bytes));
    }
    numbers
}

/// The numbers of a message, by field.
fn numbers(bytes: &[u8]) -> HashMap<u64, u64> {
    let fields = fields(bytes).into_iter();
    fields
        .map(|(field, value)| (field, value.number()))
        .collect()
}

pub(crate) fn read(path: &Path) -> Profile {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let fields = fields(&bytes);
    let of = |wanted: u64| fields.iter().filter(move |(field, _)| *field == wanted);
    let strings: Vec<String> = of(6)
        .map(|(_, text)| String::from_utf8(text.bytes().to_vec()).expect("UTF-8"))
        .collect();
    assert_eq!(strings[0], "", "the first string is empty");
    let text = |number: u64| strings[number as usize].clone();
    let kind = |bytes: &[u8]| {
        let kind = numbers(bytes);
        (text(kind[&1]), text(kind[&2]))
    };
    let mut mappings = BTreeMap::new();
    for (_, mapping) in of(3) {
        let mapping = numbers(mapping.bytes());
        assert!(mapping[&2] < mapping[&3]);
        assert!(mappings.insert(mapping[&1], mapping).is_none());
    }
    let mut locations = HashMap::new();
    for (_, location) in of(4) {
        let location = numbers(location.bytes());
        let address = location[&3];
        let file = location.get(&2).map(|mapping| {
            let mapping = &mappings[mapping];
            assert!((mapping[&2]..mapping[&3]).contains(&address));
            let offset = mapping.get(&4).copied().unwrap_or(0);
            (text(mapping[&5]), address - mapping[&2] + offset)
        });
        let frame = Frame {
            address,
            file,
            name: "?".to_owned(),
        };
        assert!(locations.insert(location[&1], frame).is_none());
    }
    name(&mut locations);
    let number = |field: u64| of(field).next().map_or(0, |(_, number)| number.number());
    let (period, unit) = of(11)
        .next()
        .map(|(_, message)| kind(message.bytes()))
        .expect("what the period is");
    Profile {
        kinds: of(1).map(|(_, message)| kind(message.bytes())).collect(),
        samples: of(2)
            .map(|(_, message)| sample(message.bytes(), &locations))
            .collect(),
        period: (number(12), period, unit),
        drop_frames: text(number(7)),
        default: text(number(14)),
        comments: of(13).map(|(_, comment)| text(comment.number())).collect(),
        nanoseconds: number(9),
    }
}

fn sample(bytes: &[u8], locations: &HashMap<u64, Frame>) -> Sample {
    let mut sample = Sample {
        stack: Vec::new(),
        values: Vec::new(),
    };
    for (field, value) in fields(bytes) {
        let numbers = packed(value.bytes()).into_iter();
        match field {
            1 => sample
                .stack
                .extend(numbers.map(|place| locations[&place].clone())),
            2 => sample.values.extend(numbers),
            other => panic!("a sample's field {other}"),
        }
    }
    sample
}

impl Profile {
    /// The sums of all samples whose stack has a function with this name: objects and bytes ever, objects and bytes now.
    pub(crate) fn of(&self, function: &str) -> [u64; 4] {
        let mut sums = [0; 4];
        for sample in &self.samples {
            if sample.names().contains(&function) {
                (0..4).for_each(|n| sums[n] += sample.values[n]);
            }
        }
        sums
    }
}

impl Sample {
    /// The names of the functions in the stack.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.stack.iter().map(|frame| frame.name.as_str()).collect()
    }
}

/// Names the functions, file by file.
fn name(locations: &mut HashMap<u64, Frame>) {
    let mut files: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    for (number, frame) in locations.iter() {
        if let Some((file, offset)) = &frame.file {
            files
                .entry(file.clone())
                .or_default()
                .push((*number, *offset));
        }
    }
    for (file, places) in files {
        let mut command = Command::new("addr2line");
        command.args(["-f", "-e", &file]);
        let segments = segments(&file);
        let linked = |offset: u64| {
            let within = |part: &&[u64; 3]| (part[0]..part[0] + part[2]).contains(&offset);
            let part = segments.iter().find(within);
            part.map_or(offset, |[start, address, _]| offset - start + address)
        };
        command.args(
            places
                .iter()
                .map(|(_, offset)| format!("{:#x}", linked(*offset))),
        );
        let (out, _) = super::texts(&command.output().expect("addr2line runs"));
        // A line for the name, and one for the place in the source.
        for ((number, _), name) in places.iter().zip(out.lines().step_by(2)) {
            let frame = locations.get_mut(number).expect("the frame");
            name.clone_into(&mut frame.name);
        }
    }
}

/// Where a file's segments stand in it, at which addresses they are linked, and how long they are.
fn segments(file: &str) -> Vec<[u64; 3]> {
    let mut command = Command::new("readelf");
    command.args(["-lW", file]);
    let (out, _) = super::texts(&command.output().expect("readelf runs"));
    let number = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    let segment = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let place = |n: usize| number(words.get(n)?);
        (words.first() == Some(&"LOAD"))
            .then(|| Some([place(1)?, place(2)?, place(4)?]))
            .flatten()
    };
    out.lines().filter_map(segment).collect()
}
