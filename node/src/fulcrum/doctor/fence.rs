//! Whether this node obeys the leader that it shows.

use crux_client::model::{Check, CheckResult};
use crux_protocol::flock;
use crux_protocol::leader::Claim;

use super::{line, ok};

const NAME: &str = "leader";

pub(super) fn check(state: &flock::State) -> Check {
    let name = |claim: Claim| state.names().of(&claim.principal).to_string();
    let alive = |claim: Claim| state.member_state(&claim.principal).is_live();
    let named = |claim: Claim| Held { claim, name: name(claim), alive: alive(claim) };
    judge(state.leader().map(named), state.fence().map(named))
}

struct Held {
    claim: Claim,
    name: String,
    alive: bool,
}

fn judge(leader: Option<Held>, fence: Option<Held>) -> Check {
    match (leader, fence) {
        (None, _) => line(
            NAME,
            CheckResult::Warn,
            "nobody leads".to_owned(),
            "Normal for seconds after a start or a crash; `members` shows who may lead.",
        ),
        (Some(leader), Some(fence)) if leader.claim < fence.claim => {
            let (holder, n) = (&fence.name, fence.claim.n);
            let detail = format!(
                "this node refuses the commands of {}, which leads under term {}: it obeyed term {n} \
                 of {holder}",
                leader.name, leader.claim.n
            );
            let first =
                if fence.alive { format!("Stop {holder}, then run") } else { "Run".to_owned() };
            let hint = format!(
                "If it stays for ten seconds: {holder} claimed more than others may. {first} \
                 `crux-node forget {holder}` on any node."
            );
            line(NAME, CheckResult::Fail, detail, &hint)
        }
        (Some(leader), _) => {
            ok(NAME, format!("{} leads under term {}, and is obeyed", leader.name, leader.claim.n))
        }
    }
}

#[cfg(test)]
mod tests {
    use crux_crdt::Principal;

    use super::*;

    fn held(n: u64, name: &str, alive: bool) -> Held {
        let claim = Claim { n, principal: Principal([7; 32]) };
        Held { claim, name: name.to_owned(), alive }
    }

    #[test]
    fn a_leader_below_the_fence_fails_and_says_whom_to_forget() {
        let check = judge(Some(held(4, "oak", true)), Some(held((1 << 48) - 1, "liar", false)));
        assert_eq!(check.result, CheckResult::Fail);
        assert!(check.hint.unwrap().contains("Run `crux-node forget liar`"));
        let check = judge(Some(held(4, "oak", true)), Some(held(5, "liar", true)));
        assert!(check.hint.unwrap().contains("Stop liar, then run"));
        assert_eq!(
            judge(Some(held(4, "oak", true)), Some(held(4, "oak", true))).result,
            CheckResult::Ok
        );
        assert_eq!(
            judge(Some(held(4, "oak", true)), Some(held(3, "elm", false))).result,
            CheckResult::Ok
        );
        assert_eq!(judge(Some(held(4, "oak", true)), None).result, CheckResult::Ok);
        assert_eq!(judge(None, Some(held(4, "oak", false))).result, CheckResult::Warn);
    }
}
