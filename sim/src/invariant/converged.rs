use super::Shot;

/// All replicas hold the same, by their digests and by what they show.
///
/// # Errors
/// Two that do not.
pub(crate) fn converged(shots: &[Shot]) -> Result<(), String> {
    let Some(first) = shots.first() else { return Ok(()) };
    for other in shots {
        let pair = format!("n{} and n{}", first.host, other.host);
        if other.digest != first.digest {
            return Err(format!("the digests of {pair} differ"));
        }
        if other.records != first.records {
            return Err(format!("{pair} have one digest and show other records"));
        }
        if other.papers != first.papers {
            return Err(format!("{pair} have one digest and show other documents"));
        }
        if other.services != first.services {
            return Err(format!("{pair} have one digest and show other services"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crux_crdt::Digest;

    use super::*;
    use crate::invariant::shot::testing::{endpoint, flock, service, who};

    #[test]
    fn one_other_digest_is_enough() {
        let mut shots = flock(3);
        assert_eq!(converged(&shots), Ok(()));
        shots[2].digest = Digest([2; 32]);
        assert!(converged(&shots).is_err_and(|why| why.starts_with("the digests of n0 and n2")));
    }

    #[test]
    fn a_digest_that_hides_a_difference_is_seen_through() {
        let mut shots = flock(2);
        shots[1].records.insert(who(0), Digest([3; 32]));
        assert!(converged(&shots).is_err_and(|why| why.ends_with("other records")));
        let mut shots = flock(2);
        shots[1].papers.version = 1;
        assert!(converged(&shots).is_err_and(|why| why.ends_with("other documents")));
        let mut shots = flock(2);
        shots[1].services.insert((who(0), service("web")), endpoint(80));
        assert!(converged(&shots).is_err_and(|why| why.ends_with("other services")));
        let mut shots = flock(2);
        for (shot, port) in shots.iter_mut().zip(80..) {
            shot.services.insert((who(0), service("web")), endpoint(port));
        }
        assert!(converged(&shots).is_err_and(|why| why.ends_with("other services")));
    }
}
