//! Names of nodes.

use core::fmt;
use core::str::FromStr;

use super::error::check_len;
use super::label::nearest;
use super::{Label, NameError};
use crate::id::Principal;

/// The name a node claims: a [`Label`] of at most [`NodeName::MAX`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Label);

impl NodeName {
    /// The greatest length in bytes: leaves room for the suffix of a name that lost its claim.
    pub const MAX: usize = 55;

    /// Between the name and the first digits of its principal, where another node holds the name.
    const LOST: &str = "-x-";

    /// How many digits of the principal follow.
    const LOST_DIGITS: usize = 6;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name as a label: how the holder is shown.
    pub fn as_label(&self) -> &Label {
        &self.0
    }

    /// The name that is nearest to what somebody wrote, to suggest it: see [`Label::nearest`].
    pub fn nearest(s: &str) -> Option<Self> {
        nearest(s, Self::MAX)?.try_into().ok()
    }

    /// How a node is shown whose name another one holds: `name-x-` and six digits of its principal.
    ///
    /// A name of [`NodeName::MAX`] bytes loses its last byte, so that the result is a label.
    pub fn shown_without_claim(&self, principal: &Principal) -> Label {
        let room = Label::MAX - Self::LOST.len() - Self::LOST_DIGITS;
        let name = &self.as_str()[..self.as_str().len().min(room)];
        let digits = &principal.short()[..Self::LOST_DIGITS];
        // The parts are ASCII labels and the sum fits: falls back to the name all the same.
        format!("{name}{}{digits}", Self::LOST).parse().unwrap_or_else(|_| self.0.clone())
    }
}

impl FromStr for NodeName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        check_len(s, Self::MAX)?;
        s.parse::<Label>()?.try_into()
    }
}

/// Whether a label has a form under which nodes without a name are shown. Were it claimed, one node
/// could pass for another.
fn is_reserved(name: &str) -> bool {
    let hex = |s: &str, len| s.len() == len && s.bytes().all(|b| b.is_ascii_hexdigit());
    let lost = name.rsplit_once(NodeName::LOST).is_some_and(|(_, tail)| hex(tail, 6));
    lost || name.strip_prefix("node-").is_some_and(|tail| hex(tail, 8))
}

impl TryFrom<Label> for NodeName {
    type Error = NameError;

    fn try_from(label: Label) -> Result<Self, NameError> {
        check_len(label.as_str(), Self::MAX)?;
        if is_reserved(label.as_str()) {
            return Err(NameError::Reserved);
        }
        Ok(Self(label))
    }
}

impl From<NodeName> for Label {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn forms_that_crux_gives_are_refused() {
        use super::{NameError, NodeName};
        for name in ["node-deadbeef", "web-x-ababab", "a-x-000000"] {
            assert_eq!(name.parse::<NodeName>(), Err(NameError::Reserved), "{name}");
        }
        for name in ["node-1", "node-deadbeefs", "web-x-1", "x-x-zzzzzz"] {
            assert!(name.parse::<NodeName>().is_ok(), "{name}");
        }
    }

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_a_shorter_label() {
        let long = "a".repeat(56);
        assert_eq!(long.parse::<NodeName>(), Err(NameError::TooLong { len: 56, max: 55 }));
        let label: Label = long.parse().unwrap();
        assert!(NodeName::try_from(label).is_err());
        assert!("node-1".parse::<NodeName>().is_ok());
        assert!("Node".parse::<NodeName>().is_err());
    }

    #[test]
    fn the_nearest_name_is_short_enough_and_not_reserved() {
        let nearest = |s: &str| NodeName::nearest(s).map(|name| name.to_string());
        assert_eq!(nearest("web01.example.org").as_deref(), Some("web01"));
        assert_eq!(nearest(&"a".repeat(99)), Some("a".repeat(55)));
        assert_eq!(nearest("node-deadbeef.example.org"), None);
    }

    #[test]
    fn shows_six_digits_of_the_principal() {
        let name: NodeName = "web".parse().unwrap();
        let principal = Principal([0xab; 32]);
        assert_eq!(name.shown_without_claim(&principal).as_str(), "web-x-ababab");
    }

    proptest! {
        #[test]
        fn every_name_can_be_shown_without_claim(
            s in "[a-z0-9]([a-z0-9-]{0,53}[a-z0-9])?",
            bytes in any::<[u8; 32]>(),
        ) {
            let name: NodeName = s.parse().unwrap();
            let shown = name.shown_without_claim(&Principal(bytes));
            prop_assert!(shown.as_str().contains("-x-"));
            prop_assert!(s.starts_with(shown.as_str().rsplit_once("-x-").unwrap().0));
        }
    }
}
