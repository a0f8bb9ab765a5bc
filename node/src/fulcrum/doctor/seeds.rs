//! Whether the entries of `--join` lead anywhere.

use crux_client::model::{Check, CheckResult};
use crux_protocol::dial::{Outcome, Seed};
use crux_protocol::flock;
use crux_protocol::join::Refusal;

use super::{line, ok};

const NAME: &str = "join";

pub(super) fn check(state: &flock::State) -> Check {
    judge(&state.seeds(), state.has_joined())
}

/// A node that is in no flock but its own fails where only a person can help. Else the other side may
/// start later, or, for a member, matter only at the next start.
fn judge(seeds: &[Seed], joined: bool) -> Check {
    let trouble: Vec<_> = seeds.iter().filter(|seed| seed.outcome.is_trouble()).collect();
    let lost = trouble.iter().find(|seed| seed.outcome.needs_a_person());
    let Some(first) = lost.or(trouble.first()) else {
        return if joined {
            ok(NAME, "this node is in a flock with others")
        } else if seeds.iter().any(|seed| seed.outcome == Outcome::Pending) {
            line(NAME, CheckResult::Warn, "no entry of --join answered yet".to_owned(), "")
        } else {
            ok(NAME, "no --join entry leads elsewhere: this node begins a flock")
        };
    };
    let all: Vec<_> =
        trouble.iter().map(|seed| format!("{}: {}", seed.addr, seed.outcome)).collect();
    let (result, who) = match (joined, lost) {
        (false, Some(_)) => (CheckResult::Fail, "this node joined nobody"),
        (false, None) => (CheckResult::Warn, "this node joined nobody yet"),
        (true, _) => (CheckResult::Warn, "entries of --join lead nowhere"),
    };
    line(NAME, result, format!("{who}; {}", all.join("; ")), hint(first.outcome))
}

const fn hint(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Refused(Refusal::NameTaken(_)) => {
            "Start this node with another --name, or stop the holder; if it is gone, `forget` it there."
        }
        Outcome::Refused(Refusal::Secret) => "Give both nodes the same secret file.",
        Outcome::Refused(Refusal::Address | Refusal::Callback) => {
            "Set --advertise to an address at which the others reach this node; check the firewall."
        }
        Outcome::Refused(_) => "It is tried again; look at the log of that node if it stays.",
        _ => {
            "Check the address, and that a node of this flock runs there; it is tried again and again."
        }
    }
}

#[cfg(test)]
mod tests {
    use crux_crdt::Principal;
    use crux_protocol::link::DialFailure;

    use super::*;

    fn seed(outcome: Outcome) -> Seed {
        Seed { addr: "a.example:7117".to_owned(), outcome, peer: None }
    }

    #[test]
    fn a_node_that_joined_nobody_does_not_look_well() {
        let taken = Outcome::Refused(Refusal::NameTaken(Principal([7; 32])));
        let nobody = Outcome::Failed(DialFailure::Refused);
        let judged = |outcomes: &[Outcome], joined| {
            let seeds: Vec<_> = outcomes.iter().copied().map(seed).collect();
            judge(&seeds, joined)
        };
        let fails = judged(&[nobody, taken], false);
        assert_eq!(fails.result, CheckResult::Fail);
        assert!(fails.hint.is_some_and(|hint| hint.contains("--name")));
        let warns = judged(&[nobody], false);
        assert_eq!(warns.result, CheckResult::Warn);
        assert!(warns.detail.contains("a.example:7117: nobody listens there"), "{}", warns.detail);
        assert_eq!(judged(&[Outcome::Pending], false).result, CheckResult::Warn);
        assert_eq!(judged(&[nobody, Outcome::Answered], true).result, CheckResult::Warn);
        assert_eq!(judged(&[Outcome::Answered], true).result, CheckResult::Ok);
        assert_eq!(judged(&[Outcome::Failed(DialFailure::Myself)], false).result, CheckResult::Ok);
        assert_eq!(judged(&[], false).result, CheckResult::Ok);
    }
}
