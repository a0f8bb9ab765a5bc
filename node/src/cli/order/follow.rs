//! How far a drain is: what is left on the node.

use std::time::Duration;

use crux_client::model::{Member, MemberState, NodeUse};
use crux_client::op::GetMembers;
use crux_client::socket::Door;
use crux_crdt::units;
use tokio::time::Instant;

use super::{Named, Ui, Wait};
use crate::cli::output::block_on;
use crate::error::{Error, Kind, StateChanged};

/// How often to ask. As lists that go on.
const EVERY: Duration = Duration::from_millis(500);

/// The part of a drain that is still to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// It is done.
    Nothing,
    /// This, in words.
    Some(String),
    /// Another order is in force, which makes this use of the node.
    Other(NodeUse),
    /// The asked node does not know the node.
    Unknown,
}

/// Asks once.
///
/// # Errors
/// Those of the call.
pub(super) fn look(node: &Named, wait: Wait, ui: &Ui) -> Result<Left, Error> {
    Ok(left(node, &ui.call(&GetMembers, wait)?))
}

/// Asks until nothing is left, and tells people on standard error what is, each time that it is something else.
///
/// # Errors
/// Those of the calls; [`Kind::TimedOut`], with what is left; [`Kind::Conflict`]: another order is in force.
pub(super) fn follow(
    node: &Named,
    (limit, wait): (Duration, Wait),
    ui: &mut Ui,
) -> Result<Left, Error> {
    let until = Instant::now() + limit;
    let mut said = None;
    block_on(async {
        let client = ui.connect_at(Door::Control, wait.timeout).await?;
        loop {
            let asked = Instant::now();
            let what = match left(node, &client.call(&GetMembers).await?) {
                Left::Nothing => return Ok(Left::Nothing),
                Left::Some(what) => what,
                Left::Other(node_use) => return Err(other(node, node_use)),
                Left::Unknown => "the node is not a member that this one knows".to_owned(),
            };
            if asked >= until {
                return Err(late(node, limit, &what));
            }
            if said.as_ref() != Some(&what) {
                ui.note(&format!("{node}: {what}"));
                said = Some(what);
            }
            tokio::time::sleep_until((asked + EVERY).min(until)).await;
        }
    })
}

fn late(node: &Named, limit: Duration, what: &str) -> Error {
    let message = format!("{node} is not drained after {}: {what}", units::duration_text(limit));
    Error::new(Kind::TimedOut, message).with_state(StateChanged::Yes).with_hint(
        "The drain continues. The leader's log says what waits; --deadline ends it all the same.",
    )
}

fn other(node: &Named, node_use: NodeUse) -> Error {
    let message = format!("{node} is {node_use} by another order");
    Error::new(Kind::Conflict, message).with_state(StateChanged::Yes)
}

fn left(node: &Named, members: &[Member]) -> Left {
    let member = members.iter().find(|it| it.principal == node.principal);
    member.map_or(Left::Unknown, |member| match member.node_use {
        NodeUse::Drained => Left::Nothing,
        NodeUse::Draining => Left::Some(words(member)),
        other @ (NodeUse::Open | NodeUse::Cordoned) => Left::Other(other),
    })
}

/// The instances that are left: `left: 1 of job, 2 of web`.
fn words(member: &Member) -> String {
    let each: Vec<_> =
        member.left.iter().map(|(name, count)| format!("{count} of {name}")).collect();
    let is_away = match member.state {
        MemberState::Alive | MemberState::Suspect => "",
        _ => ", by its last word; it does not answer",
    };
    format!("left: {}{is_away}", each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{principal, view};

    fn named() -> Named {
        Named { name: None, principal: principal("n2") }
    }

    fn members(change: impl FnOnce(&mut Member)) -> Vec<Member> {
        let mut members = view().members;
        let at = members.iter().position(|it| it.node.as_str() == "n2").unwrap();
        change(&mut members[at]);
        members
    }

    #[test]
    fn what_is_left_is_named() {
        let draining = |it: &mut Member| {
            it.node_use = NodeUse::Draining;
            it.left = [("web".to_owned(), 2), ("job".to_owned(), 1)].into();
        };
        let some = |what: &str| Left::Some(what.to_owned());
        assert_eq!(left(&named(), &members(draining)), some("left: 1 of job, 2 of web"));
        let dead = |it: &mut Member| {
            draining(it);
            it.state = MemberState::Dead;
        };
        let what = "left: 1 of job, 2 of web, by its last word; it does not answer";
        assert_eq!(left(&named(), &members(dead)), some(what));
        let drained = members(|it| it.node_use = NodeUse::Drained);
        assert_eq!(left(&named(), &drained), Left::Nothing);
        assert_eq!(left(&named(), &[]), Left::Unknown);
        assert_eq!(left(&named(), &members(|_| ())), Left::Other(NodeUse::Open));
    }
}
