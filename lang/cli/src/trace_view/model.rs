//! A trace as the page wants it: tracks with their slices, pauses, counters, sums.
//!
//! Times are whole nanoseconds since the first event, or since the heap was started in a trace of our own.
//! Long columns of numbers are arrays, and times in them are differences, so a page of half a million events
//! stays small.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::Value;

use super::read::{Event, Fault, Trace};

/// Everything that the page draws.
#[derive(Serialize, Debug, Default)]
pub(super) struct Page {
    pub(super) name: String,
    /// Whether the trace is one of Bowline's.
    pub(super) own: bool,
    pub(super) events: usize,
    /// What the reader should know of the trace: that it is cut off, that events were lost.
    pub(super) remarks: Vec<String>,
    /// The length of it all.
    pub(super) span: i64,
    pub(super) names: Vec<String>,
    pub(super) tracks: Vec<Track>,
    pub(super) pauses: Vec<Pause>,
    pub(super) counters: Vec<Counter>,
    pub(super) instants: Vec<Instant>,
    pub(super) functions: Vec<Function>,
    pub(super) threads: Vec<Thread>,
    pub(super) summary: Value,
}

/// A thread's slices, each in a row by its depth.
#[derive(Serialize, Debug, Default)]
pub(super) struct Track {
    pub(super) name: String,
    pub(super) depth: usize,
    /// Differences of the beginnings.
    pub(super) begin: Vec<i64>,
    pub(super) length: Vec<i64>,
    pub(super) row: Vec<usize>,
    /// Indices of `Page::names`.
    pub(super) label: Vec<usize>,
}

/// A collection, as long as the heap's figures say: its slice lasts until the last thread was told to go on.
#[derive(Serialize, Debug)]
pub(super) struct Pause {
    pub(super) at: i64,
    pub(super) length: i64,
    pub(super) full: bool,
    pub(super) args: Value,
}

/// What was sampled.
#[derive(Serialize, Debug, Default)]
pub(super) struct Counter {
    pub(super) name: String,
    pub(super) series: Vec<String>,
    /// Differences.
    pub(super) at: Vec<i64>,
    /// One column for each series.
    pub(super) values: Vec<Vec<f64>>,
}

/// Something that takes no time.
#[derive(Serialize, Debug)]
pub(super) struct Instant {
    pub(super) at: i64,
    pub(super) name: String,
}

/// A row of the table of what was called.
#[derive(Serialize, Debug, Default, Clone)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) callback: bool,
    pub(super) calls: u64,
    pub(super) total: u64,
    pub(super) max: u64,
}

/// What a thread's time was spent on.
#[derive(Serialize, Debug)]
pub(super) struct Thread {
    pub(super) name: String,
    pub(super) scheme: u64,
    pub(super) c: u64,
    pub(super) waited: u64,
    pub(super) calls: u64,
    pub(super) callbacks: u64,
}

/// A slice, while it is sorted.
struct Slice {
    begin: i64,
    end: i64,
    label: usize,
}

/// A process and a thread in it.
type Place = (String, String);

/// A counter's values by time.
type Samples = Vec<(i64, Vec<(String, f64)>)>;

/// What is collected event by event.
#[derive(Default)]
struct Builder {
    page: Page,
    labels: HashMap<String, usize>,
    slices: BTreeMap<Place, Vec<Slice>>,
    /// Slices that have begun by an event of their own and not ended.
    open: HashMap<Place, Vec<(i64, usize)>>,
    threads: HashMap<Place, String>,
    counters: BTreeMap<String, Samples>,
    totals: BTreeMap<String, Function>,
}

fn ns(microseconds: f64) -> i64 {
    (microseconds * 1000.0).round() as i64
}

