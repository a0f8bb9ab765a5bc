//! Peers whose formats this node does not know.

use crux_client::model::{Check, CheckResult};
use crux_protocol::flock::OtherVersion;

use super::{line, ok};

const NAME: &str = "versions";

/// Warns of each peer that runs another version.
pub(super) fn check(others: &[OtherVersion]) -> Check {
    if others.is_empty() {
        return ok(NAME, "no peer was met whose formats this node does not know");
    }
    let peers: Vec<_> =
        others.iter().map(|other| format!("{} ({})", other.addr, other.what)).collect();
    let verb = if peers.len() == 1 { "peer runs" } else { "peers run" };
    line(
        NAME,
        CheckResult::Warn,
        format!("{} {verb} another version of Crux: {}", peers.len(), peers.join(", ")),
        "Upgrade these nodes or this one; docs/operate/upgrading.md says which builds mix.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_is_named_with_its_address_and_what_showed_it() {
        assert_eq!(check(&[]).result, CheckResult::Ok);
        let other =
            |addr: &str, what: &str| OtherVersion { addr: addr.to_owned(), what: what.to_owned() };
        let one = other("192.0.2.1:7117", "it does not speak /crux/join/2");
        let warned = check(std::slice::from_ref(&one));
        assert_eq!(warned.result, CheckResult::Warn);
        assert_eq!(
            warned.detail,
            "1 peer runs another version of Crux: 192.0.2.1:7117 (it does not speak /crux/join/2)"
        );
        let two = check(&[one, other("[2001:db8::1]:7117", "it sent act version 3")]);
        assert!(two.detail.starts_with("2 peers run"), "{}", two.detail);
        assert!(two.detail.ends_with("[2001:db8::1]:7117 (it sent act version 3)"));
        assert!(two.hint.is_some());
    }
}
