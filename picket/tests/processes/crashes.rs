//! A picket or a keeper dies at each named point, and the next picket finds one instance or none.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crux_picket::crash;
use crux_picket::handle::{self, Adoption};
use crux_picket::record;

use crate::Test;
use crate::world::{SOON, World, below_me, soon, with_command};

pub(crate) const TESTS: &[Test] = &[
    (
        "after_a_crash_at_any_point_there_is_one_or_none",
        after_a_crash_at_any_point_there_is_one_or_none,
    ),
    ("after_two_crashes_too", after_two_crashes_too),
];

/// Those that a start of one instance can reach. That of the launch step is an end of the program to its keeper.
fn points() -> Vec<String> {
    let reached = ["record.write.", "record.rename.", "handle.", "keeper."];
    let mut points = crash::points();
    points.retain(|point| reached.iter().any(|of| point.starts_with(of)));
    points
}

/// A command that no other process of the machine executes.
fn sleep() -> String {
    format!("sleep 76{}", std::process::id())
}

/// Notes that it runs, and runs.
fn script() -> String {
    format!("echo $$ >>$D/runs; exec {}", sleep())
}

fn after_a_crash_at_any_point_there_is_one_or_none() {
    for point in points() {
        round(&[&point]);
    }
}

fn after_two_crashes_too() {
    let points = points();
    // The record is written twice in a start.
    for point in points.iter().filter(|point| point.starts_with("record.")) {
        round(&[&format!("{point}:2")]);
    }
    for pair in points.windows(2).step_by(2) {
        round(&[&pair[0], &pair[1]]);
        round(&[&pair[1], &pair[0]]);
    }
}

/// Pickets that crash at these points, one after another on one directory, then one that does not.
fn round(points: &[&str]) {
    let world = World::new();
    let mark = world.dir.to_str().unwrap().to_owned();
    for point in points {
        let mut command = Command::new("/proc/self/exe");
        command.arg("picket").arg(&world.dir).args(["30000", &*script()]);
        command.env(crash::VARIABLE, point).stdin(Stdio::null()).stdout(Stdio::null());
        let mut picket = command.stderr(Stdio::null()).spawn().unwrap();
        // It ends by the point, or because its keeper did; or it runs on, and is killed.
        let end = std::time::Instant::now() + Duration::from_millis(400);
        let mut running = true;
        while running && std::time::Instant::now() < end {
            running = picket.try_wait().unwrap().is_none();
            let started = fs::read_to_string(world.path("runs")).is_ok_and(|runs| !runs.is_empty());
            // Points that come with an exit or a kill are not reached by this.
            if started && !point.starts_with("keeper.") && !point.starts_with("handle.begin.after")
            {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        picket.kill().unwrap();
        picket.wait().unwrap();
        take_over(&world, point);
    }
    world.children.borrow_mut().sweep();
    soon("nothing is left", || {
        world.children.borrow_mut().sweep();
        below_me() == 0
    });
    assert!(with_command(&mark).is_empty(), "{points:?}");
}

/// Does as a picket that starts: adopt, and only where nobody is, start; then one runs. It is ended
/// in order.
fn take_over(world: &World, point: &str) {
    let mut adopted = None;
    for (dir, read) in record::all(&world.path("i")).unwrap() {
        let record = match read {
            Ok(record) => record,
            Err(record::RecordError::Missing(_)) => {
                assert!(!handle::is_held(&dir), "{point}: held, and not recorded");
                record::remove(&dir).unwrap();
                continue;
            }
            Err(err) => panic!("{point}: {err}"),
        };
        match handle::adopt(&[(dir.clone(), record)], SOON).unwrap().remove(0) {
            Adoption::Adopted(keeper, _) => {
                assert!(adopted.is_none(), "{point}: two");
                adopted = Some(world.running(dir, keeper));
            }
            // A keeper that ends because its picket did before the order was read.
            Adoption::Refused => soon("it ends", || !handle::is_held(&dir)),
            Adoption::Nobody => {}
            other => panic!("{point}: {other:?}"),
        }
    }
    world.children.borrow_mut().sweep();
    let alive = || with_command(&sleep()).len();
    let mut running = adopted.unwrap_or_else(|| {
        soon("what had a dead keeper ends", || alive() == 0);
        let _ = record::remove(&world.path("i").join("one"));
        let image = world.script(&script());
        world.start("one", &image, world.spec(&[]))
    });
    soon(&format!("{point}: one runs"), || {
        assert!(alive() <= 1, "{point}: two run");
        alive() == 1
    });
    running.keeper.kill();
    // It is not clean if the point is one of the kill.
    running.gone();
    soon("nothing runs", || {
        world.children.borrow_mut().sweep();
        alive() == 0
    });
    record::remove(&running.dir).unwrap();
    fs::remove_file(world.path("runs")).unwrap();
}
