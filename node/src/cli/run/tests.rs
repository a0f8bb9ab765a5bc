//! A panic in each part of a node: it ends with 1, and the part's name is in the last line.
//!
//! The node is a process of its own: this test program, executed with one ignored test, [`the_node`]. So the
//! panic is compiled into tests only.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crux_client::Client;
use crux_client::op::Doctor;
use crux_picket::link::{self, FromPicket, Hello};
use rustix::process::{Pid, Signal, kill_process};

use super::handed;
use crate::cli::{Ui, run_with};
use crate::config::Env;
use crate::error::{Exit, Kind};
use crate::parts::{Part, plant};
use crate::secret::FlockKeys;

/// How long anything may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);
/// The part that panics. Not `CRUX_…`, which would be a setting.
const PART: &str = "PLANTED_PART";
/// The file that lights the fuse.
const LIT: &str = "PLANTED_LIT";
/// The arguments of the node, one a line.
const ARGS: &str = "PLANTED_ARGS";

/// Not a test: the node of the test below.
#[test]
#[ignore = "a process that another test starts"]
fn the_node() {
    let Ok(name) = std::env::var(PART) else { return };
    let part = Part::ALL.iter().find(|part| part.name() == name).unwrap();
    let fuse = plant(*part);
    let lit = std::env::var_os(LIT).unwrap();
    std::thread::spawn(move || {
        while !Path::new(&lit).exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        fuse.light();
        std::fs::remove_file(lit).unwrap();
    });
    let args = std::env::var(ARGS).unwrap();
    let args = args.lines().map(Into::into);
    std::process::exit(run_with(args, Ui::of_process()).code().into());
}

fn run_command(args: &[&str]) -> Exit {
    let args: Vec<_> = ["crux-node"].iter().chain(args).map(Into::into).collect();
    let [out, err] = std::array::from_fn(|_| Box::new(std::io::sink()));
    run_with(args, Ui::new(out, err, Env::of(&[])))
}

/// A node in a directory of its own, with a panic planted.
struct Node {
    dir: tempfile::TempDir,
    child: Child,
    /// The picket's end of the link, where this test is one.
    _picket: Option<UnixStream>,
}

impl Node {
    fn start(part: Part, json: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let secret = path("secret");
        let made = run_command(&["keygen", "--flock", "lab", "--no-operator", "--out", &secret]);
        assert_eq!(made, Exit::Done);
        let data_dir = path("d");
        let has_picket = matches!(part, Part::Picket | Part::Proctor);
        // An address elsewhere: on a loopback device nobody is looked for.
        let mut args = vec!["crux-node"];
        args.extend(has_picket.then_some(["fulcrum", "--"]).into_iter().flatten());
        args.extend(["run", "--listen", "127.0.0.1:0", "--stop-with-stdin"]);
        // The panic is in this program alone.
        args.extend(["--services", "off"]);
        args.extend(["--advertise", "192.0.2.1:7000", "--secret-file", &secret]);
        args.extend(["--data-dir", &data_dir]);
        args.extend(json.then_some("--json"));
        let log = std::fs::File::create(path("log")).unwrap();
        let (mine, theirs) = has_picket.then(|| UnixStream::pair().unwrap()).unzip();
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CRUX_")) {
            command.env_remove(name);
        }
        let child = command
            .args(["--exact", "cli::run::tests::the_node", "--ignored", "--nocapture"])
            .env(PART, part.name())
            .env(LIT, path("lit"))
            .env(ARGS, args.join("\n"))
            .stdin(theirs.map_or(Stdio::piped(), |end| OwnedFd::from(end).into()))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        if let Some(mine) = &mine {
            greet(mine, Path::new(&secret), Path::new(&data_dir));
        }
        Self { dir, child, _picket: mine }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    async fn client(&mut self) -> Client {
        let begun = Instant::now();
        loop {
            if let Ok(client) = Client::connect(&self.dir.path().join("d"), LIMIT).await {
                return client;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < LIMIT, "{ended:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Has the part do something, where it panics only then. Any answer is ignored: the node may end before.
    async fn provoke(&mut self, part: Part, client: &Client) {
        match part {
            Part::Log => {
                kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
            }
            Part::Stdin => drop(self.child.stdin.take()),
            Part::Database => {
                let data_dir = self.dir.path().join("d").display().to_string();
                let register = move || {
                    let args = ["register", "web", "r1", "127.0.0.1:9000", "--data-dir", &data_dir];
                    run_command(&args);
                };
                // A thread of its own: commands have their own runtime.
                std::thread::spawn(register).join().unwrap();
            }
            Part::BlobIntake => put(client, 1).await,
            // A segment of the journal has 16 MiB.
            Part::BlobFlush => put(client, 300).await,
            _ => {}
        }
    }

    fn end(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < LIMIT, "it goes on\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Says hello to a fulcrum, as its picket does. It has made the directory by then.
fn greet(mut fulcrum: &UnixStream, secret: &Path, data_dir: &Path) {
    std::fs::create_dir(data_dir).unwrap();
    let keys = FlockKeys::read(secret).unwrap();
    let hello = FromPicket::Hello(Hello {
        version: link::VERSION,
        picket: std::process::id(),
        settings: handed::write(None, &keys, false),
    });
    let body = serde_json::to_vec(&hello).unwrap();
    fulcrum.write_all(&u32::try_from(body.len()).unwrap().to_be_bytes()).unwrap();
    fulcrum.write_all(&body).unwrap();
}

/// Puts as many different blobs of 60 KiB.
async fn put(client: &Client, count: u32) {
    for n in 0..count {
        let mut bytes = vec![0; 60 * 1024];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        let chunks = [Some(Bytes::from(bytes)), None];
        if client.put_blob(0, tokio_stream::iter(chunks)).await.is_err() {
            return;
        }
    }
}

async fn a_panic_in(part: Part, json: bool) {
    let mut node = Node::start(part, json);
    let client = node.client().await;
    let checks = client.call(&Doctor).await.unwrap();
    let shown = checks.iter().find(|check| check.name == "parts").unwrap();
    let runs = |part: &Part| format!("{},", shown.detail).contains(&format!(" {part},"));
    if part == Part::Discovery && !runs(&part) {
        println!("left out: this machine has no multicast");
        return;
    }
    assert!(runs(&part), "{part}: {shown:?}");
    let lit = node.dir.path().join("lit");
    std::fs::write(&lit, "").unwrap();
    while lit.exists() && node.child.try_wait().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    node.provoke(part, &client).await;
    let code = node.end();
    let log = node.log();
    assert_eq!(code, Some(Exit::Failed.code().into()), "{part}\n{log}");
    let last = log.lines().last().unwrap();
    assert!(last.contains(part.name()), "{part}: {last}\n{log}");
    assert!(log.contains(&format!("the part {part} of the node panicked: planted")), "{log}");
    if json {
        let last: serde_json::Value = serde_json::from_str(last).unwrap();
        assert_eq!(last["kind"], Kind::PartFailed.as_str(), "{last}");
    }
}

#[test]
fn a_panic_in_any_part_stops_the_node_with_its_name() {
    std::thread::scope(|scope| {
        for (n, part) in Part::ALL.iter().enumerate() {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(a_panic_in(*part, n % 2 == 0));
            });
        }
    });
}
