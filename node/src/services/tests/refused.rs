//! Texts that are refused, with line and column.

use crux_crdt::service::CONFIG_BYTES_MAX;

use super::*;

/// Keys behind a name and an image, and what is wrong, from line 3 on.
fn rows(rows: &[(&str, &str)]) {
    for (keys, expected) in rows {
        assert_eq!(wrong(&with(keys)), [*expected], "{keys}");
    }
}

#[test]
fn unknown_keys_are_refused_with_what_is_meant() {
    rows(&[
        (
            "prots = { a = 1 }",
            "line 3, column 1: `prots`: there is no such key; did you mean `ports`?",
        ),
        (
            "\n  replicas = 2",
            "line 4, column 3: `replicas`: there is no such key; did you mean `count`?",
        ),
        (
            "[limits]\ndisk = 1",
            "line 4, column 1: `limits.disk`: there is no such key; the keys are memory, pids, cpu, required",
        ),
        (
            "ports.a = 1\nregister = [{ port = 'a' }, { servce = 'x', port = 'a' }]",
            "line 4, column 31: `register[1].servce`: there is no such key; did you mean `service`?",
        ),
        (
            "check = [{ exec = ['a'], timout = '1s' }]",
            "line 3, column 26: `check[0].timout`: there is no such key; did you mean `timeout`?",
        ),
    ]);
    let far = wrong(&with("x = 1"));
    assert!(
        far[0].contains("the keys are name, rev, horde, kind, image, argv0, args, ports"),
        "{far:?}"
    );
}

#[test]
fn what_comes_later_is_not_there_yet() {
    rows(&[
        ("group = 'shop'", "line 3, column 1: `group`: not there yet"),
        ("sandbox = true", "line 3, column 1: `sandbox`: not there yet"),
        ("entry = 'bin/x'", "line 3, column 1: `entry`: not there yet"),
        ("longest_work = '5m'", "line 3, column 1: `longest_work`: not there yet"),
        ("dump_signal = 'QUIT'", "line 3, column 1: `dump_signal`: not there yet"),
        ("logs = true", "line 3, column 1: `logs`: not there yet"),
        ("effective_at = 'noon'", "line 3, column 1: `effective_at`: not there yet"),
        ("[rollout]\ncanary = 1", "line 4, column 1: `rollout.canary`: not there yet"),
        ("rollout = { settle = '10s' }", "line 3, column 13: `rollout.settle`: not there yet"),
        ("[rollout]\npromote = 'auto'", "line 4, column 1: `rollout.promote`: not there yet"),
        ("rollout.on_failure = 'back'", "line 3, column 9: `rollout.on_failure`: not there yet"),
        (
            "[move]\nstop_when_cut_off = 'never'",
            "line 4, column 1: `move.stop_when_cut_off`: not there yet",
        ),
        ("kind = 'svc1'", "line 3, column 8: `kind`: not there yet"),
        ("kind = 'svc2'", "line 3, column 8: `kind`: not there yet"),
        (
            "ports = { http = { pass = 8080 } }",
            "line 3, column 18: `ports.http.pass`: not there yet",
        ),
        (
            "ports = { http = { pass = 8080 } }\nargs = ['${port.http}']",
            "line 3, column 18: `ports.http.pass`: not there yet",
        ),
        (
            "check = [{ exec = ['a'] }, { heartbeat = '1s' }]",
            "line 3, column 30: `check[1].heartbeat`: not there yet",
        ),
    ]);
    let err: Error = read(with("group = 'shop'")).unwrap_err().into();
    assert_eq!((err.kind(), err.fields()["line"].as_str()), (Kind::InvalidConfig, "3"));
    assert_eq!(err.hint(), Some("This version of Crux cannot do that. Leave the key out."));
}

