//! The member that a person means.

use crux_client::model::NodeRef;
use crux_crdt::Principal;
use crux_crdt::name::Label;

use crate::error::{Error, Kind};

/// The member of that name, or of that principal; else the only one whose principal begins like that. A name
/// comes first, because a person gave it.
///
/// # Errors
/// [`Kind::NotFound`]; [`Kind::InvalidArgument`] when several principals begin like that.
pub(super) fn pick(members: &[(Label, Principal)], node: &NodeRef) -> Result<Principal, Error> {
    let is_meant = |(name, principal): &&(Label, Principal)| match node {
        NodeRef::Name(meant) => name == meant,
        NodeRef::Principal(meant) => principal == meant,
    };
    if let Some((_, principal)) = members.iter().find(is_meant) {
        return Ok(*principal);
    }
    if let Some(prefix) = node.prefix() {
        let begin = members.iter().filter(|(_, principal)| prefix.matches(principal.as_bytes()));
        let found: Vec<_> = begin.collect();
        match found.as_slice() {
            [] => {}
            [(_, principal)] => return Ok(*principal),
            several => {
                let several = several.iter().map(|(name, it)| (it.to_string(), name.to_string()));
                return Err(prefix.ambiguous("members", several));
            }
        }
    }
    Err(Error::new(Kind::NotFound, "no such member").with_hint("`members` lists who there is."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> Vec<(Label, Principal)> {
        let member = |name: &str, head: [u8; 3]| {
            let mut key = [9; 32];
            key[..3].copy_from_slice(&head);
            (name.parse().unwrap(), Principal(key))
        };
        vec![
            member("n1", [0xab, 0xcd, 0x11]),
            member("n2", [0xab, 0xcd, 0x12]),
            member("beef", [1, 1, 1]),
            member("n4", [0xbe, 0xef, 4]),
        ]
    }

    fn picked(node: &str) -> Result<Principal, Error> {
        pick(&members(), &NodeRef::parse(node).unwrap())
    }

    #[test]
    fn as_few_digits_as_tell_one_from_the_others() {
        let all = members();
        assert_eq!(picked("abcd12"), Ok(all[1].1));
        assert_eq!(picked(&all[1].1.short()), Ok(all[1].1));
        assert_eq!(picked(&all[1].1.to_string()), Ok(all[1].1));
        assert_eq!(picked("n2"), Ok(all[1].1));
        assert_eq!(picked("beef0"), Ok(all[3].1));
        assert_eq!(picked("beef"), Ok(all[2].1), "a name comes first");
    }

    #[test]
    fn what_several_begin_with_names_them() {
        let err = picked("abcd1").unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidArgument);
        let said = err.to_string();
        assert!(said.contains("n1") && said.contains("n2") && !said.contains("n4"), "{said}");
    }

    #[test]
    fn what_nobody_begins_with_is_not_found() {
        for unknown in ["ffff", "abc", "n9", "abcd13"] {
            assert_eq!(picked(unknown).unwrap_err().kind(), Kind::NotFound, "{unknown}");
        }
    }
}
