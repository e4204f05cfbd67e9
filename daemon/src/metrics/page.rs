//! The text of a scrape, in the OpenMetrics format.

use super::families::{FAMILIES, Kind};
use super::histogram::Histogram;
use std::fmt::{Display, Write};

/// A page that is being written: all samples of one family follow its head.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
    family: &'static str,
}

/// Of what: names and values.
pub(crate) type Labels<'a> = &'a [(&'static str, &'a str)];

/// Microseconds, in which times are kept, in a second, in which they are told.
const MICROS: f64 = 1e6;

impl Page {
    /// The whole text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// A number that goes up and down.
    pub(crate) fn gauge(&mut self, name: &'static str, labels: Labels<'_>, value: impl Display) {
        self.head(name, Kind::Gauge, labels);
        self.sample(name, "", labels, None, value);
    }

    /// A number that only rises.
    pub(crate) fn counter(&mut self, name: &'static str, labels: Labels<'_>, value: impl Display) {
        self.head(name, Kind::Counter, labels);
        self.sample(name, "_total", labels, None, value);
    }

    /// Numbers, by how large they were.
    pub(crate) fn sizes(&mut self, name: &'static str, labels: Labels<'_>, histogram: &Histogram) {
        self.histogram(name, labels, histogram, 1.0);
    }

    /// Times, by how long they were.
    pub(crate) fn times(&mut self, name: &'static str, labels: Labels<'_>, histogram: &Histogram) {
        self.histogram(name, labels, histogram, MICROS);
    }

    /// Classes without a constant list of bounds: pairs of an upper bound in microseconds and how many.
    pub(crate) fn classes(
        &mut self,
        name: &'static str,
        labels: Labels<'_>,
        classes: &[(Option<u64>, u64)],
        micros: u64,
    ) {
        self.head(name, Kind::Histogram, labels);
        let mut upto = 0;
        for (bound, count) in classes {
            upto += count;
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| in_seconds(bound, MICROS));
            self.sample(name, "_bucket", labels, Some(&bound), upto);
        }
        self.sample(name, "_sum", labels, None, in_seconds(micros, MICROS));
        self.sample(name, "_count", labels, None, upto);
    }

    fn histogram(&mut self, name: &'static str, labels: Labels<'_>, histogram: &Histogram, unit: f64) {
        self.head(name, Kind::Histogram, labels);
        let bounds = histogram.bounds.iter().map(|bound| in_seconds(*bound, unit)).chain(["+Inf".to_owned()]);
        let mut upto = 0;
        for (bound, count) in bounds.zip(&histogram.classes) {
            upto += count;
            self.sample(name, "_bucket", labels, Some(&bound), upto);
        }
        self.sample(name, "_sum", labels, None, in_seconds(histogram.sum, unit));
        self.sample(name, "_count", labels, None, upto);
    }

    fn head(&mut self, name: &'static str, kind: Kind, labels: Labels<'_>) {
        if self.family == name {
            return;
        }
        let family = FAMILIES.iter().find(|family| family.name == name && family.kind == kind);
        let family = family.unwrap_or_else(|| unreachable!("{name} is not among the families"));
        let names = labels.iter().map(|(name, _)| *name);
        assert!(names.eq(family.labels.iter().copied()), "{name} has other labels");
        self.family = name;
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        // Writing into a string can't fail, here and below.
        let _ = write!(self.text, "# TYPE {name} {kind}\n# HELP {name} {}\n", family.meaning);
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: Labels<'_>, bound: Option<&str>, value: impl Display) {
        let labels = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{suffix}{labels} {value}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "a measure to look at")]
fn in_seconds(value: u64, unit: f64) -> String {
    format!("{}", value as f64 / unit)
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
