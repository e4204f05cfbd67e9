//! All that is wrong with a configuration, each with its line, so that it is mended in one go.

use std::fmt;

/// What is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// Counted from 1; 0 is what no line says.
    line: usize,
    what: String,
}

impl Problems {
    /// This is wrong, at this line; 0 if it is what no line says.
    pub(super) fn add(&mut self, line: usize, what: impl Into<String>) {
        self.0.push(Problem { line, what: what.into() });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same, in the order of the lines, each after the name of its file.
    pub(crate) fn of_file(mut self, file: &str) -> String {
        self.0.sort_unstable();
        let line = |problem: &Problem| match problem.line {
            0 => format!("{file}: {}", problem.what),
            line => format!("{file}:{line}: {}", problem.what),
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.clone().of_file("configuration"))
    }
}
