use crux_crdt::Principal;
use crux_crdt::path::Endpoint;
use crux_protocol::author::ServiceKey;

use super::Shot;

/// Every registration that was acknowledged is on every node, as it was acknowledged last.
///
/// # Errors
/// One that is missing or another one, and where.
pub(crate) fn kept(
    shots: &[Shot],
    acknowledged: &[((Principal, ServiceKey), Endpoint)],
) -> Result<(), String> {
    for shot in shots {
        for (entry, endpoint) in acknowledged {
            let (host, name, by) = (shot.host, &entry.1.service, entry.0.short());
            match shot.services.get(entry) {
                None => return Err(format!("n{host} lacks {name}, acknowledged by {by}")),
                Some(found) if found != endpoint => {
                    return Err(format!(
                        "n{host} shows {name} of {by} at {found}, acknowledged at {endpoint}"
                    ));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::shot::testing::{endpoint, flock, service, who};

    #[test]
    fn what_one_node_lacks_is_lost() {
        let web = (who(1), service("web"));
        let acknowledged = [(web.clone(), endpoint(80))];
        let mut shots = flock(2);
        assert_eq!(kept(&shots, &[]), Ok(()));
        for shot in &mut shots {
            shot.services.insert(web.clone(), endpoint(80));
        }
        assert_eq!(kept(&shots, &acknowledged), Ok(()));
        shots[1].services.clear();
        // The same service of somebody else is another one.
        shots[1].services.insert((who(0), service("web")), endpoint(80));
        assert!(kept(&shots, &acknowledged).is_err_and(|why| why.starts_with("n1 lacks web")));
    }

    #[test]
    fn an_older_value_is_a_loss_too() {
        let web = (who(1), service("web"));
        let mut shots = flock(2);
        shots[0].services.insert(web.clone(), endpoint(81));
        shots[1].services.insert(web.clone(), endpoint(80));
        let why = kept(&shots, &[(web, endpoint(81))]).expect_err("n1 shows what was replaced");
        assert!(why.starts_with("n1 shows web of 0101") && why.contains(":80"), "{why}");
    }
}
