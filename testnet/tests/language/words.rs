//! The words: what is not written, and where it may be.

/// A phrase that is not written, in lower case.
pub(super) struct Rule {
    pub(super) words: &'static str,
    /// Longer phrases with it that are fine.
    pub(super) unless: &'static [&'static str],
}

const fn never(words: &'static str) -> Rule {
    Rule { words, unless: &[] }
}

/// `docs/develop/style.md` says what to write instead.
pub(super) const RULES: &[Rule] = &[
    never("anew"),
    Rule { words: "stands", unless: &["stands for"] },
    never("comes to"),
    never("said of"),
    never("told of"),
    never("looked at"),
    never("goes on"),
    never("be it"),
    never("hearsay"),
    never("whoever"),
    never("whomever"),
    never("earlier life"),
    never("planted mistake"),
    never("planted mistakes"),
    never("beat"),
    never("beats"),
    never("a cut"),
    never("the cut"),
    never("over a limit"),
    never("over the limit"),
    never("over its limit"),
    never("leads no more"),
    Rule { words: "is no", unless: &["there is no", "is no longer", "is no more than"] },
    Rule { words: "are no", unless: &["there are no", "are no longer", "are no more than"] },
];

/// Words that begin no sentence but a question.
pub(super) const OPENERS: &[&str] = &["Who", "Whom", "Whose", "Whoever", "Whomever", "What"];
/// The same for comments outside of the strict places: elsewhere "What it does" still heads many fields.
pub(super) const OPENERS_OF_COMMENTS: &[&str] = &["Who", "Whom", "Whose", "Whoever", "Whomever"];

/// A place where a rule does not hold.
pub(super) struct Exception {
    /// Which check: `pages`, `strings` or `comments`.
    pub(super) of: &'static str,
    /// A file, or a directory.
    pub(super) place: &'static str,
    /// The rule, as the test names it; empty: all of them.
    pub(super) rule: &'static str,
    /// Part of the passage; empty: any.
    pub(super) text: &'static str,
    pub(super) why: &'static str,
}

pub(super) const EXCEPTIONS: &[Exception] = &[Exception {
    of: "pages",
    place: "docs/develop/style.md",
    rule: "",
    text: "",
    why: "the page that lists what not to write",
}];
