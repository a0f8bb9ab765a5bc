//! Every bound: up to it, and one beyond.

use core::time::Duration;
use std::collections::BTreeMap;

use super::*;

/// Sets one thing of a config to a size.
type Set = fn(&mut Fields<Image>, usize);

/// Breaks a rule.
type Break = fn(&mut Fields<Image>);

/// Fields with as many ports as that.
fn many_ports(fields: &mut Fields<Image>, len: usize) {
    for at in 0..len {
        fields.ports.push(format!("p{at}").parse().unwrap(), Port::Auto).unwrap();
    }
}

fn exec(words: usize, bytes: usize) -> Check {
    let mut command = vec!["/bin/true".to_owned()];
    command.resize(words, "x".repeat(bytes));
    Check::new(Probe::Exec { command })
}

fn as_service(labels: BTreeMap<String, String>) -> RegisterAs {
    let (service, rev, port) = ("a".parse().unwrap(), "v1".parse().unwrap(), "p0".parse().unwrap());
    RegisterAs { service, rev, port, labels }
}

#[test]
fn sizes_are_bounded() {
    let rows: &[(&str, usize, Set)] = &[
        ("args", ARGS_MAX, |it, n| it.args = vec![String::new(); n]),
        ("args[0]", TEXT_BYTES_MAX, |it, n| it.args = vec!["x".repeat(n)]),
        ("argv0", PATH_BYTES_MAX, |it, n| it.argv0 = Some("x".repeat(n))),
        ("ports", PORTS_MAX, many_ports),
        ("check", CHECKS_MAX, |it, n| it.check = vec![exec(1, 0); n]),
        ("check[0].exec", EXEC_WORDS_MAX, |it, n| it.check = vec![exec(n, 0)]),
        ("check[0].exec[1]", TEXT_BYTES_MAX, |it, n| it.check = vec![exec(2, n)]),
        ("check[0].http", HTTP_PATH_BYTES_MAX, |it, n| {
            many_ports(it, 1);
            let (path, port) = (format!("/{}", "x".repeat(n - 1)), "p0".parse().unwrap());
            it.check = vec![Check::new(Probe::Http { path, port })];
        }),
        ("check[0].grpc", 255, |it, n| {
            many_ports(it, 1);
            let (service, port) = ("x".repeat(n), "p0".parse().unwrap());
            it.check = vec![Check::new(Probe::Grpc { service, port })];
        }),
        ("env", ENV_MAX, |it, n| {
            it.env = (0..n).map(|at| (format!("V{at}"), String::new())).collect();
        }),
        ("env.V", TEXT_BYTES_MAX, |it, n| it.env = [("V".to_owned(), "x".repeat(n))].into()),
        ("register", REGISTER_MAX, |it, n| {
            many_ports(it, 1);
            let rev = |at: usize| format!("v{at}").parse().unwrap();
            let entry = |at| RegisterAs { rev: rev(at), ..as_service(BTreeMap::new()) };
            it.register = Register::List((0..n).map(entry).collect());
        }),
        ("register[0].labels", crate::record::SERVICE_LABELS_MAX, |it, n| {
            many_ports(it, 1);
            let labels = (0..n).map(|at| (format!("l{at}"), String::new())).collect();
            it.register = Register::List(vec![as_service(labels)]);
        }),
        ("register[0].labels.l", crate::record::LABEL_VALUE_BYTES_MAX, |it, n| {
            many_ports(it, 1);
            it.register =
                Register::List(vec![as_service([("l".to_owned(), "x".repeat(n))].into())]);
        }),
        ("user", USER_BYTES_MAX, |it, n| it.user = Some("x".repeat(n))),
        ("args", PLACEHOLDERS_MAX, |it, n| it.args = vec!["${dir}".to_owned(); n]),
        ("count", COUNT_MAX.into(), |it, n| it.count = n.try_into().unwrap()),
    ];
    for (key, most, set) in rows {
        let with = |len: usize| {
            let mut fields = fields();
            set(&mut fields, len);
            wrong(fields)
        };
        assert_eq!(with(*most), [""; 0], "{key}: {most} are allowed");
        let beyond = with(most + 1);
        assert_eq!(beyond.len(), 1, "{key}: {beyond:?}");
        assert!(beyond[0].starts_with(&format!("`{key}`: ")), "{key}: {beyond:?}");
    }
}

#[test]
fn all_texts_together_are_bounded() {
    let mut fields = fields();
    fields.args = vec!["x".repeat(TEXT_BYTES_MAX); 3];
    fields.env = [("V".to_owned(), "x".repeat(TEXT_BYTES_MAX - 1))].into();
    assert_eq!(wrong(fields.clone()), [""; 0]);
    fields.argv0 = Some("x".to_owned());
    assert_eq!(
        wrong(fields),
        ["`name`: all texts of the config have 262145 bytes, at most 262144 are allowed"]
    );
}

