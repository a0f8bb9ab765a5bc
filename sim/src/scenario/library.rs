use super::Scenario;

/// Names and texts of every scenario, the default first.
macro_rules! texts {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../scenarios/", $name, ".scenario")))),*]
    };
}

const TEXTS: &[(&str, &str)] = texts![
    "day",
    "form",
    "heal",
    "restart",
    "announced",
    "kill",
    "stop",
    "stall",
    "silent",
    "one-way",
    "islands",
    "wipe",
    "retired",
    "old",
    "leave",
    "anew",
    "anew-early",
    "clone",
    "twins",
    "namesake",
    "side",
    "full",
    "chaos",
    "cut-one",
    "cut-five",
    "quarter",
    "ghosts",
    "claim",
    "long-cut",
    "pair",
    "slow",
    "unlisted",
    "rivals",
    "revoked",
    "documents",
    "floods",
    "unwell",
    "churn",
    "orphans",
    "two-targets",
    "parted",
    "moved",
    "drains",
    "way-back",
    "power",
    "chains",
    "picket",
    "goals",
];

/// The scenarios that come with the program; the first is the default.
pub fn library() -> Vec<Scenario> {
    let parse = |(name, text): &(&str, &str)| {
        Scenario::parse(name, text).unwrap_or_else(|wrong| unreachable!("{name}: {wrong}"))
    };
    TEXTS.iter().map(parse).collect()
}

/// One of them.
pub fn by_name(name: &str) -> Option<Scenario> {
    library().into_iter().find(|known| known.name == name)
}
