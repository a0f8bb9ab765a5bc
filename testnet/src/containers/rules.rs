//! The parts of a scenario that containers have.

use std::collections::BTreeSet;

use crux_sim::scenario::{Condition, Hosts, Op, Request, Step};

use crate::Error;

/// How many nodes the compose file has.
pub(super) const HOSTS: usize = super::NODES.len();

/// Refuses a scenario with the first step that does not exist on containers, before anything is put up.
///
/// # Errors
/// [`Error::Broken`] with the step and why.
pub(super) fn check(nodes: usize, spare: usize, steps: &[Step]) -> Result<(), Error> {
    if nodes + spare > HOSTS {
        let message =
            format!("{} nodes do not exist on containers: there are {HOSTS}", nodes + spare);
        return Err(Error::Broken(message));
    }
    let mut cut = false;
    for step in steps {
        if let Err(why) = check_step(step, nodes, cut) {
            return Err(Error::Broken(format!("`{step}` does not exist on containers: {why}")));
        }
        match step {
            Op::Cut { .. } => cut = true,
            Op::Heal => cut = false,
            _ => {}
        }
    }
    Ok(())
}

fn check_step(step: &Step, nodes: usize, cut: bool) -> Result<(), &'static str> {
    match step {
        // The compose file says which seed peers a node has.
        Op::Start { .. }
        // There is no shaping of packets: the network's weather is what it is.
        | Op::Weather(_)
        | Op::Kill(_)
        | Op::Freeze(_)
        | Op::Resume(_)
        | Op::Sleep(..)
        | Op::Rekey(_)
        | Op::Heal
        | Op::Wait(_)
        | Op::Unwatch => Ok(()),
        Op::Wipe(_) => Err("the image has no shell to delete a database and leave the key"),
        Op::Backup(_) | Op::Restore(_) | Op::Copy { .. } => Err("volumes are not copied"),
        Op::Fill(_) | Op::Empty(_) => Err("volumes have no size"),
        Op::Name { .. } => Err("names are what the compose file says"),
        Op::Find { .. } => Err("nothing is found on the link"),
        Op::Cut { both: false, .. } => Err("a network is left both ways"),
        Op::Cut { .. } if cut => Err("there is a partition already"),
        Op::Cut { from, to, .. } => check_sides(from, to, nodes),
        Op::Ask(_, Request::Leave) => Err("the engine starts it again"),
        Op::Ask(_, Request::Restart(_)) => Err("no client announces a restart"),
        Op::Ask(_, Request::Write(_) | Request::Order(..)) => Err("the flock has no operator"),
        Op::Ask(..) => Ok(()),
        Op::Expect { what, .. } | Op::Always { what, .. } | Op::Watch(what) => check_condition(what),
    }
}

fn check_sides(from: &Hosts, to: &Hosts, nodes: usize) -> Result<(), &'static str> {
    let all: BTreeSet<usize> = from.iter().chain(to.iter()).collect();
    let apart = from.iter().all(|host| !to.0.contains(&host));
    let whole = (0..nodes).all(|host| all.contains(&host));
    if apart && whole { Ok(()) } else { Err("a partition parts all nodes into two") }
}

fn check_condition(what: &Condition<Hosts>) -> Result<(), &'static str> {
    match what {
        Condition::Document { .. } | Condition::Placed(_) | Condition::Drained(_) => {
            Err("the flock has no operator")
        }
        Condition::Truthful(_) => Err("it is about seconds"),
        Condition::OneRuns(_) => Err("volumes are not copied"),
        Condition::Registered { .. } => Err("services are not checked one by one"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crux_sim::scenario::{Scenario, library};

    fn refusal(text: &str) -> String {
        let scenario = Scenario::parse("test", &format!("nodes 5\n{text}")).expect("a scenario");
        let steps = scenario.draw(5, [1; 32]);
        check(5, scenario.spare, &steps).expect_err("refused").to_string()
    }

    #[test]
    fn what_does_not_exist_is_refused_by_name() {
        assert_eq!(
            refusal("weather calm\nstart all\ncut silent n0 -> n1 n2 n3 n4\n"),
            "`cut silent n0 -> n1 n2 n3 n4` does not exist on containers: a network is left both ways",
        );
        for (line, why) in [
            ("fill n0", "volumes have no size"),
            ("backup n0", "volumes are not copied"),
            ("ask n0 leave", "the engine starts it again"),
            ("cut silent n0 <-> n1", "a partition parts all nodes"),
            ("watch truthful n0", "it is about seconds"),
            ("cut silent n0 <-> n1 n2 n3 n4\ncut silent n1 <-> n0 n2 n3 n4", "a partition already"),
        ] {
            let said = refusal(&format!("weather calm\n{line}\n"));
            let name = line.lines().last().expect("a line");
            assert!(said.starts_with(&format!("`{name}`")) && said.contains(why), "{said}");
        }
    }

    #[test]
    fn many_scenarios_of_the_library_run_on_containers() {
        let runs = |scenario: &Scenario| {
            let steps = scenario.draw(scenario.nodes, [1; 32]);
            check(scenario.nodes, scenario.spare, &steps).is_ok()
        };
        let names: Vec<_> = library().into_iter().filter(runs).map(|one| one.name).collect();
        for name in ["anew", "form", "kill", "restart", "silent", "stop", "stall"] {
            assert!(names.iter().any(|known| known == name), "{name} is not among {names:?}");
        }
    }
}
