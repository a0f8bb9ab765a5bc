use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::host::derive;
use crate::scenario::Scenario;

/// Which scenario a seed chooses, by weight, and how many nodes.
///
/// # Panics
/// When none has any weight.
pub fn choose(library: &[Scenario], seed: u64) -> (&Scenario, usize) {
    let mut luck = StdRng::from_seed(derive(seed, "choice", 0));
    let total: u32 = library.iter().map(|scenario| scenario.weight).sum();
    let mut at = luck.random_range(0..total);
    let chosen = library.iter().find(|scenario| {
        let here = at < scenario.weight;
        at = at.saturating_sub(scenario.weight);
        here
    });
    let scenario = chosen.expect("the weights come to their total");
    (scenario, scenario.draw_size(&mut luck))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::scenario::library;

    #[test]
    fn seeds_choose_all_that_have_weight_and_sizes_within_bounds() {
        let library = library();
        let mut chosen = BTreeMap::<&str, usize>::new();
        for seed in 0..2_000 {
            let (scenario, nodes) = choose(&library, seed);
            assert!((scenario.sizes.0..=scenario.sizes.1).contains(&nodes));
            *chosen.entry(&scenario.name).or_default() += 1;
        }
        for scenario in &library {
            let often = chosen.get(&*scenario.name).copied().unwrap_or_default();
            assert_eq!(often > 0, scenario.weight > 0, "{}", scenario.name);
        }
    }
}
