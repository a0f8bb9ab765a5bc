//! The name that somebody meant.

/// Of the known names the one that is spelled nearly as `name`: a third of its letters may be wrong.
pub(crate) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // The distance takes time by the product of both lengths.
    const BYTES_MAX: usize = 40;
    if name.len() > BYTES_MAX {
        return None;
    }
    let near = known.filter(|known| known.len() <= BYTES_MAX).filter_map(|known| {
        let distance = strsim::osa_distance(&name.to_lowercase(), &known.to_lowercase());
        (distance * 3 <= known.len().max(3)).then_some((distance, known))
    });
    near.min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::similar;

    #[test]
    fn slips_are_near_and_other_names_are_not() {
        let known = || ["frontend", "db", "cache"].into_iter();
        assert_eq!(similar("frontedn", known()), Some("frontend"));
        assert_eq!(similar("Cache", known()), Some("cache"));
        assert_eq!(similar("dc", known()), Some("db"));
        assert_eq!(similar("web", known()), None);
        assert_eq!(similar(&"cache".repeat(1000), known()), None);
    }
}
