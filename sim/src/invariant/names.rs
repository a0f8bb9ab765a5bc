use std::collections::BTreeMap;

use crux_crdt::Principal;

use super::Shot;

/// Each name that members claim has exactly one holder, one of those who claim it, and everyone calls
/// each member the same.
///
/// # Errors
/// The name that two have or nobody has, or the member with two names.
pub(crate) fn one_holder(shots: &[Shot]) -> Result<(), String> {
    let mut called = BTreeMap::<&Principal, (usize, &String)>::new();
    for shot in shots {
        let mut held = BTreeMap::new();
        for (who, name) in &shot.names {
            if let Some(other) = held.insert(name, who) {
                let (one, two) = (other.short(), who.short());
                return Err(format!("n{} calls {one} and {two} {name}", shot.host));
            }
            let (by, known) = *called.entry(who).or_insert((shot.host, name));
            if known != name {
                let who = who.short();
                return Err(format!("n{by} calls {who} {known}, n{} {name}", shot.host));
            }
        }
        for (who, name) in &shot.claimed {
            let holder = held.get(name);
            if holder.is_none_or(|holder| shot.claimed.get(*holder) != Some(name)) {
                let (host, who) = (shot.host, who.short());
                return Err(format!("to n{host} nobody who claims {name} has it; {who} does"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::shot::testing::{flock, who};

    #[test]
    fn a_name_that_two_claim_is_that_of_one_of_them() {
        let claimed_twice = |called: [&str; 3]| {
            let mut shots = flock(3);
            for shot in &mut shots {
                shot.claimed.insert(who(2), "n1".to_owned());
                shot.names = (0..).map(who).zip(called.map(str::to_owned)).collect();
            }
            one_holder(&shots)
        };
        assert_eq!(claimed_twice(["n0", "n1", "n1-x-123456"]), Ok(()));
        assert_eq!(claimed_twice(["n0", "n1-x-123456", "n1"]), Ok(()));
        let nobody = claimed_twice(["n0", "n1-x-123456", "n1-x-abcdef"]);
        assert!(nobody.is_err_and(|why| why.starts_with("to n0 nobody who claims n1")));
        assert!(claimed_twice(["n1", "n1-x-123456", "n1-x-abcdef"]).is_err(), "n0 claims another");
    }

    #[test]
    fn neither_two_holders_nor_two_names() {
        assert_eq!(one_holder(&flock(3)), Ok(()));
        let mut shots = flock(3);
        shots[1].names.insert(who(2), "n0".to_owned());
        assert!(one_holder(&shots).is_err_and(|why| why.starts_with("n1 calls")));
        let mut shots = flock(3);
        shots[1].names.insert(who(2), "n2-x-123456".to_owned());
        assert!(one_holder(&shots).is_err_and(|why| why.starts_with("n0 calls")));
    }
}
