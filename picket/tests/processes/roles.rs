//! The roles of this program when a test executes it as something else.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crux_client::{Error, Kind};
use crux_picket::handle::Keeper;

use crate::world::World;

/// A program that is supervised.
pub(crate) fn plugin(how: &[&str]) -> ExitCode {
    match *how {
        ["show"] => show(),
        ["hop", left, until] => hop(left, until),
        _ => panic!("{how:?}"),
    }
    ExitCode::SUCCESS
}

/// Prints what it has.
fn show() {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let mut fds: Vec<String> = fds.map(|entry| entry.file_name().into_string().unwrap()).collect();
    fds.sort();
    // One of them lists the others.
    println!("fds {}", fds.join(" "));
    let mut env: Vec<String> =
        std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    env.sort();
    println!("env {}", env.join(" "));
    println!("args {}", std::env::args().collect::<Vec<_>>().join(" "));
}

/// Starts itself and ends, so that nobody ever sees the same process twice. It stops by itself after so
/// many times, or when a file is gone.
fn hop(left: &str, until: &str) {
    let left: u32 = left.parse().unwrap();
    if left > 0 && Path::new(until).exists() {
        let mut next = Command::new("/proc/self/exe");
        next.args(["plugin", "hop", &(left - 1).to_string(), until]).stdin(Stdio::null());
        let _ = next.spawn();
    }
}

/// A picket of its own process, which a test kills: `picket DIR ORPHAN_MS SCRIPT`. It starts one
/// instance named `one`, prints the program's id, and reads none of its output.
pub(crate) fn picket(how: &[&str]) -> ExitCode {
    let [dir, orphan_ms, script] = *how else { panic!("{how:?}") };
    let world = World::at(Path::new(dir));
    let image = world.script(script);
    let mut order = world.order("one", &image, world.spec(&[]));
    order.orphan_time = Duration::from_millis(orphan_ms.parse().unwrap());
    order.grace = Duration::from_millis(300);
    let mut keeper = Keeper::start(order).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        match keeper.receive().unwrap() {
            Some(crux_picket::handle::Message::Started { program, .. }) => {
                println!("{}", program.pid);
            }
            Some(crux_picket::handle::Message::Gone { .. }) => return ExitCode::FAILURE,
            Some(_) | None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    ExitCode::FAILURE
}

/// A whole picket on a data directory, with [`fulcrum`] in place of the node: `run DIR`.
pub(crate) fn run(how: &[&str]) -> ExitCode {
    let [dir] = *how else { panic!("{how:?}") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let mut term =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        let start = Fake(dir.to_owned());
        let stop_timeout = Duration::from_secs(8);
        let config = crux_picket::Config { start, data_dir: dir.into(), stop_timeout };
        let (_tell, reload) = tokio::sync::mpsc::channel(1);
        let stop = async {
            term.recv().await;
        };
        crux_picket::run(config, stop, reload).await
    });
    ExitCode::from(ended.unwrap())
}

struct Fake(String);

impl crux_picket::fulcrum::Start for Fake {
    fn command(&self) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.args(["fulcrum", &self.0]);
        command
    }

    fn settings(&self, _: bool) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// The node's part: answers every request, has each file of `blobs` as a blob of that name, and writes what is
