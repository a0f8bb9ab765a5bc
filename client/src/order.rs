//! The order in which names are shown: n2 before n10.
//!
//! **Invariant**: a total order on texts, and equal only for equal texts, so that tables, JSON and the
//! control API list the same things in the same order on every node. It is for people alone: what is
//! signed or compared between nodes is ordered by bytes.

use std::cmp::Ordering;

use crux_crdt::path::FlockId;

use crate::model::{Instance, Service};

/// Compares texts as people do: a run of digits is a number, all else goes by its bytes.
pub fn by_name(a: &str, b: &str) -> Ordering {
    numbers_as_numbers(a.as_bytes(), b.as_bytes()).then_with(|| a.cmp(b))
}

/// Compares paths part by part, each as [`by_name`] does.
pub fn by_path(a: &FlockId, b: &FlockId) -> Ordering {
    let mut pairs = parts(a).into_iter().zip(parts(b)).map(|(a, b)| by_name(a, b));
    pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Compares services by [`by_path`], then by ordinal.
pub fn by_service(a: &Service, b: &Service) -> Ordering {
    by_path(&a.path, &b.path).then_with(|| a.ordinal.cmp(&b.ordinal))
}

/// Compares instances by their services' names, then by ordinal, then by id: an update may have two of one ordinal.
pub fn by_instance(a: &Instance, b: &Instance) -> Ordering {
    by_name(a.service.as_str(), b.service.as_str())
        .then_with(|| a.ordinal.cmp(&b.ordinal))
        .then_with(|| a.instance.cmp(&b.instance))
}

fn parts(path: &FlockId) -> [&str; 5] {
    let FlockId { flock, horde, node, service, rev } = path;
    [flock.as_str(), horde.as_str(), node.as_str(), service.as_str(), rev.as_str()]
}

fn numbers_as_numbers(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let ((x, rest_a), (y, rest_b)) = (number(a), number(b));
        let order = if x.is_empty() || y.is_empty() {
            match (a.split_first(), b.split_first()) {
                (None, None) => return Ordering::Equal,
                (x, y) => {
                    let order = x.map(|(x, _)| x).cmp(&y.map(|(y, _)| y));
                    (a, b) = (a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default());
                    order
                }
            }
        } else {
            (a, b) = (rest_a, rest_b);
            let (x, y) = (without_zeros(x), without_zeros(y));
            // Of numbers without leading zeros the longer one is the greater.
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The digits that a text begins with, and the rest.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascending(names: &[&str]) {
        for (at, a) in names.iter().enumerate() {
            for (other, b) in names.iter().enumerate() {
                assert_eq!(by_name(a, b), at.cmp(&other), "{a} {b}");
            }
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        ascending(&["", "-", "0", "00", "1", "2", "10", "a", "n", "n-1", "n01", "n1", "n1a"]);
        ascending(&["n2", "n9", "n10", "n10b", "n11a", "n99", "n100", "na", "o1"]);
        ascending(&["rack2-n10", "rack10-n2", "rack10-n10"]);
        // Longer than any integer.
        let long = "9".repeat(40);
        ascending(&["n2", &format!("n{long}"), &format!("n1{long}")]);
    }

    /// The laws that a sort needs of a comparison hold on every triple of short texts.
    #[test]
    fn it_is_a_total_order() {
        let letters = ["", "0", "1", "2", "a", "-"];
        let texts: Vec<String> = letters
            .iter()
            .flat_map(|a| letters.iter().flat_map(move |b| letters.map(|c| format!("{a}{b}{c}"))))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        for a in &texts {
            for b in &texts {
                assert_eq!(by_name(a, b), by_name(b, a).reverse(), "{a} {b}");
                assert_eq!(by_name(a, b).is_eq(), a == b, "{a} {b}");
                for c in &texts {
                    if by_name(a, b).is_lt() && by_name(b, c).is_lt() {
                        assert!(by_name(a, c).is_lt(), "{a} {b} {c}");
                    }
                }
            }
        }
    }

    #[test]
    fn paths_are_compared_part_by_part() {
        let path = |text: &str| -> FlockId { text.parse().unwrap() };
        let ordered = [
            "/dev/main/n1-a/z/r1",
            "/dev/main/n2/web/r2",
            "/dev/main/n2/web/r10",
            "/dev/main/n2/web2/r1",
            "/dev/main/n10/a/r1",
        ]
        .map(path);
        for pair in ordered.windows(2) {
            assert_eq!(by_path(&pair[0], &pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(by_path(&pair[0], &pair[0]), Ordering::Equal);
        }
    }
}
