use crux_crdt::Principal;
use crux_protocol::author::ServiceKey;

use super::Shot;

/// Every registration that was acknowledged is on every node.
///
/// # Errors
/// One that is missing, and where.
pub(in crate::sim) fn kept(
    shots: &[Shot],
    acknowledged: &[(Principal, ServiceKey)],
) -> Result<(), String> {
    for shot in shots {
        let missing = acknowledged.iter().find(|entry| !shot.services.contains(entry));
        if let Some((author, key)) = missing {
            let by = author.short();
            return Err(format!("n{} lacks {}, acknowledged by {by}", shot.host, key.1.as_str()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::invariant::shot::testing::{flock, service, who};

    #[test]
    fn what_one_node_lacks_is_lost() {
        let acknowledged = [(who(1), service("web"))];
        let mut shots = flock(2);
        assert_eq!(kept(&shots, &[]), Ok(()));
        for shot in &mut shots {
            shot.services.insert(acknowledged[0].clone());
        }
        assert_eq!(kept(&shots, &acknowledged), Ok(()));
        shots[1].services.clear();
        // The same service of somebody else is another one.
        shots[1].services.insert((who(0), service("web")));
        assert!(kept(&shots, &acknowledged).is_err_and(|why| why.starts_with("n1 lacks web")));
    }
}