#[test]
fn numbers_and_durations_are_within_their_ranges() {
    type SetTime = fn(&mut Fields<Image>, Duration);
    let times: &[(&str, core::ops::RangeInclusive<Duration>, SetTime)] = &[
        ("period", PERIOD, |it, to| it.period = to),
        ("start_period", START_PERIOD, |it, to| it.start_period = to),
        ("start_timeout", START_TIMEOUT, |it, to| it.start_timeout = to),
        ("drain", DRAIN, |it, to| it.drain = to),
        ("quit_timeout", QUIT_TIMEOUT, |it, to| it.quit_timeout = to),
        ("backoff_max", BACKOFF_MAX, |it, to| it.backoff_max = to),
        ("retry_failed", RETRY_FAILED, |it, to| it.retry_failed = to),
        ("rollout.deadline", ROLLOUT_DEADLINE, |it, to| it.rollout.deadline = to),
        ("move.replace_after", REPLACE_AFTER, |it, to| {
            it.moving.replace_after = ReplaceAfter::Time(to);
        }),
        ("check[0].timeout", CHECK_TIMEOUT, |it, to| {
            it.check = vec![Check { timeout: to, ..exec(1, 0) }];
        }),
    ];
    let ms = Duration::from_millis(1);
    for (key, range, set) in times {
        let with = |to: Duration| {
            let mut fields = fields();
            set(&mut fields, to);
            wrong(fields)
        };
        assert_eq!((with(*range.start()), with(*range.end())), (vec![], vec![]), "{key}");
        let beyond = with(*range.end() + ms);
        assert!(beyond[0].starts_with(&format!("`{key}`: it is ")), "{beyond:?}");
        if let Some(below) = range.start().checked_sub(ms) {
            assert_eq!(with(below).len(), 1, "{key}");
        }
        assert_eq!(
            with(*range.start() + Duration::from_nanos(1)),
            [format!("`{key}`: it is not a whole number of milliseconds")]
        );
    }
    type SetNumber = fn(&mut Fields<Image>, u64);
    let numbers: &[(&str, u64, u64, SetNumber)] = &[
        ("count", 1, COUNT_MAX.into(), |it, to| it.count = to.try_into().unwrap()),
        ("log_max", *LOG_BYTES.start(), *LOG_BYTES.end(), |it, to| it.log_max = to),
        ("nofile", *NOFILE.start(), *NOFILE.end(), |it, to| it.nofile = to),
        ("limits.memory", *MEMORY.start(), *MEMORY.end(), |it, to| {
            it.limits = Some(Limits { memory: Some(to), ..Limits::default() });
        }),
        ("limits.pids", 1, (*PIDS.end()).into(), |it, to| {
            it.limits = Some(Limits { pids: Some(to.try_into().unwrap()), ..Limits::default() });
        }),
        ("limits.cpu", 10, (*CPU_MILLI.end()).into(), |it, to| {
            it.limits =
                Some(Limits { cpu_milli: Some(to.try_into().unwrap()), ..Limits::default() });
        }),
    ];
    for (key, least, most, set) in numbers {
        let with = |to: u64| {
            let mut fields = fields();
            set(&mut fields, to);
            wrong(fields)
        };
        assert_eq!((with(*least), with(*most)), (vec![], vec![]), "{key}");
        for beyond in [least - 1, most + 1] {
            assert!(with(beyond)[0].starts_with(&format!("`{key}`: it ")), "{key}: {beyond}");
        }
    }
}

#[test]
fn priorities_and_steps_are_within_their_ranges() {
    let with = |set: fn(&mut Fields<Image>)| {
        let mut fields = fields();
        set(&mut fields);
        wrong(fields)
    };
    let right: [fn(&mut Fields<Image>); 6] = [
        |it| it.priority = -1000,
        |it| it.priority = 1000,
        |it| it.rollout.step = Step::Nodes(1),
        |it| it.rollout.step = Step::Nodes(u16::MAX),
        |it| it.rollout.step = Step::Percent(1),
        |it| it.rollout.step = Step::Percent(100),
    ];
    assert!(right.into_iter().map(with).all(|wrong| wrong.is_empty()));
    let wrong = |set, why: &str| assert_eq!(with(set), [why]);
    wrong(|it| it.priority = -1001, "`priority`: it is -1001; it must be from -1000 to 1000");
    wrong(|it| it.priority = 1001, "`priority`: it is 1001; it must be from -1000 to 1000");
    let step = "`rollout.step`: write a number of nodes from 1 to 65535, or a share of them from \"1%\" to \"100%\"";
    wrong(|it| it.rollout.step = Step::Nodes(0), step);
    wrong(|it| it.rollout.step = Step::Percent(0), step);
    wrong(|it| it.rollout.step = Step::Percent(101), step);
}

