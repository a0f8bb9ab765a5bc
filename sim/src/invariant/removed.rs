use crux_crdt::Principal;
use crux_protocol::author::ServiceKey;

use super::Shot;

/// No registration whose removal was acknowledged is on any node.
///
/// # Errors
/// One that is back, and where.
pub(crate) fn removed(
    shots: &[Shot],
    acknowledged: &[(Principal, ServiceKey)],
) -> Result<(), String> {
    for shot in shots {
        let back = acknowledged.iter().find(|entry| shot.services.contains_key(entry));
        if let Some((author, key)) = back {
            let (host, name, by) = (shot.host, &key.service, author.short());
            return Err(format!("n{host} shows {name}, whose removal {by} acknowledged"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::shot::testing::{endpoint, flock, service, who};

    #[test]
    fn what_one_node_shows_again_is_back() {
        let acknowledged = [(who(1), service("web"))];
        let mut shots = flock(2);
        assert_eq!(removed(&shots, &acknowledged), Ok(()));
        shots[0].services.insert((who(0), service("web")), endpoint(80));
        assert_eq!(removed(&shots, &acknowledged), Ok(()), "that is another one's");
        shots[0].services.insert(acknowledged[0].clone(), endpoint(80));
        assert!(removed(&shots, &acknowledged).is_err_and(|why| why.starts_with("n0 shows web")));
    }
}
