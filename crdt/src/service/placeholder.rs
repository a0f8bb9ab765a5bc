//! Placeholders in arguments and variables: `${port.NAME}`, `${addr}`, `${dir}`.
//!
//! They are filled when an instance starts, because a port that is `auto` has its number only then. Nothing
//! else that begins with `${` is touched: scripts have variables of their own. A `$` before a placeholder
//! takes its meaning away, and goes itself: `$${dir}` is the text `${dir}`.
//!
//! **Invariant**: a text without placeholders is filled to itself, and what is put in is not read again.

use std::collections::BTreeMap;

use super::port::PortName;

/// The values of an instance's placeholders.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The number of each port.
    pub ports: &'a BTreeMap<PortName, u16>,
    /// The address to listen at.
    pub addr: &'a str,
    /// The directory of the instance.
    pub dir: &'a str,
}

impl Places<'_> {
    /// The text with its placeholders filled. That of a port without a number stays; a checked config has
    /// none when all its ports are here.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(found) = find(rest) {
            match self.value(found.placeholder) {
                _ if found.escaped => {
                    filled.push_str(&rest[..found.start - 1]);
                    filled.push_str(&rest[found.start..found.end]);
                }
                Some(value) => {
                    filled.push_str(&rest[..found.start]);
                    filled.push_str(&value);
                }
                None => filled.push_str(&rest[..found.end]),
            }
            rest = &rest[found.end..];
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, placeholder: Placeholder<'_>) -> Option<String> {
        Some(match placeholder {
            Placeholder::Addr => self.addr.to_owned(),
            Placeholder::Dir => self.dir.to_owned(),
            Placeholder::Port(name) => {
                let port = self.ports.iter().find(|(port, _)| port.as_str() == name);
                port?.1.to_string()
            }
        })
    }
}

/// The name between `${` and `}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder<'a> {
    Addr,
    Dir,
    /// Of that name, which is perhaps not the name of a port.
    Port(&'a str),
}

/// The placeholders of a text, without those whose meaning is taken away.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = Placeholder<'_>> {
    let mut rest = text;
    let all = core::iter::from_fn(move || {
        let found = find(rest)?;
        rest = &rest[found.end..];
        Some(found)
    });
    all.filter(|found| !found.escaped).map(|found| found.placeholder)
}

/// A placeholder in a text, and where: `start` is its `$`, `end` is behind its `}`.
struct Found<'a> {
    start: usize,
    end: usize,
    /// Whether a `$` is before it.
    escaped: bool,
    placeholder: Placeholder<'a>,
}

/// The first placeholder.
fn find(text: &str) -> Option<Found<'_>> {
    text.match_indices("${").find_map(|(start, _)| {
        let inner = &text[start + 2..];
        let (placeholder, len) = read(inner)?;
        let escaped = text[..start].ends_with('$');
        Some(Found { start, end: start + 2 + len, escaped, placeholder })
    })
}

/// The placeholder that begins a text behind `${`, and its length with the `}`.
fn read(inner: &str) -> Option<(Placeholder<'_>, usize)> {
    if inner.starts_with("addr}") {
        return Some((Placeholder::Addr, 5));
    }
    if inner.starts_with("dir}") {
        return Some((Placeholder::Dir, 4));
    }
    let name = inner.strip_prefix("port.")?;
    // Not beyond what a name can have: a text of openings alone would be read once for each.
    let end = name.bytes().take(PortName::MAX + 1).position(|b| b == b'}')?;
    Some((Placeholder::Port(&name[..end]), 5 + end + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fill(text: &str) -> String {
        let ports = [("http", 27_200), ("admin_2", 9)];
        let ports = ports.map(|(name, port)| (name.parse().unwrap(), port)).into();
        Places { ports: &ports, addr: "127.0.0.1", dir: "/d/${addr}" }.fill(text)
    }

    #[test]
    fn known_placeholders_are_filled_and_nothing_else() {
        for (text, filled) in [
            ("", ""),
            ("${addr}:${port.http}", "127.0.0.1:27200"),
            ("${port.admin_2}${port.admin_2}", "99"),
            ("--dir=${dir}/x", "--dir=/d/${addr}/x"),
            ("$${dir} $$ $", "${dir} $$ $"),
            ("$$${dir}", "$${dir}"),
            ("${HOME} ${port} ${port.nope} ${addr", "${HOME} ${port} ${port.nope} ${addr"),
            ("${${addr}}", "${127.0.0.1}"),
            ("köln${port.http}köln", "köln27200köln"),
            ("${port.kölnkölnkölnkölnkölnkölnköln}", "${port.kölnkölnkölnkölnkölnkölnköln}"),
        ] {
            assert_eq!(fill(text), filled, "{text}");
        }
    }

    #[test]
    fn a_placeholder_whose_meaning_is_taken_away_names_no_port() {
        let all: Vec<_> = placeholders("$${port.a} ${port.b} ${dir}").collect();
        assert_eq!(all, [Placeholder::Port("b"), Placeholder::Dir]);
    }

    proptest! {
        #[test]
        fn fuzz_texts(text in "(\\$|\\{|\\}|\\$\\{addr\\}|\\$\\{port\\.|http|é|\\PC){0,40}") {
            let filled = fill(&text);
            prop_assert!(placeholders(&text).next().is_some() || text.contains("$$") || filled == text);
        }
    }
}
