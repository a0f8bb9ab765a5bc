//! Whether the operator's key stays what it is for.

use crux_client::model::{Check, CheckResult};
use crux_crdt::document::Documents;

use super::{line, ok};

/// How many keys are named.
const NAMED_MAX: usize = 4;

/// Looks for documents of the operator that a user could have signed. The operator's key is then used every day, on
/// machines where it can be stolen, and with it the flock. `user rm` makes such documents, too: they are another
/// user's to sign again.
pub(super) fn check(documents: &Documents) -> Check {
    let shown = documents.shelves().filter(|shelf| {
        let winner = shelf.winner();
        let is_operators = winner.key().row().is_some_and(|kind| kind.is_operators);
        winner.is_operators() && !is_operators && !winner.is_deleted()
    });
    let mut keys: Vec<_> = shown.map(|shelf| shelf.key().to_string()).collect();
    if keys.is_empty() {
        return ok("operator", "the operator's key signed only what nobody else may");
    }
    let number = keys.len();
    keys.sort_unstable();
    keys.truncate(NAMED_MAX);
    let more = if number > NAMED_MAX { ", and more" } else { "" };
    line(
        "operator",
        CheckResult::Warn,
        format!(
            "the operator's key signed {number} documents that a user could sign: {}{more}",
            keys.join(", ")
        ),
        "Keep that key offline: make one for each person with `user keygen` and `user add`, and sign these again \
         with `doc put --identity`.",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crux_crdt::Digest;
    use crux_crdt::document::{Body, Document, Key};
    use crux_crdt::sign::Identity;

    use super::*;

    fn with(documents: &[(&str, u64, Option<&[u8]>)]) -> Check {
        let operator = Identity::from_seed(&[1; 32]);
        let mut all = Documents::default();
        for (key, generation, content) in documents {
            let key = Key::new(key).unwrap();
            let body = Body::new(key, 1, *generation, content.map(Into::into));
            let document = Document::sign(body, &Digest([7; 32]), &operator, None).unwrap();
            all.merge(Arc::new(document));
        }
        check(&all)
    }

    #[test]
    fn an_operators_key_in_everyday_use_is_told() {
        let some = Some(b"x".as_slice());
        assert_eq!(with(&[]).result, CheckResult::Ok);
        assert_eq!(with(&[("setting/log", 1, some)]).result, CheckResult::Ok);
        let gone = [("target/main", 1, some), ("target/main", 2, None)];
        assert_eq!(with(&gone).result, CheckResult::Ok);
        let told = with(&[("target/main", 1, some), ("later/x", 1, some)]);
        assert_eq!(told.result, CheckResult::Warn);
        assert!(told.detail.contains("2 documents"), "{}", told.detail);
        assert!(told.detail.ends_with("later/x, target/main"), "{}", told.detail);
        let many: Vec<_> = (0..9).map(|n| format!("rule/{n}")).collect();
        let many: Vec<_> = many.iter().map(|key| (key.as_str(), 1, some)).collect();
        assert!(with(&many).detail.ends_with("rule/3, and more"), "{}", with(&many).detail);
    }
}