#[test]
fn what_a_target_says_of_roll_outs_is_checked() {
    let step =
        "write a number of nodes from 1 to 65535, or a share of them from \"1%\" to \"100%\"";
    rows(&[
        (
            "priority = 1001",
            "line 3, column 1: `priority`: it is 1001; it must be from -1000 to 1000",
        ),
        (
            "priority = 0.5",
            "line 3, column 12: `priority`: expected a whole number, found the number 0.5",
        ),
        ("[rollout]\nstep = 0", &format!("line 4, column 1: `rollout.step`: {step}")),
        ("[rollout]\nstep = '0%'", &format!("line 4, column 1: `rollout.step`: {step}")),
        ("[rollout]\nstep = '12.5%'", &format!("line 4, column 8: `rollout.step`: {step}")),
        ("[rollout]\nstep = -1", &format!("line 4, column 8: `rollout.step`: {step}")),
        (
            "[rollout]\ndeadline = '25h'",
            "line 4, column 1: `rollout.deadline`: it is 25h; it must be from 100ms to 1d",
        ),
        (
            "[move]\nreplace_after = 30",
            "line 4, column 17: `move.replace_after`: expected a duration as text, as in \"30s\", or \"never\", \
             found the number 30",
        ),
        (
            "[move]\non_minority = 'wait'",
            "line 4, column 15: `move.on_minority`: unknown \"wait\": expected hold or replace",
        ),
        (
            "[rollout]\nstop = 1",
            "line 4, column 1: `rollout.stop`: there is no such key; did you mean `step`?",
        ),
    ]);
}

#[test]
fn a_person_adds_no_service_with_what_only_a_target_uses() {
    let text = with("priority = 1\n[rollout]\nstep = 1\n[move]\nreplace_after = 'never'");
    assert!(read(&text).is_ok());
    let err = super::super::read(&text, Owner::Person).unwrap_err();
    let lines: Vec<_> = err.mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "line 3, column 1: `priority`: only a target uses it",
            "line 4, column 2: `rollout`: only a target uses it",
            "line 6, column 2: `move`: only a target uses it",
        ]
    );
    let err = Error::from(err);
    assert_eq!(err.kind(), Kind::InvalidConfig);
    let defaults = with("priority = 0\n[rollout]\nstep = '25%'\n[move]");
    assert!(super::super::read(&defaults, Owner::Person).is_ok(), "what is so anyhow");
}

#[test]
fn limits_cannot_be_required() {
    let text = with("[limits]\npids = 9\nrequired = true");
    assert_eq!(
        wrong(&text),
        [
            "line 5, column 1: `limits.required`: this node does not enforce limits yet, and the config requires them"
        ]
    );
    let err: Error = read(&text).unwrap_err().into();
    assert_eq!(Some(err.kind()), Kind::from_name("not_enforced").or(Some(Kind::Refused)));
    let with_more: Error = read(format!("{text}\n[env]\nPORT = '1'")).unwrap_err().into();
    assert_eq!(with_more.kind(), Kind::InvalidConfig);
    assert!(read(with("[limits]\npids = 9\nrequired = false")).is_ok());
}

#[test]
fn values_of_the_wrong_kind_are_refused_where_they_are() {
    rows(&[
        ("count = '2'", "line 3, column 9: `count`: expected a whole number, found the text \"2\""),
        (
            "count = 70000",
            "line 3, column 9: `count`: expected a whole number, found the number 70000",
        ),
        ("count = 0", "line 3, column 1: `count`: it is 0; it must be from 1 to 64"),
        (
            "period = 10",
            "line 3, column 10: `period`: expected a duration as text, as in \"10s\" or \"250ms\", found the \
             number 10",
        ),
        (
            "period = '10'",
            "line 3, column 10: `period`: write a whole number and one of ms, s, m, h, d, as in 10s or 250ms",
        ),
        ("period = '1ms'", "line 3, column 1: `period`: it is 1ms; it must be from 100ms to 1h"),
        (
            "log_max = '4MB'",
            "line 3, column 11: `log_max`: write a whole number of bytes, or of KiB, MiB, GiB or TiB, as in 500MiB",
        ),
        ("args = 'x'", "line 3, column 8: `args`: expected a list, found the text \"x\""),
        ("args = ['x', 1]", "line 3, column 14: `args[1]`: expected a text, found the number 1"),
        ("env = { A = 1 }", "line 3, column 13: `env.A`: expected a text, found the number 1"),
        (
            "ports = { a = 65536 }",
            "line 3, column 15: `ports.a`: invalid port 65536: expected 1 to 65535",
        ),
        (
            "ports = { a = 'x' }",
            "line 3, column 15: `ports.a`: write a number from 1 to 65535, or \"auto\"",
        ),
        (
            "ports = { a = 1, A = 2 }",
            "line 3, column 9: `ports`: the ports a and A have the same variable: names of ports differ not only \
             in case",
        ),
        (
            "ports = { a-b = 1 }",
            "line 3, column 11: `ports.a-b`: a port's name is a letter, then letters, digits and `_`; at most 31 \
             bytes",
        ),
        (
            "restart = 'often'",
            "line 3, column 11: `restart`: unknown \"often\": expected always, on-failure or never",
        ),
        ("update = 1", "line 3, column 10: `update`: expected overlap or replace, found a number"),
        ("kind = 'svc3'", "line 3, column 8: `kind`: unknown \"svc3\": expected plain"),
        ("limits = 1", "line 3, column 10: `limits`: expected a table, found the number 1"),
        ("user = 1979-05-27", "line 3, column 8: `user`: expected a text, found a date"),
        (
            "check = [{ http = '/' }]",
            "line 3, column 10: `check[0]`: a check by http or grpc has a port",
        ),
        (
            "check = [{ tcp = 'a', exec = ['b'] }]",
            "line 3, column 10: `check[0]`: a check has exactly one of the keys tcp, http, grpc and exec",
        ),
        (
            "horde = 'A'",
            "line 3, column 9: `horde`: 'A' at byte 0 is not allowed; allowed are lower-case letters, digits and `-`",
        ),
        ("register = [{}]", "line 3, column 13: `register[0].port`: it is missing"),
    ]);
}

