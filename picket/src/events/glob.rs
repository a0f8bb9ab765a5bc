//! Patterns for kinds.

/// Whether a text matches a pattern: `*` is any run of characters, `?` any one, all else itself. Takes time
/// proportional to the product of both lengths at most.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Behind the last star, and how much of the text it took.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match &mut star {
                Some((behind, taken)) => {
                    *taken += 1;
                    (p, t) = (*behind, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same slowly, to compare with.
    fn plainly(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, rest) => rest.is_none(),
            (Some(('*', rest)), None) => plainly(rest, &[]),
            (Some(('*', rest)), Some((_, tail))) => plainly(rest, text) || plainly(pattern, tail),
            (Some((c, rest)), Some((d, tail))) => (*c == '?' || c == d) && plainly(rest, tail),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn it_is_the_plain_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), plainly(&chars(&pattern), &chars(&text)));
        }
    }

    #[test]
    fn kinds() {
        assert!(matches("plugin.*", "plugin.started"));
        assert!(!matches("plugin.*", "plugin"));
        assert!(!matches("plugin.start", "plugin.started"));
        assert!(!matches(&"*a".repeat(500), &"a".repeat(400)));
    }
}
