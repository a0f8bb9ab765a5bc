//! Each seeded fault breaks something that a person would notice: the histories and the model look for it without
//! knowing the definitions.

use crux_crdt::planted::{Bug, plant};

use crate::evicting::{self, Begin, Evicting};
use crate::histories::play;

/// How many histories may be needed.
const SEEDS_MAX: u64 = 400;

fn histories_catch(bug: Bug) {
    for seed in 0..SEEDS_MAX {
        plant(Some(bug));
        let (bad, _) = play(seed, false);
        plant(None);
        if let Some(bad) = bad {
            println!("{bug:?} is caught by history {seed}: {bad:?}");
            assert_eq!(play(seed, false).0, None, "without the fault");
            return;
        }
    }
    panic!("{bug:?} was not caught by {SEEDS_MAX} histories");
}

fn the_model_catches(bug: Bug, model: Evicting) {
    let law = evicting::broken_law(bug, model);
    println!("{bug:?} breaks in the model: {law:?}");
    assert!(law.is_some(), "{bug:?} breaks no law of the model");
}

macro_rules! faults {
    ($($name:ident: $bug:ident in $model:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn in_histories() {
                histories_catch(Bug::$bug);
            }

            #[test]
            fn in_the_model() {
                the_model_catches(Bug::$bug, $model);
            }
        })*

        #[test]
        fn every_one_has_a_test() {
            let tested = [$(Bug::$bug),*];
            for bug in Bug::OF_EVICTIONS {
                assert!(tested.contains(&bug), "{bug:?} has no test");
            }
        }
    };
}

faults! {
    lists_members: ListsMembers in Evicting::joining(Begin::Star);
    one_listed_end: OneListedEnd in Evicting::joining(Begin::Chain);
    after_of_evicted: AfterOfEvicted in Evicting::forging(Begin::Star);
    list_of_subject_alone: ListOfSubjectAlone in Evicting::approving();
    no_way_through_evicted: NoWayThroughEvicted in Evicting::joining(Begin::Star);
    lists_intersected: ListsIntersected in Evicting::approving();
}
