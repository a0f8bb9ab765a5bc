//! Whether the services of this node could read its key.

use crux_client::model::{Check, CheckResult};

use super::{line, ok};
use crate::fulcrum::health::{Picket, Stated};

const NAME: &str = "isolation";

pub(super) fn check(stated: &Stated) -> Check {
    judge(stated, rustix::process::geteuid().is_root())
}

/// A node of root gives its services other users. One that is not root cannot, and a program of its own user may
/// open whatever it may.
fn judge(stated: &Stated, is_root: bool) -> Check {
    let count = stated.services.as_ref().map_or(0, std::collections::BTreeMap::len);
    match (stated.picket, count) {
        (Picket::None, _) => ok(NAME, "this node runs no services"),
        _ if is_root => ok(NAME, "services run as users of their own, unless their config says root"),
        (_, 0) => ok(NAME, "services would run as this node's user, and could read its key"),
        (_, count) => line(
            NAME,
            CheckResult::Warn,
            format!("{count} services run as this node's user, and could read its key"),
            "Run programs that you do not trust on a node of root, which gives them another user.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use crux_client::model::ServiceStatus;
    use crux_crdt::record::ServiceKey;

    use super::*;

    #[test]
    fn only_programs_that_share_the_node_s_user_are_warned_of() {
        let key = ServiceKey {
            horde: "main".parse().unwrap(),
            service: "web".parse().unwrap(),
            rev: "v1".parse().unwrap(),
            ordinal: 0,
        };
        let one = Some([(key, ServiceStatus::Up)].into());
        let with = |picket, services| Stated { picket, services };
        for (stated, is_root, expected) in [
            (with(Picket::None, None), false, CheckResult::Ok),
            (with(Picket::Attached, None), false, CheckResult::Ok),
            (with(Picket::Attached, one.clone()), true, CheckResult::Ok),
            (with(Picket::Attached, one.clone()), false, CheckResult::Warn),
            (with(Picket::Away, one), false, CheckResult::Warn),
        ] {
            let check = judge(&stated, is_root);
            assert_eq!(check.result, expected, "{stated:?} {is_root}");
            assert_eq!(check.hint.is_some(), expected == CheckResult::Warn);
        }
    }
}
