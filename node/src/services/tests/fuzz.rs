//! No text makes the reader panic, and every mistake is within the text.
//!
//! `PROPTEST_CASES=100000 cargo test --workspace fuzz` looks for longer than the gate does.

use crux_crdt::service::arbitrary;
use proptest::prelude::*;

use super::*;

/// Pieces of configs, right and wrong.
fn piece() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "name = 'a'\n",
        "image = 'b'\n",
        "\"name\": \"a\",",
        "\"image\": \"b\",",
        "{",
        "}",
        "[",
        "]",
        "=",
        ",",
        ":",
        "\n",
        "\"",
        "'",
        "'''",
        "[ports]\n",
        "ports = ",
        "check = [{ http = '/' }]\n",
        "[[check]]\n",
        "tcp = 'a'\n",
        "{ pass = 1 }",
        "heartbeat = 1\n",
        "register = [{}, 1]\n",
        "limits = { required = true }\n",
        "kind = 'svc1'\n",
        "1979-05-27",
        "1e999",
        "0x10",
        "-1",
        "99999999999999999999",
        "null",
        "true",
        "${port.a}",
        "\\u0000",
        "\u{feff}",
        "é",
        "a.b.c = 1\n",
        "\"args\": [\"\\ud800\"]",
        "count",
        "\r\n",
        "\0",
    ]);
    prop_oneof![8 => pieces.prop_map(str::to_owned), 1 => any::<String>()]
}

/// A key with a value of any kind, in a form that TOML and JSON have: most of these texts are parsed.
fn line(json: bool) -> impl Strategy<Value = String> {
    let keys = super::super::print::KEYS.to_vec();
    let values = prop::sample::select(vec![
        "1",
        "-1",
        "0.5",
        "1e308",
        "99999999999999999999",
        "true",
        "\"auto\"",
        "\"10s\"",
        "\"\"",
        "\"\\u0000\"",
        "[]",
        "[1]",
        "[\"a\", \"${port.a}\"]",
        "[[[[[[[[[[1]]]]]]]]]]",
        "{}",
        "{\"a\": 1}",
        "{\"a\": {\"pass\": 1}}",
        "[{}]",
        "[{\"tcp\": \"a\"}]",
        "[{\"http\": \"/\"}]",
        "[{\"heartbeat\": 1}]",
        "{\"required\": true}",
        "{\"cpu\": 1e308}",
        "{\"x86_64\": \"a\"}",
        "\"svc1\"",
    ]);
    (prop::sample::select(keys), values).prop_map(move |(key, value)| match json {
        true => format!("\"{key}\": {value}"),
        false => format!("{key} = {}", value.replace(": ", " = ")),
    })
}

/// Reads, and checks what the reader says.
fn check(bytes: &[u8]) {
    if let Err(err) = read(bytes) {
        assert!(!err.mistakes.is_empty());
        let text = String::from_utf8_lossy(bytes);
        let lines = text.matches('\n').count() + 1;
        for mistake in &err.mistakes {
            assert!((1..=lines).contains(&mistake.line) && mistake.column >= 1, "{mistake:?}");
            assert!(!mistake.message.is_empty(), "{mistake:?}");
        }
        assert!(Error::from(err).to_string().len() < 64 * 1024);
    }
}

proptest! {
    #[test]
    fn fuzz_pieces(pieces in prop::collection::vec(piece(), 0..20), json in any::<bool>()) {
        let text = if json { format!("{{{}", pieces.concat()) } else { pieces.concat() };
        check(text.as_bytes());
    }

    #[test]
    fn fuzz_toml(lines in prop::collection::btree_set(line(false), 0..8)) {
        check(Vec::from_iter(lines).join("\n").as_bytes());
    }

    #[test]
    fn fuzz_json(lines in prop::collection::btree_set(line(true), 0..8)) {
        check(format!("{{{}}}", Vec::from_iter(lines).join(",\n")).as_bytes());
    }

    #[test]
    fn fuzz_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
    }

    #[test]
    fn fuzz_damaged_configs(
        config in arbitrary::configs(),
        json in any::<bool>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let text = if json { serde_json::to_string(&config).unwrap() } else { print(&config).unwrap() };
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        check(&bytes);
    }

    #[test]
    fn fuzz_words(name in ".{0,9}", port in piece(), env in piece(), checked in piece(), command in piece()) {
        let (ports, env, checks) = (vec![port], vec![env], vec![checked]);
        let words = Words { name, ports, env, checks, command: vec![command], ..Words::default() };
        words.draft().ok();
    }
}
