use std::collections::BTreeMap;

use crux_crdt::Principal;

use super::Shot;

/// No two members that are shown have one name, and everyone calls each the same.
///
/// # Errors
/// The name that two have, or the member with two names.
pub(in crate::sim) fn one_holder(shots: &[Shot]) -> Result<(), String> {
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
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::invariant::shot::testing::{flock, who};

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
