//! Everything that a program started ends with it.

use std::fs;
use std::time::Instant;

use crux_picket::handle::Ended;
use rustix::process::Signal;

use crate::Test;
use crate::world::{World, nothing_below_me, own_program, soon, with_command};

pub(crate) const TESTS: &[Test] = &[
    ("daemons_that_left_their_session_end", daemons_that_left_their_session_end),
    ("a_fork_bomb_ends", a_fork_bomb_ends),
    ("processes_that_never_stay_end", processes_that_never_stay_end),
    ("what_outlives_its_program_is_kept_and_killed", what_outlives_its_program_is_kept_and_killed),
    ("term_reaches_the_tree", term_reaches_the_tree),
    ("a_dead_keeper_takes_its_program_along", a_dead_keeper_takes_its_program_along),
    ("a_dead_leader_with_threads_is_killed", a_dead_leader_with_threads_is_killed),
];

/// A number for `sleep` that no other process has.
fn mark(base: u32) -> String {
    format!("{base}{}", std::process::id())
}

fn daemons(mark: &str) -> String {
    format!(
        "for i in 1 2 3 4 5; do setsid env -i /bin/sh -c '(sleep {mark} &); (setsid sleep {mark} &)' & done\n\
         wait; echo escaped\n"
    )
}

fn daemons_that_left_their_session_end() {
    let world = World::new();
    let mark = mark(70);
    let image = world.script(&format!("{}exec sleep 1000", daemons(&mark)));
    let mut running = world.start("one", &image, world.spec(&[]));
    running.prints("escaped");
    soon("ten daemons run", || with_command(&mark).len() == 10);
    assert_eq!(running.kill(), 11);
    assert!(with_command(&mark).is_empty());
    nothing_below_me();
}

fn a_fork_bomb_ends() {
    let world = World::new();
    let mark = mark(71);
    // Each starts two more, in sessions of their own, and stays. Bounded by the depth: 1,023.
    let bomb = format!(
        "n=${{1:-9}}; [ $n -gt 0 ] && {{ setsid sh $D/image $((n-1)) & setsid sh $D/image $((n-1)) & }}\n\
         exec sleep {mark}"
    );
    let image = world.script(&bomb);
    let mut running = world.start("one", &image, world.spec(&[]));
    running.started();
    soon("it spreads", || with_command(&mark).len() > 50);
    let since = Instant::now();
    running.kill();
    println!("the bomb ended in {:?}", since.elapsed());
    assert!(with_command(&mark).is_empty());
    nothing_below_me();
}

fn processes_that_never_stay_end() {
    let world = World::new();
    let until = world.path("until");
    fs::write(&until, "").unwrap();
    let until = until.to_str().unwrap();
    let image = own_program();
    // Some 20,000 times a millisecond or two: they would stop by themselves after half a minute.
    let mut running = world.start("one", &image, world.spec(&["plugin", "hop", "20000", until]));
    assert_eq!(running.exited().ended, Ended::Code(0));
    soon("it hops", || !with_command(until).is_empty());
    let since = Instant::now();
    running.kill();
    println!("the hopper ended in {:?}", since.elapsed());
    assert!(with_command(until).is_empty());
    nothing_below_me();
}

fn what_outlives_its_program_is_kept_and_killed() {
    let world = World::new();
    let mark = mark(72);
    let image = world.script(&format!("{}exit 3", daemons(&mark)));
    let mut running = world.start("one", &image, world.spec(&[]));
    assert_eq!(running.exited().ended, Ended::Code(3));
    soon("ten daemons run", || with_command(&mark).len() == 10);
    assert_eq!(running.kill(), 10);
    assert!(with_command(&mark).is_empty());
}

fn term_reaches_the_tree() {
    let world = World::new();
    let image = world.script(
        "setsid sh -c 'trap \"echo child; exit\" TERM; echo ready; while :; do sleep 0.01; done' &\n\
         trap 'echo parent; wait; exit 5' TERM; while :; do sleep 0.01; done",
    );
    let mut running = world.start("one", &image, world.spec(&[]));
    running.prints("ready");
    running.keeper.term_tree();
    running.prints("child");
    running.prints("parent");
    assert_eq!(running.exited().ended, Ended::Code(5));
    running.kill();
}

fn a_dead_keeper_takes_its_program_along() {
    let world = World::new();
    let mark = mark(73);
    let image = world.script(&format!("{}exec sleep {mark}", daemons(&mark)));
    let mut running = world.start("one", &image, world.spec(&[]));
    let program = running.started();
    soon("all of it runs", || with_command(&mark).len() == 11);
    running.keeper.process().unwrap().signal(Signal::KILL);
    assert!(!running.gone().0);
    soon("the program ends", || !program.is_alive());
    soon("its daemons are swept", || {
        world.children.borrow_mut().sweep();
        with_command(&mark).is_empty()
    });
    nothing_below_me();
}

fn a_dead_leader_with_threads_is_killed() {
    let world = World::new();
    let python = "import ctypes, threading, time\n\
         threading.Thread(target=time.sleep, args=(1000,)).start()\n\
         print('threads', flush=True)\n\
         ctypes.CDLL(None).pthread_exit(None)\n";
    fs::write(world.path("it.py"), python).unwrap();
    let image = world
        .script("command -v python3 >/dev/null || { echo none; exit; }\nexec python3 $D/it.py");
    let mut spec = world.spec(&[]);
    spec.env[0].1 = std::env::var("PATH").unwrap();
    let mut running = world.start("one", &image, spec);
    running.until("an answer", |this| this.out.contains("threads") || this.out.contains("none"));
    if running.out.contains("threads") {
        let pid = running.started().pid;
        soon("its first thread ends", || {
            crux_picket::tree::stat(pid).is_some_and(|s| s.state == 'Z')
        });
    }
    running.kill();
    nothing_below_me();
}
