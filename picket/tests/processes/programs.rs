//! The surroundings of a program, and its end.

use std::fs;
use std::os::fd::AsFd as _;

use crux_picket::handle::{Ended, Keeper, Message, Polled};
use crux_picket::user::User;
use rustix::process::Signal;

use crate::Test;
use crate::world::{World, own_program, soon};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_script_has_what_was_written_and_nothing_else",
        a_script_has_what_was_written_and_nothing_else,
    ),
    ("a_program_has_three_descriptors", a_program_has_three_descriptors),
    ("exits_and_signals_are_told", exits_and_signals_are_told),
    ("both_streams_arrive_whole", both_streams_arrive_whole),
    ("a_runtime_waits_for_a_keeper", a_runtime_waits_for_a_keeper),
    ("a_term_is_never_lost", a_term_is_never_lost),
    ("a_start_that_fails_says_why", a_start_that_fails_says_why),
    ("another_user_keeps_the_death_signal", another_user_keeps_the_death_signal),
    ("a_keeper_is_small_and_private", a_keeper_is_small_and_private),
    ("a_right_of_the_node_is_not_passed_on", a_right_of_the_node_is_not_passed_on),
];

const LIMITS: &str = r#"
echo "args $*"; echo "name $(tr '\0' ' ' </proc/$$/cmdline)"
echo "env $(env | sort | tr '\n' ' ')"
echo "stdin $(cat | wc -c)"
echo "umask $(umask) core $(ulimit -Hc) nofile $(ulimit -Sn) $(ulimit -Hn)"
echo "oom $(cat /proc/self/oom_score_adj)"
echo "pwd $(pwd)"
grep -E '^(NoNewPrivs|SigIgn|SigBlk)' /proc/self/status
ls /proc/$$/fd >$D/fds
echo "fds $(tr '\n' ' ' <$D/fds)"
echo "session $(cut -d' ' -f6 /proc/$$/stat) pid $$"
echo done
exec sleep 1000
"#;

fn a_script_has_what_was_written_and_nothing_else() {
    // These must not get through: a descriptor that was inherited open, and the environment.
    let leak = rustix::io::dup(fs::File::open("/dev/null").unwrap().as_fd()).unwrap();
    let world = World::new();
    let leak_after = rustix::io::dup(&leak).unwrap();
    let own: i32 = fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap();
    let image = world.script(LIMITS);
    let mut running = world.start("one", &image, world.spec(&["a b", "$x"]));
    let program = running.started();
    running.prints("done\n");
    let has = |line: &str| assert!(running.out.contains(line), "no {line:?} in {}", running.out);
    has("args a b $x\n");
    has("name /bin/sh /dev/fd/100 a b $x");
    let dir = world.dir.display();
    let env = running.out.lines().find(|line| line.starts_with("env ")).unwrap();
    // A shell adds these itself.
    let shells = |word: &&str| {
        !["PWD", "_", "SHLVL", "OLDPWD"].iter().any(|s| word.starts_with(&format!("{s}=")))
    };
    let env: Vec<&str> =
        env.split(' ').skip(1).filter(|word| !word.is_empty()).filter(shells).collect();
    assert_eq!(env, [&*format!("D={dir}"), "PATH=/usr/bin:/bin"]);
    has("stdin 0\n");
    has("umask 0077 core 0 nofile 1024 1024\n");
    has(&format!("oom {}\n", (own + 300).min(1000)));
    has(&format!("pwd {dir}\n"));
    has("NoNewPrivs:\t1\n");
    // 32 and 33 are those of the system's library, which ignores them in every child that it starts.
    let ignored = running.out.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & !0x1_8000_0000, 0, "{ignored}");
    has("SigBlk:\t0000000000000000\n");
    has(&format!("session {0} pid {0}\n", program.pid));
    // The shell opens its script once more and saves its output: in dash as 10 and 11, in bash as 255.
    let fds = running.out.lines().find(|line| line.starts_with("fds ")).unwrap();
    let known = ["0", "1", "2", "100", "10", "11", "255"];
    assert!(fds.split_whitespace().skip(1).all(|fd| known.contains(&fd)), "{fds}");
    assert_eq!(running.err, "");
    running.kill();
    drop(leak_after);
}

fn a_program_has_three_descriptors() {
    let world = World::new();
    let mut running = world.start("one", &own_program(), world.spec(&["plugin", "show"]));
    assert_eq!(running.exited().ended, Ended::Code(0));
    running.prints("args web plugin show\n");
    // The fourth is the directory that is listed.
    assert!(running.out.contains("fds 0 1 2 3\n"), "{}", running.out);
    let env = format!("env D={} PATH=/usr/bin:/bin\n", world.dir.display());
    assert!(running.out.contains(&env), "{}", running.out);
    running.kill();
}

fn exits_and_signals_are_told() {
    let world = World::new();
    let cases = [
        ("exit 0", Ended::Code(0)),
        ("exit 7", Ended::Code(7)),
        ("kill -TERM $$", Ended::Signal(15)),
        ("kill -KILL $$", Ended::Signal(9)),
        // The system's library for processes names no such signal.
        ("kill -40 $$", Ended::Signal(40)),
    ];
    for (script, ended) in cases {
        let image = world.script(script);
        let mut running = world.start("one", &image, world.spec(&[]));
        let exit = running.exited();
        assert_eq!((exit.ended, exit.oom), (ended, false), "{script}");
        // The start is told before the exit, however quickly it ends.
        assert!(matches!(running.seen[0], Message::Started { .. }), "{:?}", running.seen);
        assert_eq!(running.kill(), 0, "{script}");
    }
}