/// registered to `registered`, one line for each change: `fulcrum DIR`. While there is a file `refuse`, it says that the
/// node is refused and ends with 5: at the start, or when a registration is withdrawn. Names in `full` are not
/// registered, and while there is a file `slow`, no registration is answered. A message in the file `goals` is handed to the
/// picket, its answer is written to `goals.done`, and each list of what a target placed is a line in `owned`.
pub(crate) fn fulcrum(how: &[&str]) -> ExitCode {
    use std::os::fd::AsFd as _;

    use crux_picket::link::{self, FromFulcrum, FromPicket, Link, Ready, VERSION};

    let [dir] = *how else { panic!("{how:?}") };
    if Path::new(dir).join("no-fulcrum").exists() {
        return ExitCode::FAILURE;
    }
    let stream = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let stream = std::os::unix::net::UnixStream::from(stream);
    let hello = link::receive(&stream).unwrap();
    crux_picket::fulcrum::die_with_picket(hello.picket).unwrap();
    let word = stream.try_clone().unwrap();
    let is_refused = || Path::new(dir).join("refuse").exists();
    let refused = || {
        link::last_words(&word, &Error::new(Kind::Refused, "this node left its flock"));
        ExitCode::from(5)
    };
    if is_refused() {
        return refused();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut link: Link<FromPicket, FromFulcrum> = Link::new(stream).unwrap();
        link.send(&FromFulcrum::Hello { version: VERSION, pid: std::process::id() }).unwrap();
        let ready = Ready {
            principal: crux_crdt::Principal([1; 32]),
            node: "n1".parse().unwrap(),
            flock: "lab".parse().unwrap(),
            addresses: vec!["127.0.0.1:7117".parse().unwrap()],
        };
        link.send(&FromFulcrum::Ready(ready)).unwrap();
        let log = |line: String| append(&Path::new(dir).join("registered"), &line);
        let is_full = |key: &crux_crdt::record::ServiceKey| {
            let full = std::fs::read_to_string(Path::new(dir).join("full")).unwrap_or_default();
            full.lines().any(|name| name == key.service.as_str())
        };
        loop {
            if let Some(goals) = take_file(&Path::new(dir).join("goals")) {
                link.send(&serde_json::from_str(&goals).unwrap()).unwrap();
            }
            let every = Duration::from_millis(20);
            let Ok(message) = tokio::time::timeout(every, link.next()).await else {
                // How a test ends the node, with which kind of error.
                let Ok(kind) = std::fs::read_to_string(Path::new(dir).join("end")) else {
                    continue;
                };
                std::fs::remove_file(Path::new(dir).join("end")).unwrap();
                link::last_words(&word, &Error::new(Kind::from_name(&kind).unwrap(), "so it is"));
                return ExitCode::from(5);
            };
            let Ok(message) = message else { break };
            let answer = match message {
                FromPicket::Register { seq, key, .. } if is_full(&key) => {
                    let error = Error::new(Kind::LimitReached, "too many registrations");
                    FromFulcrum::Done { seq, outcome: Err((&error).into()) }
                }
                FromPicket::Withdraw { .. } if is_refused() => return refused(),
                FromPicket::Register { seq, key, endpoint, .. } => {
                    while Path::new(dir).join("slow").exists() {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    log(format!("+ {} {endpoint}", key.service));
                    FromFulcrum::Done { seq, outcome: Ok(()) }
                }
                FromPicket::Withdraw { seq, key } => {
                    log(format!("- {}", key.service));
                    FromFulcrum::Done { seq, outcome: Ok(()) }
                }
                FromPicket::Image { seq, blob } => {
                    let path = Path::new(dir).join("blobs").join(blob.to_string());
                    match crux_picket::image::source_of(&path) {
                        Ok(source) => {
                            let root = crux_crdt::blob::Root(source.root);
                            let descriptor =
                                crux_crdt::blob::Descriptor { blob, root, size: source.size };
                            FromFulcrum::ImageReady { seq, descriptor, path: path.into() }
                        }
                        Err(err) => {
                            let error = Error::io("fetching a blob", &err);
                            FromFulcrum::ImageFailed { seq, failure: (&error).into() }
                        }
                    }
                }
                owned @ FromPicket::Owned { .. } => {
                    append(&Path::new(dir).join("owned"), &serde_json::to_string(&owned).unwrap());
                    continue;
                }
                done @ FromPicket::Done { .. } => {
                    append(
                        &Path::new(dir).join("goals.done"),
                        &serde_json::to_string(&done).unwrap(),
                    );
                    continue;
                }
                FromPicket::Stop => return ExitCode::from(3),
                _ => continue,
            };
            link.send(&answer).unwrap();
        }
        ExitCode::FAILURE
    })
}

/// Adds a line to a file.
fn append(path: &Path, line: &str) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// The content of a file, which is gone then.
fn take_file(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    std::fs::remove_file(path).unwrap();
    Some(text)
}