#[test]
fn broken_rules_are_refused_where_their_keys_are() {
    rows(&[
        (
            "args = ['a', '${port.x}']",
            "line 3, column 14: `args[1]`: there is no port \"x\"; `ports` has the names",
        ),
        (
            "[env]\nA = 'x'\nCRUX_X = 'y'",
            "line 5, column 1: `env.CRUX_X`: the node sets CRUX_* and PORT itself",
        ),
        ("env.PORT = '80'", "line 3, column 5: `env.PORT`: the node sets CRUX_* and PORT itself"),
        (
            "ports = { a = 80, b = 80 }",
            "line 3, column 19: `ports.b`: the ports a and b have the same number",
        ),
        (
            "ports.a = 1\nregister = [{ labels = { 'a.b' = \"\\u0007\" } }]",
            "line 4, column 26: `register[0].labels.a.b`: a label's value has at most 255 bytes, all of characters \
             that are shown as themselves",
        ),
        (
            "ports.a = 1\ncheck = [\n  { exec = ['a'] },\n  { tcp = 'b' },\n]",
            "line 6, column 5: `check[1].tcp`: there is no port \"b\"; `ports` has the names",
        ),
        (
            "ports.a = 1\nupdate = 'overlap'",
            "line 4, column 1: `update`: an update cannot overlap while a port has a fixed number: write \"auto\" \
             for port a",
        ),
    ]);
}

#[test]
fn what_is_missing_is_said() {
    assert_eq!(
        wrong(""),
        ["line 1, column 1: `image`: it is missing", "line 1, column 1: `name`: it is missing"]
    );
    assert_eq!(wrong("name = 'a'"), ["line 1, column 1: `image`: it is missing"]);
    assert_eq!(wrong("image = ''\nname = 'a'"), ["line 1, column 9: `image`: it is empty"]);
    let short = wrong(&format!("name = 'a'\nimage = '{}'", &BLOB[..63]));
    assert!(short[0].contains("64 hexadecimal digits"), "{short:?}");
    assert!(wrong("name = 'a'\nimage = {}")[0].contains("it is empty"));
    assert!(
        wrong("name = 'a'\nimage = { mips = 'x' }")[0]
            .starts_with("line 2, column 11: `image.mips`: unknown")
    );
}

