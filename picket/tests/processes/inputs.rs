//! Programs, checks and machines that do what they should not: each is a named error, nothing is half done, and nothing
//! is left.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crux_client::Kind;
use crux_client::model::InstanceState;
use crux_client::op::{InspectService, RemoveService, StopService};
use crux_crdt::name::ServiceName;
use crux_picket::tree::Process;
use rustix::process::Signal;

use crate::Test;
use crate::picket::{Picket, is_another, is_up, process, until};
use crate::world::{SOON, soon, with_command};

pub(crate) const TESTS: &[Test] = &[
    ("inputs::a_check_that_hangs", a_check_that_hangs),
    ("inputs::a_check_that_prints", a_check_that_prints),
    ("inputs::a_check_that_forks", a_check_that_forks),
    ("inputs::a_check_that_the_node_cannot_make", a_check_that_the_node_cannot_make),
    ("inputs::output_without_newline_and_without_end", output_without_newline_and_without_end),
    ("inputs::a_second_picket", a_second_picket),
    ("inputs::a_full_disk", a_full_disk),
    ("inputs::a_taken_port", a_taken_port),
    ("inputs::images_that_cannot_run_here", images_that_cannot_run_here),
    ("inputs::a_fork_bomb_and_daemons_are_stopped", a_fork_bomb_and_daemons_are_stopped),
    ("inputs::a_fulcrum_that_cannot_start_again", a_fulcrum_that_cannot_start_again),
    ("inputs::users", users),
];

const SLEEPER: &str = "exec sleep 1000";

fn mark(base: u32) -> String {
    format!("{base}{}", std::process::id())
}

fn name(name: &str) -> ServiceName {
    name.parse().unwrap()
}

fn remove(picket: &Picket, service: &str) {
    picket
        .ask(&RemoveService { service: name(service), until: until(crux_client::op::Goal::Up) })
        .unwrap();
}

