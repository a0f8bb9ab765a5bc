//! An order in which everything needs only what is before it (Kahn 1962), and the circles that have none.

use std::collections::BTreeSet;

/// Things 0, 1, … in an order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sorted {
    /// Each needs only earlier ones; otherwise, the lesser number is first. Those in a circle, and those that
    /// need one of them, are not in it.
    pub(super) order: Vec<usize>,
    /// Circles: each element needs the next, the last the first; the least is first. Every thing that cannot be
    /// ordered needs an element of one of them.
    pub(super) circles: Vec<Vec<usize>>,
}

/// Orders things by what each needs.
pub(super) fn sort(needs: &[BTreeSet<usize>]) -> Sorted {
    let mut users = vec![Vec::new(); needs.len()];
    for (at, needs) in needs.iter().enumerate() {
        for &need in needs {
            users[need].push(at);
        }
    }
    let mut missing: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    let mut ready: BTreeSet<usize> = (0..needs.len()).filter(|&at| missing[at] == 0).collect();
    let mut order = Vec::new();
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for &user in &users[at] {
            missing[user] -= 1;
            if missing[user] == 0 {
                ready.insert(user);
            }
        }
    }
    Sorted { circles: circles(needs, &order), order }
}

/// The circles among those that are not in the order: from each, walks along the first need that is not in the
/// order either, until the walk meets itself or an earlier one.
fn circles(needs: &[BTreeSet<usize>], order: &[usize]) -> Vec<Vec<usize>> {
    let mut seen = vec![false; needs.len()];
    for &at in order {
        seen[at] = true;
    }
    let left: BTreeSet<usize> = (0..needs.len()).filter(|&at| !seen[at]).collect();
    let mut circles = Vec::new();
    for &start in &left {
        let (mut walk, mut at) = (Vec::new(), start);
        while !seen[at] {
            seen[at] = true;
            walk.push(at);
            match needs[at].iter().find(|need| left.contains(need)) {
                Some(&next) => at = next,
                None => break,
            }
        }
        if let Some(begins) = walk.iter().position(|&it| it == at) {
            let mut circle = walk.split_off(begins);
            let least = (0..circle.len()).min_by_key(|&it| circle[it]).unwrap_or_default();
            circle.rotate_left(least);
            circles.push(circle);
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needs(rows: &[&[usize]]) -> Vec<BTreeSet<usize>> {
        rows.iter().map(|row| row.iter().copied().collect()).collect()
    }

    #[test]
    fn the_lesser_is_first_where_it_can_be() {
        let sorted = sort(&needs(&[&[2], &[], &[3], &[], &[]]));
        assert_eq!(sorted, Sorted { order: vec![1, 3, 2, 0, 4], circles: vec![] });
    }

    #[test]
    fn each_circle_is_found_and_begins_with_its_least() {
        let sorted = sort(&needs(&[&[3], &[1], &[0], &[4], &[2], &[], &[2, 5]]));
        assert_eq!(sorted.order, [5]);
        assert_eq!(sorted.circles, [vec![0, 3, 4, 2], vec![1]]);
    }

    proptest! {
        #[test]
        fn everything_is_ordered_or_needs_a_circle(
            rows in prop::collection::vec(prop::collection::btree_set(0_usize..8, 0..3), 8),
        ) {
            let Sorted { order, circles } = sort(&rows);
            for (place, at) in order.iter().enumerate() {
                prop_assert!(rows[*at].iter().all(|need| order[..place].contains(need)));
            }
            for circle in &circles {
                let next = circle.iter().cycle().skip(1);
                prop_assert!(circle.iter().zip(next).all(|(at, next)| rows[*at].contains(next)));
                prop_assert_eq!(circle.iter().min(), circle.first());
            }
            prop_assert_eq!(circles.is_empty(), order.len() == rows.len());
        }
    }
}