#[test]
fn several_mistakes_are_said_in_the_order_of_the_text() {
    let text = with("count = 'x'\nprots = {}\nsandbox = true\nperiod = 1");
    let keys: Vec<_> =
        read(&text).unwrap_err().mistakes.into_iter().map(|it| (it.line, it.key)).collect();
    let expected = [(3, "count"), (4, "prots"), (5, "sandbox"), (6, "period")];
    assert_eq!(keys, expected.map(|(line, key)| (line, key.to_owned())));
    let many: String = (0..100).map(|at| format!("x{at} = 1\n")).collect();
    assert_eq!(wrong(&with(&many)).len(), 16);
    let rules = wrong(&with("count = 0\nnofile = 1\nargs = ['${port.x}']"));
    assert_eq!(rules.len(), 3);
    assert!(rules[2].starts_with("line 5, column 9: `args[0]`"), "{rules:?}");
}

#[test]
fn texts_of_the_wrong_form_are_refused_where_they_end_to_be_right() {
    for (text, place) in [
        ("name = web", "line 1, column 8: "),
        ("name = 'web'\n\nname = 'x'", "line 3, column 1: "),
        ("name = 'web'\n[env", "line 2, column "),
        ("{\"name\": \"web\",\n \"name\": \"x\"}", "line 2, column 2: `name`: it is there twice"),
        ("{\"name\": \"web\"", "line 1, column "),
        ("{\"name\": \"web\"}\nx", "line 2, column 1: "),
        ("{\"name\": \"a\\ud800\"}", "line 1, column 10: "),
        ("{\n\"name\": nope}", "line 2, column "),
        ("{}", "line 1, column 1: `image`: it is missing"),
        ("{\"name\": null}", "line 1, column 1: `image`: it is missing"),
    ] {
        let wrong = wrong(text);
        assert!(wrong[0].starts_with(place), "{text}: {wrong:?}");
    }
    let latin1 = read(b"name = 'web'\nimage = 'k\xf6ln'").unwrap_err().to_string();
    assert_eq!(latin1, "line 2, column 11: invalid UTF-8");
}

#[test]
fn json_has_places_too() {
    let text = format!(
        "{{\n  \"name\": \"web\", \"image\": \"{BLOB}\",\n  \"check\": [{{\"exec\": [\"a\", 7]}}],\n  \"prots\": 1\n}}"
    );
    assert_eq!(
        wrong(&text),
        [
            "line 3, column 28: `check[0].exec[1]`: expected a text, found the number 7",
            "line 4, column 3: `prots`: there is no such key; did you mean `ports`?",
        ]
    );
    let null = format!("{{\"name\": \"web\", \"image\": \"{BLOB}\", \"user\": null}}");
    assert!(wrong(&null)[0].ends_with("`user`: expected a text, found null"), "{:?}", wrong(&null));
}

#[test]
fn columns_are_characters() {
    let text = with("args = ['äöü', 1]");
    assert_eq!(wrong(&text), ["line 3, column 16: `args[1]`: expected a text, found the number 1"]);
}

#[test]
fn the_size_of_a_text_is_bounded() {
    let padded = |len: usize| {
        let text = with("# ");
        format!("{text}#{}", "x".repeat(len - text.len() - 1))
    };
    assert!(read(padded(CONFIG_BYTES_MAX)).is_ok());
    assert_eq!(
        wrong(&padded(CONFIG_BYTES_MAX + 1)),
        ["line 1, column 1: the config has 262145 bytes, at most 262144 are allowed"]
    );
}

#[test]
fn levels_are_bounded() {
    let deep =
        |open: &str, close: &str| with(&format!("args = {}{}", open.repeat(60), close.repeat(60)));
    assert!(wrong(&deep("[", "]"))[0].contains("expected a text, found a list"));
    assert!(!wrong(&deep("{ a = [", "] }")).is_empty());
    let json = format!("{{\"name\": {}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(wrong(&json)[1].contains("`name`: expected the name of"), "{:?}", wrong(&json));
    let toml = format!("name = {}", "[".repeat(100_000));
    assert!(!wrong(&toml).is_empty());
}

#[test]
fn long_words_are_cut_in_errors() {
    let long = "x".repeat(10_000);
    for keys in [
        format!("{long} = 1"),
        format!("restart = '{long}'"),
        format!("count = '{long}'"),
        format!("args = ['${{port.{long}}}']"),
        format!("[ports]\n{long} = 1"),
        format!("[env]\n{long} = ''"),
    ] {
        let text = read(with(&keys)).err().map_or(String::new(), |err| err.to_string());
        assert!(text.len() < 1000, "{}", text.len());
    }
}
