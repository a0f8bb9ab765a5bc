use crux_protocol::leader::Claim;

use super::Shot;

/// All name the leader, and the claim, that there was.
///
/// # Errors
/// The node that names another one.
pub(crate) fn same_leader(shots: &[Shot], led: Option<Claim>) -> Result<(), String> {
    let other = shots.iter().find(|shot| shot.leader != led);
    other.map_or(Ok(()), |shot| {
        Err(format!("n{} names {:?} instead of {led:?}", shot.host, shot.leader))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::shot::testing::{claim, flock};

    #[test]
    fn a_new_claim_of_the_same_leader_is_a_change() {
        let mut shots = flock(2);
        assert_eq!(same_leader(&shots, Some(claim(1, 0))), Ok(()));
        shots[1].leader = Some(claim(2, 0));
        assert!(same_leader(&shots, Some(claim(1, 0))).is_err());
        assert!(same_leader(&flock(2), None).is_err());
    }
}
