//! The table of rules in `tests/README.md` names every rule, and only tests that there are.

use std::fs;
use std::path::{Path, PathBuf};

/// All Rust sources below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn each_rule_names_tests_that_exist() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(tests.join("README.md")).expect("the page");
    let mut files = Vec::new();
    sources(&tests.join("../core/src"), &mut files);
    sources(&tests.join("tests"), &mut files);
    let code: String = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let rules = (1..=19).map(|n| format!("S{n}")).chain((1..=13).map(|n| format!("L{n}")));
    for rule in rules {
        let row = page.lines().find(|line| line.starts_with(&format!("| {rule} |")));
        let row = row.unwrap_or_else(|| panic!("no row for {rule}"));
        let prefix = format!("{}_", rule.to_lowercase());
        let named: Vec<&str> = row.split('`').filter(|word| word.starts_with(&prefix)).collect();
        assert!(!named.is_empty(), "{row}");
        for name in named {
            assert!(code.contains(&format!("fn {name}()")), "{rule}: there is no test {name}");
        }
    }
}
