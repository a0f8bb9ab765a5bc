//! How full the replica is, and who filled it.

use crux_client::model::{Check, CheckResult};
use crux_protocol::flock::{Brought, State};

use super::{line, ok};

/// From here on, in percent of the limit, it is worth a warning.
const WARN_PERCENT: usize = 75;
/// How many members of a chain of admissions are named; longer ones are cut short in the middle.
const CHAIN_MAX: usize = 4;

/// Fails when the replica is full: then it may lack what other members show.
pub(super) fn check(state: &State) -> Check {
    let (held, limit) = (state.strew().footprint(), state.replica_max());
    let detail = format!("{} of {} MiB", held >> 20, limit >> 20);
    let full = state.is_replica_full();
    if !full && held < limit / 100 * WARN_PERCENT {
        return ok("replica", detail);
    }
    let brought: Vec<_> = state.brought_most().iter().map(|it| describe(state, it)).collect();
    let most = format!("most came by {}", brought.join("; "));
    if full {
        return line(
            "replica",
            CheckResult::Fail,
            format!(
                "full, {detail}: no further members are taken in, and this node may show less than others; {most}"
            ),
            "`forget` members that should not be there, on every node that is full, or start the \
             nodes with a greater --replica-max.",
        );
    }
    let hint = "Find out who admits so many members, before the replica is full.";
    line("replica", CheckResult::Warn, format!("{detail}; {most}"), hint)
}

fn describe(state: &State, brought: &Brought) -> String {
    let name = |who| state.names().of(who).to_string();
    let Brought { member, through, authors, bytes } = brought;
    let mut text = format!("{} ({authors} members, {} MiB", name(member), bytes >> 20);
    if !through.is_empty() {
        let mut chain: Vec<_> = through.iter().map(name).collect();
        if chain.len() > CHAIN_MAX {
            let left_out = chain.len() - CHAIN_MAX;
            chain.splice(2..2 + left_out, [format!("{left_out} more")]);
        }
        text += &format!(", admitted through {}", chain.join(" > "));
    }
    text + ")"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use crux_crdt::Digest;
    use crux_crdt::act::{Act, Statement};
    use crux_crdt::fact::Fact;
    use crux_crdt::record::{Frontier, Header, Marker, Profile, Record, slots_root};
    use crux_crdt::sign::{Ed25519, Identity, Signed};
    use crux_protocol::context::{Apart, Context};
    use crux_protocol::flock::{Config, Parts, Restored};
    use crux_protocol::genesis::{InitialSecret, JoinKey};
    use crux_protocol::time::Instant;
    use zeroize::Zeroizing;

    use super::*;

    const FLOCK: Digest = Digest([7; 32]);

    fn identity(n: u8) -> Identity {
        Identity::from_seed(&[n; 32])
    }

    fn admission(by: u8, of: u8) -> Arc<Signed<Act>> {
        let statement = Statement::admit(identity(of).principal(), 1);
        let act = Act { number: of.into(), previous: Digest::default(), statement };
        Arc::new(Signed::sign(act, &FLOCK, &identity(by)))
    }

    fn record(of: u8, name: &str) -> Arc<Record> {
        let profile = Profile { name: Some(name.parse().unwrap()), ..Profile::default() };
        let header = Header {
            marker: Marker { incarnation: 1, ..Marker::default() },
            slots_root: slots_root([].iter()),
            profile_hash: profile.hash(),
            acts: Frontier::default(),
        };
        let header = Signed::sign(header, &FLOCK, &identity(of));
        Arc::new(Record::new(header, profile, BTreeMap::new()).unwrap())
    }

    /// Node 1 admitted `hub`, that one `liar`, and that one twenty others.
    fn state(replica_max: usize) -> State {
        let others = 10..30;
        let acts = [admission(1, 2), admission(2, 3)];
        let acts = acts.into_iter().chain(others.clone().map(|n| admission(3, n)));
        let named = [record(2, "hub"), record(3, "liar")];
        let records = others.map(|n| record(n, &format!("key-{n}")));
        let restored = Restored {
            facts: acts
                .map(Fact::from)
                .chain(named.map(Fact::from))
                .chain(records.map(Fact::from))
                .collect(),
            ..Restored::default()
        };
        let identity = Arc::new(identity(1));
        let context = Context {
            flock: FLOCK,
            operator: None,
            me: identity.principal(),
            verifier: Arc::new(Ed25519),
            sharing: Arc::new(Apart),
        };
        let join_key = JoinKey::initial(&InitialSecret::new(Zeroizing::new([3; 32])));
        let config = Config { replica_max, ..Config::new(Vec::new()) };
        let parts = Parts { identity, join_key, restored, seed: [9; 32] };
        let mut state = State::new(config, context, parts, Instant::ORIGIN);
        state.handle(crux_protocol::flock::Event::Wake, Instant::ORIGIN);
        state
    }

    #[test]
    fn a_full_replica_fails_and_names_who_brought_most() {
        let held = state(1 << 30).strew().footprint();
        assert_eq!(check(&state(1 << 30)).result, CheckResult::Ok);
        let nearly = check(&state(held + held / 8));
        assert_eq!(nearly.result, CheckResult::Warn);
        let full = check(&state(held));
        assert_eq!(full.result, CheckResult::Fail);
        for check in [nearly, full] {
            let named = "most came by liar (20 members, 0 MiB, admitted through hub)";
            assert!(check.detail.contains(named), "{}", check.detail);
        }
    }
}
