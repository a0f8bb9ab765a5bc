//! The files of a secret, and what is printed of it.

use super::*;

#[test]
fn keygen_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let ran = run_in(&dir, &[], &format!("keygen --flock dev --out {}", path("s")));
    insta::assert_snapshot!("keygen", ran.shown());
    let secret = std::fs::read_to_string(path("s")).unwrap();
    let operator = std::fs::read_to_string(path("s.operator")).unwrap();
    let parsed: crate::secret::SecretString = secret.parse().unwrap();
    let key: crate::secret::OperatorKey = operator.parse().unwrap();
    assert_eq!(parsed.parts().operator, Some(key.public()));
    assert!(!ran.shown().contains(&secret[8..20]));

    let exists = format!("keygen --flock dev --out {} --no-operator", path("s"));
    assert_eq!(run_in(&dir, &[], &exists).exit, 5);
    let line = format!("keygen --flock dev --out {} --operator-key {}", path("t"), path("s"));
    assert_eq!(run_in(&dir, &[], &line).exit, 5);
    assert!(!dir.path().join("t").exists(), "nothing is left behind");
    let line = format!("keygen --flock dev --out {0} --operator-key {0}", path("u"));
    assert_eq!(run_in(&dir, &[], &line).exit, 2);
    assert_eq!(std::fs::read_to_string(path("s")).unwrap(), secret);
    assert_eq!(std::fs::read_to_string(path("s.operator")).unwrap(), operator);
}

#[test]
fn keygen_if_missing_keeps_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("s").display().to_string();
    let line = format!("keygen --flock dev --no-operator --if-missing --out {out}");
    assert_eq!(run_in(&dir, &[], &line).exit, 0);
    let secret = std::fs::read(&out).unwrap();
    let again = run_in(&dir, &[], &line);
    assert_eq!((again.exit, std::fs::read(&out).unwrap()), (0, secret.clone()));
    assert!(again.out.contains("Kept the secret"), "{}", again.out);

    let other = line.replace("--flock dev", "--flock prod");
    let refused = run_in(&dir, &[], &other);
    assert_eq!((refused.exit, std::fs::read(&out).unwrap()), (5, secret));
    std::fs::write(&out, "no secret").unwrap();
    assert_ne!(run_in(&dir, &[], &line).exit, 0, "what is no secret is not kept as one");
}

#[test]
fn keygen_writes_both_files_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let keygen = |rest: &str| run_in(&dir, &[], &format!("keygen --flock dev {rest}"));
    // The same file, by another name.
    std::os::unix::fs::symlink(".", path("here")).unwrap();
    let same = format!("--out {} --operator-key {}", path("s"), path("here/s"));
    assert_eq!(keygen(&same).exit, 5);
    let nowhere = format!("--out {} --operator-key {}", path("s"), path("none/o"));
    assert_ne!(keygen(&nowhere).exit, 0);
    assert_ne!(keygen(&format!("--out {} --operator-key {}", path("none/s"), path("o"))).exit, 0);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the link");
    // An empty file is what a crash of an earlier version left.
    std::fs::write(path("s"), "").unwrap();
    std::fs::write(path("s.operator"), "").unwrap();
    assert_eq!(keygen(&format!("--if-missing --out {}", path("s"))).exit, 0);
    let secret: crate::secret::SecretString = read(&path("s")).parse().unwrap();
    let key: crate::secret::OperatorKey = read(&path("s.operator")).parse().unwrap();
    assert_eq!(secret.parts().operator, Some(key.public()));
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn keygen_prints_what_has_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key").display().to_string();
    let keygen = |rest: &str| run_in(&dir, &[], &format!("keygen --flock dev {rest}"));
    let ran = keygen(&format!("--out - --operator-key {key}"));
    let secret: crate::secret::SecretString = ran.out.trim_end().parse().unwrap();
    let operator: crate::secret::OperatorKey = read(&key).parse().unwrap();
    assert_eq!(secret.parts().operator, Some(operator.public()));
    assert!(ran.err.contains("to standard output"), "{}", ran.err);
    let out = dir.path().join("s").display().to_string();
    let ran = keygen(&format!("--out {out} --operator-key -"));
    let operator: crate::secret::OperatorKey = ran.out.trim_end().parse().unwrap();
    let secret: crate::secret::SecretString = read(&out).parse().unwrap();
    assert_eq!(secret.parts().operator, Some(operator.public()));
    for refused in ["--out -", "--out - --operator-key -", "--out - --no-operator --if-missing"] {
        let ran = keygen(refused);
        assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{refused}");
    }
    assert!(!std::path::Path::new("-").exists() && !std::path::Path::new("-.operator").exists());
}

#[test]
fn keygen_without_an_operator_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("s").display().to_string();
    let ran = run_in(&dir, &[], &format!("keygen --json --flock dev --no-operator --out {out}"));
    assert_eq!((ran.exit, &ran.json()["operator_key_file"]), (0, &serde_json::Value::Null));
    assert!(ran.err.contains("no documents"), "{}", ran.err);
    assert!(!dir.path().join("s.operator").exists());
    let bad = run_in(&dir, &[], &format!("keygen --flock Dev --out {out}2"));
    assert_eq!(bad.exit, 2);
    assert!(!dir.path().join("s2").exists());
}
