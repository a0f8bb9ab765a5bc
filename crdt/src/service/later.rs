//! Keys that a config cannot have yet.

/// Keys that a config cannot have yet, and will: `docs/design` has what for. Of a key within a table the two names
/// have a dot between them. Readers of people's texts refuse them with a word of their own, at their place; to serde
/// they are unknown keys.
pub const LATER_KEYS: &[&str] = &[
    "group",
    "sandbox",
    "entry",
    "longest_work",
    "dump_signal",
    "logs",
    "effective_at",
    "rollout.canary",
    "rollout.settle",
    "rollout.promote",
    "rollout.on_failure",
    "move.stop_when_cut_off",
];