fn both_streams_arrive_whole() {
    let world = World::new();
    let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo oops >&2; printf tail";
    let mut running = world.start("one", &world.script(script), world.spec(&[]));
    assert_eq!(running.exited().ended, Ended::Code(0));
    running.kill();
    assert_eq!(running.out.lines().count(), 20001);
    assert!(
        running.out.ends_with("line 19999\ntail") && running.err == "oops\n",
        "{}",
        running.err
    );
}

fn a_runtime_waits_for_a_keeper() {
    let world = World::new();
    let image = world.script("sleep 0.05; exit 3");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let keeper = Keeper::start(world.order("one", &image, world.spec(&[]))).unwrap();
        world.children.borrow_mut().keeper(keeper.process().unwrap());
        let mut keeper = Polled::new(keeper).unwrap();
        let mut seen = Vec::new();
        loop {
            // Dropped and called again, as in a select.
            let wait = std::time::Duration::from_millis(3);
            let Ok(message) = tokio::time::timeout(wait, keeper.message()).await else { continue };
            let message = message.unwrap();
            seen.push(format!("{message:?}").split([' ', '(']).next().unwrap().to_owned());
            match message {
                Message::Exited(_) => keeper.keeper().kill(),
                Message::Gone { .. } => break,
                _ => {}
            }
        }
        assert_eq!(seen, ["Started", "Exited", "Gone"]);
        let wait = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(wait, keeper.message()).await.is_err());
    });
    world.children.borrow_mut().sweep();
}

fn a_term_is_never_lost() {
    let world = World::new();
    let image = world.script("sleep 1000");
    for _ in 0..50 {
        // Asked for before the program is executed.
        let mut running = world.start("one", &image, world.spec(&[]));
        running.keeper.term();
        assert_eq!(running.exited().ended, Ended::Signal(15));
        running.kill();
    }
}

fn a_start_that_fails_says_why() {
    let world = World::new();
    let image = world.script("echo never >$D/never");
    let fails = |change: &dyn Fn(&mut crux_picket::launch::Spec), why: &str| {
        let mut spec = world.spec(&[]);
        change(&mut spec);
        let mut running = world.start("one", &image, spec);
        let text = running.failed();
        assert!(text.contains(why), "{text}");
        assert!(running.gone().0, "{:?}", running.seen);
        crux_picket::record::remove(&running.dir).unwrap();
    };
    fails(&|spec| spec.dir = "/no/such/directory".into(), "entering the service's directory");
    fails(&|spec| spec.nofile = u64::MAX - 1, "ulimit -Hn");
    // One argument may have 128 KiB.
    fails(&|spec| spec.argv.push("x".repeat(200_000)), "too large");
    assert!(!world.path("never").exists());
}

fn another_user_keeps_the_death_signal() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new();
    let image = world.script("id -u; id -g; id -G; echo done; exec sleep 1000");
    let mut spec = world.spec(&[]);
    spec.user =
        Some(User { name: "x".to_owned(), uid: 54321, gid: 54322, groups: vec![54322, 54323] });
    let mut running = world.start("one", &image, spec);
    let program = running.started();
    running.prints("54321\n54322\n54322 54323\ndone\n");
    running.keeper.process().unwrap().signal(Signal::KILL);
    soon("the program ends with its keeper", || !program.is_alive());
    assert!(!running.gone().0);
}

/// A unit may let a node listen at low ports without being root.
fn a_right_of_the_node_is_not_passed_on() {
    use rustix::thread::{
        CapabilitySet, capabilities, configure_capability_in_ambient_set, set_capabilities,
    };

    let right = CapabilitySet::NET_BIND_SERVICE;
    let mut all = capabilities(None).unwrap();
    all.inheritable |= right;
    if set_capabilities(None, all).is_err()
        || configure_capability_in_ambient_set(right, true).is_err()
    {
        println!("this user has no right to pass on");
        return;
    }
    let world = World::new();
    let image = world.script("grep -E '^CapAmb' /proc/self/status; exec sleep 1000");
    let mut running = world.start("one", &image, world.spec(&[]));
    running.prints("CapAmb:\t0000000000000000\n");
    let keeper = running.keeper.process().unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", keeper.pid)).unwrap();
    assert!(status.contains("CapAmb:\t0000000000000400\n"), "the keeper still has it: {status}");
    assert!(status.contains("Name:\tcrux-keeper\n"), "{status}");
    running.kill();
}

fn a_keeper_is_small_and_private() {
    // Nobody else may look.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new();
    let mut running = world.start("one", &world.script("exec sleep 1000"), world.spec(&[]));
    running.started();
    let keeper = running.keeper.process().unwrap();
    let env = fs::read(format!("/proc/{}/environ", keeper.pid)).unwrap();
    assert!(env.is_empty(), "{}", String::from_utf8_lossy(&env));
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", keeper.pid)).unwrap();
    let private = rollup.lines().filter(|line| line.starts_with("Private_"));
    let kib: u64 =
        private.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum();
    println!("a keeper has {kib} KiB of its own");
    // Also a build without optimisation, and with relocations of all of the test.
    assert!(kib < 2048, "{rollup}");
    let status = fs::read_to_string(format!("/proc/{}/status", keeper.pid)).unwrap();
    assert!(status.contains("Threads:\t1\n"), "{status}");
    running.kill();
}
