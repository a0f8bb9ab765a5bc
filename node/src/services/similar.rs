//! The key that somebody meant.

/// Names of other tools, and the keys here.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (&["arguments", "cmd", "command"], "args"),
    (&["binary", "exe", "executable", "program"], "image"),
    (&["environment", "vars"], "env"),
    (&["healthcheck", "health", "probe"], "check"),
    (&["instances", "numprocs", "replicas", "scale"], "count"),
    (&["interval"], "period"),
    (&["revision", "version"], "rev"),
    (&["ulimit"], "nofile"),
];

/// Of the known words the one that is meant by another: spelled nearly the same, or its name elsewhere.
pub(super) fn similar<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let elsewhere = ELSEWHERE.iter().find(|(words, _)| words.contains(&word));
    let by_name = elsewhere.and_then(|(_, meant)| known.iter().find(|known| *known == meant));
    let by_letters = || {
        // A third of the letters may be wrong: `prots` is `ports`, and `tcp` is not `ttl`.
        let near = |known: &&&str| distance(word, known) * 3 <= known.len().max(3);
        known.iter().filter(near).min_by_key(|known| distance(word, known))
    };
    by_name.or_else(by_letters).copied()
}

/// How many letters have to be put in, left out or replaced, or swapped with the next: the restricted
/// Damerau–Levenshtein distance. Words much longer than any key are far from all.
fn distance(a: &str, b: &str) -> usize {
    const BYTES_MAX: usize = 40;
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().max(b.len()) > BYTES_MAX {
        return usize::MAX / 4;
    }
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = a[i - 1] == b[j - 1];
            let mut least = (last[j - 1] + usize::from(!same)).min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        (before, last) = (last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_few_letters() {
        assert_eq!(distance("ports", "ports"), 0);
        assert_eq!(distance("prots", "ports"), 1);
        assert_eq!(distance("port", "ports"), 1);
        assert_eq!(distance("", "env"), 3);
        assert_eq!(distance("start_perid", "start_period"), 1);
    }

    #[test]
    fn what_is_meant_is_found_and_nothing_far_off() {
        let known = ["args", "check", "count", "env", "ports", "start_period"];
        for (word, meant) in [
            ("prots", Some("ports")),
            ("checks", Some("check")),
            ("start-period", Some("start_period")),
            ("replicas", Some("count")),
            ("environment", Some("env")),
            ("image", None),
            ("labels", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(similar(word, &known), meant, "{word}");
        }
        assert_eq!(similar(&"x".repeat(1000), &known), None);
    }
}
