use std::collections::BTreeSet;

use crux_crdt::Principal;

use super::Shot;

/// Each shows alive exactly those that were shot, and all name one of them as leader.
///
/// # Errors
/// The node that shows or names another member.
pub(crate) fn one_leader(shots: &[Shot]) -> Result<(), String> {
    let inside: BTreeSet<Principal> = shots.iter().map(|shot| shot.me).collect();
    let leader = shots.first().and_then(|shot| shot.leader);
    let name = |who: &Principal| {
        let host = shots.iter().find(|shot| shot.me == *who);
        host.map_or_else(|| who.short(), |shot| format!("n{}", shot.host))
    };
    for shot in shots {
        let (host, alive) = (shot.host, shot.alive());
        if let Some(missing) = inside.difference(&alive).next() {
            return Err(format!("n{host} does not show {} alive", name(missing)));
        }
        if let Some(ghost) = alive.difference(&inside).next() {
            return Err(format!("n{host} shows {} alive", name(ghost)));
        }
        match shot.leader {
            None => return Err(format!("n{host} names no leader")),
            found if found != leader => {
                return Err(format!("n{host} names {found:?} and not {leader:?}"));
            }
            Some(claim) if !inside.contains(&claim.principal) => {
                return Err(format!("n{host} names a leader outside: {claim:?}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Nobody holds a fence against the leader that it names.
///
/// # Errors
/// The node that does.
pub(crate) fn fence_accepted(shots: &[Shot]) -> Result<(), String> {
    let against = shots.iter().find(|shot| shot.fence > shot.leader);
    against.map_or(Ok(()), |shot| {
        Err(format!("n{} holds the fence {:?} against {:?}", shot.host, shot.fence, shot.leader))
    })
}

#[cfg(test)]
mod tests {
    use crux_protocol::flock::MemberState;

    use super::*;
    use crate::invariant::shot::testing::{claim, flock, who};

    fn spoilt(spoil: impl Fn(&mut Vec<Shot>)) -> Result<(), String> {
        let mut shots = flock(3);
        spoil(&mut shots);
        one_leader(&shots).and_then(|()| fence_accepted(&shots))
    }

    #[test]
    fn each_way_to_go_wrong_is_seen() {
        assert_eq!(spoilt(|_| ()), Ok(()));
        assert_eq!(spoilt(|all| all[1].fence = Some(claim(1, 0))), Ok(()));
        let dead = |all: &mut Vec<Shot>| _ = all[1].members.insert(who(2), MemberState::Dead);
        assert!(spoilt(dead).is_err_and(|why| why == "n1 does not show n2 alive"));
        let ghost = |all: &mut Vec<Shot>| _ = all[1].members.insert(who(9), MemberState::Suspect);
        assert!(spoilt(ghost).is_err_and(|why| why.starts_with("n1 shows 0909")));
        assert!(spoilt(|all| all[2].leader = None).is_err());
        assert!(spoilt(|all| all[2].leader = Some(claim(2, 1))).is_err());
        let outside = |all: &mut Vec<Shot>| {
            all.iter_mut().for_each(|shot| shot.leader = Some(claim(1, 9)));
        };
        assert!(spoilt(outside).is_err());
        assert!(spoilt(|all| all[0].fence = Some(claim(1, 1))).is_err());
    }
}
