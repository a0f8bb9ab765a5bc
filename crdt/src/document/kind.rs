//! The table of document kinds.

/// A kind of documents that this build knows: the part of a key before the first slash. Documents of other kinds
/// are kept, passed on and listed, and have no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyKind {
    /// The part of the key before the first slash.
    pub name: &'static str,
    /// Whether only the operator writes it, whatever is granted.
    pub is_operators: bool,
}

impl KeyKind {
    /// The kind of grants: `grant/PRINCIPAL`.
    pub const GRANT: &'static str = "grant";
    /// The kind of targets: `target/HORDE`.
    pub const TARGET: &'static str = "target";
    /// The kind of orders to nodes: `node/PRINCIPAL`.
    pub const NODE: &'static str = "node";
    /// The kind of settings: `setting/NAME`.
    pub const SETTING: &'static str = "setting";

    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self { name: Self::GRANT, is_operators: true },
        Self { name: "rule", is_operators: false },
        Self { name: Self::TARGET, is_operators: false },
        Self { name: "horde", is_operators: false },
        Self { name: "seat", is_operators: false },
        Self { name: Self::NODE, is_operators: false },
        Self { name: "secret", is_operators: false },
        Self { name: Self::SETTING, is_operators: true },
        Self { name: "publish", is_operators: false },
    ];

    /// The kind of this name, if this build knows it.
    pub fn named(name: &str) -> Option<&'static Self> {
        const ALL: &[KeyKind] = &KeyKind::ALL;
        ALL.iter().find(|kind| kind.name == name)
    }
}
