use std::collections::BTreeSet;

use crux_crdt::Principal;
use crux_protocol::leader::Pinged;

/// Everyone who lives stored the leader's claim for a command, and nobody was asked in vain.
///
/// # Errors
/// The members that did not.
pub(crate) fn obeyed(live: &BTreeSet<Principal>, pinged: &Pinged) -> Result<(), String> {
    let names = |who: &mut dyn Iterator<Item = &Principal>| {
        who.map(Principal::short).collect::<Vec<_>>().join(" ")
    };
    let missed = live.difference(&pinged.accepted);
    let missed = names(&mut missed.filter(|who| !pinged.failed.contains(who)));
    if !pinged.failed.is_empty() {
        return Err(format!("{} did not obey", names(&mut pinged.failed.iter())));
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("{missed} live and were not asked")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::shot::testing::{claim, who};

    fn some(hosts: core::ops::Range<u8>) -> BTreeSet<Principal> {
        hosts.map(who).collect()
    }

    #[test]
    fn one_of_many_who_refused_or_was_not_asked_is_enough() {
        let pinged = |accepted, failed| Pinged { claim: claim(1, 0), accepted, failed };
        let live = some(0..25);
        assert_eq!(obeyed(&live, &pinged(some(0..25), some(0..0))), Ok(()));
        assert!(obeyed(&live, &pinged(some(0..24), some(24..25))).is_err());
        assert!(obeyed(&live, &pinged(some(0..24), some(0..0))).is_err());
        assert!(obeyed(&live, &pinged(some(0..25), some(25..26))).is_err(), "a dead one was asked");
    }
}