#[test]
fn rules_between_fields_are_kept() {
    let rows: &[(&str, Break)] = &[
        ("`ports.b`: the ports a and b have the same number", |it| {
            it.ports = ports(&[("a", 80), ("b", 80)]);
        }),
        ("`ports.a`: 2 instances cannot share port 80: write \"auto\", or count = 1", |it| {
            (it.ports, it.count) = (ports(&[("a", 80)]), 2);
        }),
        (
            "`update`: an update cannot overlap while a port has a fixed number: write \"auto\" for port a",
            |it| (it.ports, it.update) = (ports(&[("a", 80)]), Some(UpdateBy::Overlap)),
        ),
        ("`args[1]`: there is no port \"x\"; `ports` has the names", |it| {
            it.args = vec![String::new(), "${port.x}".to_owned()];
        }),
        ("`env.A`: there is no port \"HTTP\"; `ports` has the names", |it| {
            it.ports = ports(&[("http", 0)]);
            it.env = [("A".to_owned(), "${port.HTTP}".to_owned())].into();
        }),
        ("`check[0].exec[1]`: there is no port \"x\"; `ports` has the names", |it| {
            let command = vec!["curl".to_owned(), "${port.x}".to_owned()];
            it.check = vec![Check::new(Probe::Exec { command })];
        }),
        ("`check[0].tcp`: there is no port \"x\"; `ports` has the names", |it| {
            it.check = vec![Check::new(Probe::Tcp { port: "x".parse().unwrap() })];
        }),
        ("`check[0].port`: there is no port \"x\"; `ports` has the names", |it| {
            let (path, port) = ("/".to_owned(), "x".parse().unwrap());
            it.check = vec![Check::new(Probe::Http { path, port })];
        }),
        ("`register[1].service`: a/v1 is registered twice", |it| {
            it.ports = ports(&[("p0", 0)]);
            it.register = Register::List(vec![as_service(BTreeMap::new()); 2]);
        }),
        ("`env.CRUX_X`: the node sets CRUX_* and PORT itself", |it| {
            it.env = [("CRUX_X".to_owned(), String::new())].into();
        }),
        ("`env.PORT`: the node sets CRUX_* and PORT itself", |it| {
            it.env = [("PORT".to_owned(), String::new())].into();
        }),
        ("`env.A`: it has a NUL character, which no program can be given", |it| {
            it.env = [("A".to_owned(), "\0".to_owned())].into();
        }),
        ("`args[0]`: it has a NUL character, which no program can be given", |it| {
            it.args = vec!["a\0".to_owned()];
        }),
        ("`argv0`: it is empty", |it| it.argv0 = Some(String::new())),
        ("`image`: it is empty", |it| it.image = Image::PerMachine(BTreeMap::new())),
        ("`check[0].exec`: it is empty", |it| {
            it.check = vec![Check::new(Probe::Exec { command: Vec::new() })];
        }),
    ];
    for (expected, set) in rows {
        let mut fields = fields();
        set(&mut fields);
        assert_eq!(wrong(fields), [*expected]);
    }
}

#[test]
fn forms_of_texts_are_checked() {
    let user = |user: &str| {
        let mut fields = fields();
        fields.user = Some(user.to_owned());
        wrong(fields).len()
    };
    assert_eq!(["root", "www-data", "_apt", "a.b", "0", "4294967295"].map(user), [0; 6]);
    assert_eq!(["", "4294967296", "1a", "-a", "a b", "a:b", "ä"].map(user), [1; 7]);
    let variable = |name: &str| {
        let mut fields = fields();
        fields.env = [(name.to_owned(), String::new())].into();
        wrong(fields).len()
    };
    assert_eq!(["A", "_a", "PORT_", "CRUX", &"x".repeat(255)].map(variable), [0; 5]);
    assert_eq!(["", "1A", "A-B", "A=B", "A.B", "Ä", "A\0", &"x".repeat(256)].map(variable), [1; 8]);
    let path = |path: &str| {
        let mut fields = fields();
        (fields.ports, fields.check) = (ports(&[("p", 0)]), Vec::new());
        let (path, port) = (path.to_owned(), "p".parse().unwrap());
        fields.check.push(Check::new(Probe::Http { path, port }));
        wrong(fields).len()
    };
    assert_eq!(["/", "/a?b=c%20d#e"].map(path), [0; 2]);
    assert_eq!(["", "a", "/a b", "/a\r\nHost: x", "/ä"].map(path), [1; 5]);
    let exec = |program: &str| {
        let mut fields = fields();
        fields.check = vec![Check::new(Probe::Exec { command: vec![program.to_owned()] })];
        wrong(fields).len()
    };
    assert_eq!(["/bin/x", "curl"].map(exec), [0; 2]);
    assert_eq!(["", "./x", "a/b"].map(exec), [1; 3]);
}

#[test]
fn errors_are_bounded() {
    let mut fields = fields();
    fields.args = vec!["\0".to_owned(); 100];
    assert_eq!(wrong(fields).len(), 16);
}

#[test]
fn names_of_ports() {
    for good in ["a", "HTTP_2", &"x".repeat(PortName::MAX)] {
        assert!(good.parse::<PortName>().is_ok(), "{good}");
    }
    for bad in ["", "1a", "_a", "a-b", "a.b", "ä", &"x".repeat(PortName::MAX + 1)] {
        assert!(bad.parse::<PortName>().is_err(), "{bad}");
    }
    assert_eq!("http_2".parse::<PortName>().unwrap().variable(), "CRUX_PORT_HTTP_2");
    let mut ports = ports(&[("http", 0)]);
    assert!(ports.push("Http".parse().unwrap(), Port::Auto).is_err());
    assert_eq!(ports.len(), 1);
}
