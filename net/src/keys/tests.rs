//! Key files that are taken, and those that are refused with the line and the reason.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const A: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
const B: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

#[test]
fn a_file_has_keys_of_both_kinds() {
    let keys = Keys::parse(&format!("# ours\n\ncluster {A}\n  cluster {B}\nclient billing write {A}\n")).unwrap();
    assert_eq!(keys.cluster.len(), 2);
    assert_eq!(keys.cluster[0].digits(), A.to_lowercase());
    let [billing] = &keys.clients[..] else { panic!() };
    assert_eq!((billing.name.as_str(), billing.role), ("billing", Role::Write));
    assert!(Role::Read < Role::Write && Role::Write < Role::Admin);
}

#[test]
fn a_secret_is_not_shown() {
    let keys = Keys::parse(&format!("cluster {A}\nclient a read {A}")).unwrap();
    assert!(!format!("{keys:?}").contains("0011"));
    let bad = Keys::parse(&format!("cluster {A}0")).unwrap_err().to_string();
    assert!(bad.starts_with("line 1: a secret is 64") && !bad.contains("0011"), "{bad}");
}

#[test]
fn a_line_that_is_none_is_refused_with_its_number() {
    for (text, line, what) in [
        (format!("cluster {A}\ncluster {A}"), 2, "twice"),
        (format!("client a read {A}\nclient a write {B}"), 2, "name is there twice"),
        (format!("client a b read {A}"), 1, "expected"),
        (format!("client a/b read {A}"), 1, "a name is"),
        (format!("client a owner {A}"), 1, "a role is"),
        ("cluster x".to_owned(), 1, "64 hexadecimal"),
        (format!("cluster {}é", &A[..62]), 1, "64 hexadecimal"),
        ("\n\nkey".to_owned(), 3, "expected"),
    ] {
        let bad = Keys::parse(&text).expect_err(&text);
        assert_eq!(bad.line, line, "{bad}");
        assert!(bad.what.contains(what), "{bad}");
    }
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    let missing = read(&path).unwrap_err().to_string();
    assert!(missing.contains("ftqctl key new"), "{missing}");
    fs::write(&path, format!("cluster {A}\n")).unwrap();
    for (mode, taken) in [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o660, false), (0o602, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match read(&path) {
            Ok(_) => assert!(taken, "{mode:o}"),
            Err(problem) => assert!(!taken && problem.to_string().contains("chmod 600"), "{problem}"),
        }
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "cluster 1\n").unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("line 1"));
    fs::write(&path, b"\xff\xfe").unwrap();
    assert!(read(&path).is_err(), "not text");
}