/// The error of a service with this check, which it never passes.
fn unhealthy(picket: &Picket, check: &str) -> String {
    let more = format!(r#", "check": [{check}], "start_timeout": "1500ms""#);
    let error = picket.add("web", SLEEPER, &more).unwrap_err();
    assert_eq!(error.kind(), Kind::Unhealthy, "{error}");
    remove(picket, "web");
    error.to_string()
}

fn a_check_that_hangs() {
    let mut picket = Picket::new();
    let mark = mark(85);
    let check =
        format!(r#"{{"exec": ["sh", "-c", "trap '' TERM; sleep {mark}"], "timeout": "200ms"}}"#);
    let text = unhealthy(&picket, &check);
    assert!(text.contains("no answer within 200ms"), "{text}");
    soon("nothing of a check is left", || with_command(&mark).is_empty());
    // A server that accepts and says nothing.
    let server = "exec python3 -c 'import os, socket, time\ns = socket.socket()\n\
                  s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
                  s.bind((\"\", int(os.environ[\"PORT\"]))); s.listen(); time.sleep(1000)'";
    let more = r#", "ports": {"http": "auto"}, "start_timeout": "1500ms", "check": [{"http": "/", "port": "http", "timeout": "200ms"}]"#;
    let error = picket.add("web", server, more).unwrap_err();
    assert_eq!(error.kind(), Kind::Unhealthy, "{error}");
    assert!(error.to_string().contains("no answer within 200ms"), "{error}");
    picket.stop();
}

fn a_check_that_prints() {
    let mut picket = Picket::new();
    // A gigabyte, and it would pass.
    let text = unhealthy(&picket, r#"{"exec": ["sh", "-c", "yes | head -c 1000000000"]}"#);
    assert!(text.contains("it printed more than 1048576 bytes"), "{text}");
    // More than a pipe holds is nothing.
    let check = r#", "check": [{"exec": ["sh", "-c", "yes | head -c 300000; echo well"]}]"#;
    picket.add("web", SLEEPER, check).unwrap();
    assert!(is_up(&picket));
    picket.stop();
}

fn a_check_that_forks() {
    let mut picket = Picket::new();
    let mark = mark(86);
    let check = format!(
        r#", "check": [{{"exec": ["sh", "-c", "for i in 1 2 3; do setsid sleep {mark} & done; exit 0"]}}]"#
    );
    picket.add("web", SLEEPER, &check).unwrap();
    soon("nothing of a check is left", || with_command(&mark).is_empty());
    assert!(is_up(&picket));
    // Nothing of it was written either.
    assert_eq!(fs::read_dir(picket.path("picket/i")).unwrap().count(), 1);
    picket.stop();
}

/// A check that the node cannot make is no failure of the program.
fn a_check_that_the_node_cannot_make() {
    let mut picket = Picket::not_started();
    // So few descriptors that the picket soon has none.
    let mut limited = Command::new("sh");
    let (exe, dir) = (std::env::current_exe().unwrap(), picket.path(""));
    let script = format!("exec {} run {}", exe.display(), dir.display());
    picket.child = Some(limited.args(["-c", &script]).stdin(Stdio::null()).spawn().unwrap());
    picket.until("it answers", Picket::answers);
    let more = r#", "period": "1s", "check": [{"exec": ["true"]}]"#;
    picket.add("web", SLEEPER, more).unwrap();
    let first = process(&picket.row());
    let pid = picket.process().pid.to_string();
    let limit = |most: &str| {
        let limited =
            Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={most}:")]).status();
        limited.is_ok_and(|status| status.success())
    };
    if !limit("12") {
        println!("there is no prlimit here");
        return picket.stop();
    }
    // Four periods: three failures would have ended it.
    std::thread::sleep(Duration::from_secs(4));
    assert!(limit("1024"));
    let row = picket.row();
    assert_eq!((process(&row), row.state), (first, InstanceState::Up));
    picket.stop();
}

fn log_bytes(picket: &Picket, service: &str) -> u64 {
    let files = fs::read_dir(picket.path("logs").join(service)).unwrap().flatten();
    // Some are renamed meanwhile.
    files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum()
}

fn output_without_newline_and_without_end() {
    let mut picket = Picket::new();
    picket
        .add("long", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end; exec sleep 1000", "")
        .unwrap();
    picket.add("endless", "exec yes", r#", "log_max": "1MiB""#).unwrap();
    picket.until("all of the long line is kept", |picket| {
        let current = fs::read(picket.path("logs/long/current")).unwrap_or_default();
        current.ends_with(b" o end\n")
    });
    let current = fs::read(picket.path("logs/long/current")).unwrap();
    let text = |line: &[u8]| line.splitn(4, |b| *b == b' ').nth(3).map_or(0, <[u8]>::len);
    let texts: usize = current.split(|b| *b == b'\n').map(text).sum();
    assert_eq!(texts, 3_000_000 + "end".len());
    assert!(current.split(|b| *b == b'\n').all(|line| line.len() < 17_000));
    // It runs at full speed, is kept in its bound, and the node answers.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert!(log_bytes(&picket, "endless") <= 1 << 20);
        let asked = Instant::now();
        assert!(is_up(&picket));
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
    picket.stop();
}

/// The node locks its directory; were it not for that, the first one would still keep everything.
fn a_second_picket() {
    let mut picket = Picket::new();
    picket.add("web", SLEEPER, "").unwrap();
    let first = process(&picket.row());
    let mut second = picket.command().stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while second.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < SOON, "it runs on");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut said = String::new();
    std::io::Read::read_to_string(&mut second.stderr.take().unwrap(), &mut said).unwrap();
    assert!(said.contains("DataDirInUse"), "{said}");
    assert_eq!(process(&picket.row()), first);
    first.signal(Signal::KILL);
    picket.until("the first one still keeps it running", |picket| is_another(picket, first));
    picket.stop();
}

/// A small disk of its own, where that can be had.
fn a_full_disk() {
    let mut picket = Picket::not_started();
    let dir = picket.path("picket");
    fs::create_dir(&dir).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&dir).status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("nothing can be mounted here");
        return;
    }
    let result =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| on_a_full_disk(&mut picket)));
    picket.child.as_mut().map(|child| child.kill().and_then(|()| child.wait()));
    soon("it is unmounted", || Command::new("umount").arg(&dir).status().unwrap().success());
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn on_a_full_disk(picket: &mut Picket) {
    picket.start();
    let more = r#", "period": "1s", "check": [{"exec": ["true"]}]"#;
    picket.add("web", SLEEPER, more).unwrap();
    let first = process(&picket.row());
    let fill = picket.path("picket/fill");
    let full = || {
        use std::io::Write as _;
        let mut file = fs::File::create(&fill).unwrap();
        while file.write_all(&[1; 512]).is_ok() {}
    };
    full();
    // A change is refused, and changes nothing.
    let error = picket.add("api", SLEEPER, "").unwrap_err();
    assert_eq!(error.kind(), Kind::DiskFull, "{error}");
    assert_eq!(picket.rows().len(), 1);
    // Checks need no disk.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(process(&picket.row()), first);
    // A start does: it waits for room, and does not count as the program's failure.
    first.signal(Signal::KILL);
    picket.until("it says why it does not start", |picket| {
        let row = picket.row();
        row.pid.is_none() && row.reason.is_some_and(|reason| reason.contains("No space left"))
    });
    fs::remove_file(&fill).unwrap();
    picket.until("it is up again", |picket| is_another(picket, first));
    picket.add("api", SLEEPER, "").unwrap();
    picket.stop();
}

fn a_taken_port() {
    let mut picket = Picket::new();
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error =
        picket.add("web", SLEEPER, &format!(r#", "ports": {{"http": {port}}}"#)).unwrap_err();
    let text = format!("port {port} (http) is taken by another program of this machine");
    assert!(error.to_string().contains(&text), "{error}");
    assert_eq!(error.kind(), Kind::StartFailed);
    assert!(picket.row().pid.is_none());
    drop(taken);
    picket.until("it starts when the port is free", |picket| {
        picket.row().pid.is_some() && picket.row().ports.get("http") == Some(&port)
    });
    picket.stop();
}

fn images_that_cannot_run_here() {
    let mut picket = Picket::new();
    let mut other = crate::images::tiny();
    other[18] = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    let images: [(&[u8], &str); 4] = [
        (&other, "machine"),
        (b"#!/no/such/interpreter\n", "/no/such/interpreter"),
        (b"\x89PNG", "program"),
        (b"", "program"),
    ];
    for (at, (bytes, cause)) in images.iter().enumerate() {
        let image = format!("{at:064x}");
        fs::write(picket.path("blobs").join(&image), bytes).unwrap();
        let config = format!(r#"{{"name": "web", "image": "{image}"}}"#);
        let config = serde_json::from_str(&config).unwrap();
        let add = crux_client::op::AddService { config, until: until(crux_client::op::Goal::Up) };
        let error = picket.ask(&add).unwrap_err();
        assert_eq!(error.kind(), Kind::ImageUnusable, "{error}");
        assert!(error.to_string().contains(cause), "{cause}: {error}");
        remove(&picket, "web");
    }
    picket.stop();
}

fn a_fork_bomb_and_daemons_are_stopped() {
    let mut picket = Picket::new();
    let mark = mark(87);
    let args = format!(r#", "args": ["{mark}"], "quit_timeout": "200ms""#);
    // Twice a second session, from an orphan; and a bomb that the limit of processes holds at a few hundred.
    let script = format!(
        "(setsid sh -c '(setsid sleep {mark} &) ; sleep {mark}' &)\n\
         ulimit -u 300 2>/dev/null || ulimit -p 300\n\
         bomb() {{ bomb & bomb & while :; do sleep 1 & wait; done; }}\n\
         bomb 2>/dev/null & while :; do sleep 1; done"
    );
    picket.add("web", &script, &args).unwrap();
    soon("it spreads", || with_command(&mark).len() > 40);
    let begun = Instant::now();
    let stop = StopService { service: name("web"), until: until(crux_client::op::Goal::Up) };
    picket.ask(&stop).unwrap();
    println!("{:?}", begun.elapsed());
    assert_eq!(with_command(&mark), [0; 0]);
    let inspected = picket.ask(&InspectService { service: name("web") }).unwrap();
    assert!(inspected.instances.iter().all(|row| row.state == InstanceState::Stopped));
    picket.stop();
}

/// A full disk, or a port that somebody took, while the node is started again: services run on, and so does `run`.
fn a_fulcrum_that_cannot_start_again() {
    let mut picket = Picket::new();
    picket.add("web", SLEEPER, "").unwrap();
    let first = process(&picket.row());
    for kind in ["disk_full", "port_in_use"] {
        let fulcrum = || {
            with_command(&format!(
                "fulcrum {}",
                picket.path("").display().to_string().trim_end_matches('/')
            ))
        };
        let before = fulcrum();
        assert_eq!(before.len(), 1, "{before:?}");
        picket.end_fulcrum(kind);
        soon("another fulcrum runs", || {
            let now = fulcrum();
            now.len() == 1 && now != before
        });
    }
    assert_eq!(process(&picket.row()), first);
    // An eviction is final: the services are stopped in order, and `run` ends.
    picket.end_fulcrum("refused");
    let status = picket.child.take().unwrap().wait().unwrap();
    assert_eq!(status.code(), Some(5));
    assert!(!Process::is_alive(first));
}

/// As root a service is nobody unless its config says otherwise; without root it is the node's user and cannot be another.
fn users() {
    let mut picket = Picket::new();
    let script = "id -u >user; exec sleep 1000";
    let user_of = |picket: &Picket| {
        let file = picket.path("services/web/1/user");
        soon("it says who it is", || {
            fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n'))
        });
        let user: u32 = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        remove(picket, "web");
        fs::remove_file(&file).unwrap();
        user
    };
    let node = rustix::process::geteuid();
    picket.add("web", script, "").unwrap();
    let first = user_of(&picket);
    assert_eq!(first, if node.is_root() { 65534 } else { node.as_raw() });
    let unknown = picket.add("web", script, r#", "user": "no-such-user""#).unwrap_err();
    assert_eq!(unknown.kind(), Kind::NotPermitted, "{unknown}");
    let root = picket.add("web", script, r#", "user": "root""#);
    if node.is_root() {
        root.unwrap();
        assert_eq!(user_of(&picket), 0);
    } else {
        assert_eq!(root.unwrap_err().kind(), Kind::NotPermitted);
    }
    assert_eq!(picket.rows(), []);
    picket.stop();
}