fn key(id: &Value) -> String {
    match id {
        Value::String(name) => name.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn number(args: &Value, field: &str) -> u64 {
    args[field].as_u64().unwrap_or(0)
}

fn text(args: &Value, field: &str) -> String {
    args[field].as_str().unwrap_or_default().to_owned()
}

impl Builder {
    fn label(&mut self, name: &str) -> usize {
        if let Some(&known) = self.labels.get(name) {
            return known;
        }
        self.page.names.push(name.to_owned());
        let label = self.page.names.len() - 1;
        self.labels.insert(name.to_owned(), label);
        label
    }

    fn slice(&mut self, place: Place, name: &str, begin: i64, end: i64) {
        let label = self.label(name);
        let end = end.max(begin);
        self.slices
            .entry(place)
            .or_default()
            .push(Slice { begin, end, label });
        let length = (end - begin) as u64;
        let total = self.totals.entry(name.to_owned()).or_default();
        total.calls += 1;
        total.total += length;
        total.max = total.max.max(length);
    }

    fn event(&mut self, event: &Event<'_>) {
        let place = (key(&event.pid), key(&event.tid));
        let at = ns(event.ts);
        match &*event.ph {
            "X" => {
                let end = at + ns(event.dur);
                self.slice(place, &event.name, at, end);
                if event.cat == "gc" && event.args["kind"].is_string() {
                    self.page.pauses.push(Pause {
                        at,
                        length: event.args["pause_ns"].as_i64().unwrap_or(end - at),
                        full: event.args["kind"] == "full",
                        args: event.args.clone(),
                    });
                }
            }
            "B" => {
                let label = self.label(&event.name);
                self.open.entry(place).or_default().push((at, label));
            }
            "E" => {
                if let Some((begin, label)) = self.open.get_mut(&place).and_then(Vec::pop) {
                    let name = self.page.names[label].clone();
                    self.slice(place, &name, begin, at);
                }
            }
            "C" => self.counter(event, at),
            "i" | "I" | "R" => self.page.instants.push(Instant {
                at,
                name: event.name.to_string(),
            }),
            "M" => self.metadata(event, place),
            _ => {}
        }
    }

    fn counter(&mut self, event: &Event<'_>, at: i64) {
        let Some(args) = event.args.as_object() else {
            return;
        };
        let values = args
            .iter()
            .filter_map(|(series, value)| Some((series.clone(), value.as_f64()?)));
        let samples = self.counters.entry(event.name.to_string()).or_default();
        samples.push((at, values.collect()));
    }

    fn metadata(&mut self, event: &Event<'_>, place: Place) {
        let args = &event.args;
        match &*event.name {
            "process_name" => self.page.name = text(args, "name"),
            "thread_name" => {
                self.threads.insert(place, text(args, "name"));
            }
            "bowline_summary" => self.page.summary = args.clone(),
            "bowline_thread" => self.page.threads.push(Thread {
                name: text(args, "name"),
                scheme: number(args, "scheme_ns"),
                c: number(args, "c_ns"),
                waited: number(args, "waited_ns"),
                calls: number(args, "calls"),
                callbacks: number(args, "callbacks"),
            }),
            "bowline_function" => self.page.functions.push(Function {
                name: text(args, "name"),
                callback: args["callback"] == true,
                calls: number(args, "calls"),
                total: number(args, "total_ns"),
                max: number(args, "max_ns"),
            }),
            _ => {}
        }
    }

    /// The first time and the last.
    fn bounds(&self) -> Option<(i64, i64)> {
        let slices = self.slices.values().flatten();
        let slices = slices.flat_map(|slice| [slice.begin, slice.end]);
        let samples = self.counters.values().flatten().map(|sample| sample.0);
        let instants = self.page.instants.iter().map(|instant| instant.at);
        let times = slices.chain(samples).chain(instants);
        times.fold(None, |bounds, t| match bounds {
            None => Some((t, t)),
            Some((first, last)) => Some((first.min(t), last.max(t))),
        })
    }

    fn finish(mut self, trace: &Trace<'_>) -> Result<Page, Fault> {
        let (first, last) = self.bounds().ok_or(Fault::NothingToDraw)?;
        self.page.own = trace.events.iter().any(|event| event.cat == "gc")
            || self.page.summary.is_object()
            || self.counters.contains_key("C memory");
        let zero = if self.page.own { first.min(0) } else { first };
        let page = &mut self.page;
        page.span = (last - zero).max(1);
        page.events = trace.events.len();
        page.pauses.iter_mut().for_each(|pause| pause.at -= zero);
        page.pauses.sort_by_key(|pause| pause.at);
        page.instants
            .iter_mut()
            .for_each(|instant| instant.at -= zero);
        page.instants.sort_by_key(|instant| instant.at);
        if let Some(at) = trace.cut {
            page.remarks.push(format!(
                "The trace is not closed: it ends at byte {at}. Its program was killed, or still runs."
            ));
        }
        let told = page.instants.iter().map(|instant| instant.name.as_str());
        let told =
            told.filter(|name| name.starts_with("truncated at") || name.ends_with(" events lost"));
        page.remarks.extend(
            told.map(|name| format!("The trace says: {name}."))
                .collect::<Vec<_>>(),
        );
        for (place, slices) in self.slices {
            let name = match self.threads.get(&place) {
                Some(name) => name.clone(),
                None => format!("thread {}", place.1),
            };
            page.tracks.push(track(name, slices, zero));
        }
        let counters = self.counters.into_iter();
        page.counters = counters
            .map(|(name, samples)| counter(name, samples, zero))
            .collect();
        if page.functions.is_empty() {
            let totals = self.totals.into_iter();
            let named = totals.map(|(name, total)| Function { name, ..total });
            page.functions = named.filter(|_| !page.own).collect();
        }
        page.functions
            .sort_by_key(|function| std::cmp::Reverse(function.total));
        Ok(self.page)
    }
}

/// Sorts a thread's slices into rows: each below the one that holds it.
fn track(name: String, mut slices: Vec<Slice>, zero: i64) -> Track {
    slices.sort_by_key(|slice| (slice.begin, std::cmp::Reverse(slice.end)));
    let mut track = Track {
        name,
        ..Track::default()
    };
    let mut ends: Vec<i64> = Vec::new();
    let mut last = zero;
    for slice in slices {
        while ends.last().is_some_and(|end| *end <= slice.begin) {
            ends.pop();
        }
        track.begin.push(slice.begin - last);
        last = slice.begin;
        track.length.push(slice.end - slice.begin);
        track.row.push(ends.len());
        track.label.push(slice.label);
        ends.push(slice.end);
        track.depth = track.depth.max(ends.len());
    }
    track
}

/// A counter's samples as columns; a series that a sample leaves out keeps its value.
fn counter(name: String, mut samples: Samples, zero: i64) -> Counter {
    samples.sort_by_key(|sample| sample.0);
    let mut series: Vec<String> = Vec::new();
    for (name, _) in samples.iter().flat_map(|sample| &sample.1) {
        if !series.contains(name) {
            series.push(name.clone());
        }
    }
    let mut counter = Counter {
        name,
        at: Vec::new(),
        values: vec![Vec::new(); series.len()],
        series,
    };
    let mut last = zero;
    for (at, values) in samples {
        counter.at.push(at - last);
        last = at;
        for (series, column) in counter.series.iter().zip(&mut counter.values) {
            let value = values.iter().find(|(name, _)| name == series);
            let before = column.last().copied().unwrap_or(0.0);
            column.push(value.map_or(before, |(_, value)| *value));
        }
    }
    counter
}

/// The page of a trace.
pub(super) fn page(trace: &Trace<'_>) -> Result<Page, Fault> {
    let mut builder = Builder::default();
    trace.events.iter().for_each(|event| builder.event(event));
    builder.finish(trace)
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use super::*;

    fn of(text: &str) -> Page {
        page(&read(text.as_bytes()).expect("a trace")).expect("a page")
    }

    #[test]
    fn slices_stand_in_rows_by_depth() {
        let page = of(r#"[
            {"ph":"X","name":"inner","pid":1,"tid":2,"ts":12,"dur":3},
            {"ph":"X","name":"outer","pid":1,"tid":2,"ts":10,"dur":10},
            {"ph":"X","name":"next","pid":1,"tid":2,"ts":20,"dur":0.5},
            {"ph":"M","name":"thread_name","pid":1,"tid":2,"args":{"name":"main"}},
            {"ph":"B","name":"outer","pid":1,"tid":3,"ts":11},{"ph":"E","pid":1,"tid":3,"ts":13}]"#);
        let [main, other] = &page.tracks[..] else {
            panic!("two tracks");
        };
        assert_eq!((main.name.as_str(), main.depth), ("main", 2));
        assert_eq!(
            (&main.begin[..], &main.length[..]),
            (&[0, 2000, 8000][..], &[10_000, 3000, 500][..])
        );
        assert_eq!(main.row, [0, 1, 0]);
        let names: Vec<_> = main
            .label
            .iter()
            .map(|label| page.names[*label].as_str())
            .collect();
        assert_eq!(names, ["outer", "inner", "next"]);
        assert_eq!(
            (other.name.as_str(), &other.length[..]),
            ("thread 3", &[2000][..])
        );
        assert_eq!((page.span, page.own), (10_500, false));
        let outer = &page.functions[0];
        assert_eq!(
            (outer.name.as_str(), outer.calls, outer.total, outer.max),
            ("outer", 2, 12_000, 10_000)
        );
    }

    #[test]
    fn counters_are_columns_and_keep_what_is_not_said() {
        let page = of(r#"[{"ph":"C","name":"m","ts":3,"args":{"b":7}},
            {"ph":"C","name":"m","ts":1,"args":{"a":1,"b":2.5}},{"ph":"C","name":"m","ts":2}]"#);
        let [m] = &page.counters[..] else {
            panic!("one counter");
        };
        assert_eq!(
            (&m.series[..], &m.at[..]),
            (&["a".to_owned(), "b".to_owned()][..], &[0, 2000][..])
        );
        assert_eq!(m.values, [[1.0, 1.0], [2.5, 7.0]]);
    }

    #[test]
    fn a_trace_of_ours_begins_when_the_heap_does() {
        let page = of(r#"[
            {"ph":"X","name":"full collection","cat":"gc","ts":5,"dur":2,"args":{"kind":"full","number":1}},
            {"ph":"M","name":"bowline_function","args":{"name":"f","callback":true,"calls":3,"total_ns":9,"max_ns":4}},
            {"ph":"M","name":"bowline_summary","args":{"wall_ns":9000}},
            {"ph":"i","name":"truncated at 9 bytes","ts":8}"#);
        assert!(page.own && page.span == 8000);
        assert_eq!(
            (
                page.pauses[0].at,
                page.pauses[0].length,
                page.pauses[0].full
            ),
            (5000, 2000, true)
        );
        assert!(page.functions.len() == 1 && page.functions[0].callback);
        assert_eq!(page.summary["wall_ns"], 9000);
        assert_eq!(page.remarks.len(), 2, "not closed, and truncated");
    }

    #[test]
    fn a_trace_without_times_cannot_be_drawn() {
        for text in [
            "[]",
            r#"[{"ph":"M","name":"process_name","args":{"name":"a"}}]"#,
        ] {
            let trace = read(text.as_bytes()).expect("a trace");
            assert_eq!(page(&trace).expect_err("nothing"), Fault::NothingToDraw);
        }
        assert_eq!(
            Fault::NothingToDraw.to_string(),
            "no event in it can be drawn"
        );
    }
}
