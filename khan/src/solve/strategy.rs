//! How a round decides where nothing else does.
//!
//! Picks that rest on each other are NP-hard, so rounds try different ways, and the best counts. Each way is one
//! answer to a question that a single pass has to answer before it can know:
//!
//! * *Which of several equal nodes?* Plainly the least loaded one, then by name. Or, looking ahead, one where what
//!   rests on the pick runs, so that it may stay (`look`); or one that a pick which found nothing in an earlier
//!   round could use (`hungry`); or, to leave a dead end, one further down the list (`turn`).
//! * *How do picks count that are not decided yet?* They stay where they run ([`Guess::Runs`]), or might be elsewhere
//!   too ([`Guess::RunsOrMay`]), or might be anywhere ([`Guess::May`]).
//! * *May a kept instance be given up, so that what found nothing gets its place?* `swaps` says how many.
//! * *In which order are picks served?* What runs of picks that rest on others keeps its room until they are decided; or it
//!   makes way, and gets what is left (`make_way`).

/// The assumption of a round about a pick that is not decided yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecided {
    /// It stays where it runs.
    Runs,
    /// It stays where it runs, and may be on other nodes too.
    RunsOrMay,
    /// It may be on any node.
    May,
}

/// How a round decides where nothing else does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strategy {
    /// Picks prefer nodes that what rests on them has a use for.
    pub(super) look: bool,
    /// Picks that found nothing in an earlier round are looked out for.
    pub(super) hungry: bool,
    /// The assumption about picks that are not decided yet, if any found nothing.
    pub(super) undecided: Undecided,
    /// How many kept instances of a pick may be given up for what rests on it.
    pub(super) swaps: usize,
    /// Picks that rest on others have no room until they are decided.
    pub(super) make_way: bool,
    /// By how many ninths of the nodes the order of names is turned.
    pub(super) turn: usize,
}

/// As the design has it: nothing is looked ahead for.
pub(super) const PLAIN: Strategy = Strategy {
    look: false,
    hungry: false,
    undecided: Undecided::Runs,
    swaps: 0,
    make_way: false,
    turn: 0,
};
const HUNGRY: Strategy =
    Strategy { look: true, hungry: true, undecided: Undecided::RunsOrMay, ..PLAIN };
const BLIND: Strategy = Strategy { undecided: Undecided::May, ..HUNGRY };

/// The rounds, in this order. The first is the whole search if no pick rests on another. The last nine differ in
/// turn, and only in a mixture of the rest: the mixture is a guess that did well against trying everything.
pub(super) const ROUNDS: [Strategy; 12] = [
    PLAIN,
    Strategy { look: true, ..PLAIN },
    HUNGRY,
    Strategy { swaps: 1, ..BLIND },
    Strategy { swaps: 1, turn: 1, ..HUNGRY },
    Strategy { make_way: true, turn: 2, ..HUNGRY },
    Strategy { swaps: usize::MAX, turn: 3, ..HUNGRY },
    Strategy { swaps: 1, turn: 4, ..BLIND },
    Strategy { make_way: true, turn: 5, ..HUNGRY },
    Strategy { look: false, make_way: true, turn: 6, ..HUNGRY },
    Strategy { swaps: usize::MAX, turn: 7, ..HUNGRY },
    Strategy { swaps: 1, turn: 8, ..BLIND },
];
