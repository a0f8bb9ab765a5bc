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
    match (stated.picket, stated.named.is_empty()) {
        (Picket::None, _) => ok(NAME, "this node runs no services"),
        _ if is_root => {
            ok(NAME, "services run as users of their own, unless their config says root")
        }
        (_, true) => ok(NAME, "services would run as this node's user, and could read its key"),
        (_, false) => line(
            NAME,
            CheckResult::Warn,
            "services run as this node's user, and could read its key".to_owned(),
            "Run programs that you do not trust on a node of root, which gives them another user.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_programs_that_share_the_node_s_user_are_warned_of() {
        let one = BTreeMap::from([("web".to_owned(), true)]);
        let with = |picket, named| Stated { picket, services: None, named };
        for (stated, is_root, expected) in [
            (with(Picket::None, BTreeMap::new()), false, CheckResult::Ok),
            (with(Picket::Attached, BTreeMap::new()), false, CheckResult::Ok),
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
