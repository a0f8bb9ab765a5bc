use crux_protocol::author::Rejection;
use crux_protocol::flock::{Control, ControlError};

/// What may excuse a node that does not do what a client asked of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Excuse {
    /// Its disk took no writes at some time since.
    pub(crate) full: bool,
    /// What the request is about need not be known on its disk.
    pub(crate) unknown: bool,
    /// Its identity was given to another host, too.
    pub(crate) twin: bool,
}

/// A node that runs and can write refuses nothing without a reason.
///
/// # Errors
/// The reason that is none.
pub(crate) fn excused(
    request: &Control,
    error: &ControlError,
    excuse: Excuse,
) -> Result<(), String> {
    use ControlError as E;
    let holds = match (request, error) {
        // Conditions say who leads, and who obeys.
        (Control::LeaderPing, E::NoLeader | E::LeaderSilent | E::Fenced)
        // Whether somebody is dead is a matter of who looks, and when.
        | (Control::Forget(_), E::Alive | E::NotFound) => true,
        // Those who signed know what may be: see `Told`.
        (Control::State { .. }, E::Refused(_) | E::Late(_) | E::Busy) => true,
        (Control::LeaderPing, _) => false,
        (_, E::DiskFull) => excuse.full,
        (_, E::Yields) => excuse.twin,
        (Control::Register { sync, .. } | Control::State { sync, .. }, E::NotStored { got, need }) => need == sync && got < need,
        (Control::Deregister { .. }, E::Rejected(Rejection::NotRegistered)) => excuse.unknown,
        _ => false,
    };
    if holds { Ok(()) } else { Err(format!("refused {request:?} without a reason: {error}")) }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::invariant::shot::testing::{endpoint, service};

    fn register(sync: u32) -> Control {
        let (key, labels) = (service("web"), std::collections::BTreeMap::new());
        let (endpoint, lease, patience) = (endpoint(80), None, Duration::ZERO);
        Control::Register { key, endpoint, labels, lease, sync, patience }
    }

    fn deregister() -> Control {
        Control::Deregister(service("web"))
    }

    fn is_excused(request: &Control, error: &ControlError, full: bool, unknown: bool) -> bool {
        excused(request, error, Excuse { full, unknown, twin: false }).is_ok()
    }

    #[test]
    fn a_healthy_node_refuses_no_write() {
        for error in [ControlError::Busy, ControlError::DiskFailed, ControlError::NoLeader] {
            assert!(!is_excused(&register(0), &error, true, true), "{error}");
            assert!(!is_excused(&deregister(), &error, true, true), "{error}");
        }
        assert!(!is_excused(&register(0), &ControlError::DiskFull, false, true));
        assert!(is_excused(&register(0), &ControlError::DiskFull, true, false));
    }

    #[test]
    fn only_who_has_a_twin_yields() {
        let of = |twin| Excuse { twin, ..Excuse::default() };
        assert!(excused(&register(0), &ControlError::Yields, of(true)).is_ok());
        assert!(excused(&register(0), &ControlError::Yields, of(false)).is_err());
    }

    #[test]
    fn what_is_promised_is_not_denied() {
        let unknown = ControlError::Rejected(Rejection::NotRegistered);
        assert!(!is_excused(&deregister(), &unknown, true, false));
        assert!(is_excused(&deregister(), &unknown, false, true));
        assert!(!is_excused(&register(0), &unknown, true, true));
    }

    #[test]
    fn only_what_was_asked_for_can_be_missed() {
        let missed = |got, need| ControlError::NotStored { got, need };
        assert!(is_excused(&register(2), &missed(1, 2), false, false));
        assert!(!is_excused(&register(2), &missed(2, 2), false, false));
        assert!(!is_excused(&register(0), &missed(0, 0), false, false));
    }
}
