//! `leader`

use crux_client::model::Member;
use crux_client::op::{GetLeader, GetMembers, LeaderPing, LeaderPinged};
use crux_client::order;
use crux_crdt::Principal;
use serde_json::json;

use super::output::block_on;
use super::{Ui, Wait, table};
use crate::error::Error;

/// Show who leads, or have the leader act
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(super) struct Args {
    #[command(flatten)]
    wait: Wait,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Have every live member store the leader's term, and show who did
    ///
    /// Changes nothing else: it shows that the leader's commands are accepted.
    Ping(Ping),
}

#[derive(Debug, clap::Args)]
struct Ping {
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    match &args.command {
        Some(Command::Ping(args)) => ping(args, ui),
        None => {
            let leader = ui.call(&GetLeader, args.wait)?;
            ui.answer(&leader, || table::leader(leader.as_ref()))
        }
    }
}

fn ping(args: &Ping, ui: &mut Ui) -> Result<(), Error> {
    let talk = async {
        let client = ui.connect(args.wait.timeout).await?;
        let pinged = client.call(&LeaderPing).await?;
        Ok((pinged, client.call(&GetMembers).await?))
    };
    let (pinged, members) = block_on(talk)?;
    let pinged = LeaderPinged {
        accepted: by_name(&pinged.accepted, &members),
        failed: by_name(&pinged.failed, &members),
        ..pinged
    };
    let keys =
        |all: &[Principal]| -> Vec<String> { all.iter().map(Principal::to_string).collect() };
    let answer = json!({
        "leader": pinged.leader,
        "accepted": keys(&pinged.accepted),
        "failed": keys(&pinged.failed),
    });
    ui.answer(&answer, || text(&pinged, &members))
}

fn name(who: &Principal, members: &[Member]) -> String {
    let member = members.iter().find(|member| member.principal == *who);
    member.map_or_else(|| table::short(who), |member| member.node.to_string())
}

/// In the order of what they are called.
fn by_name(all: &[Principal], members: &[Member]) -> Vec<Principal> {
    let mut named: Vec<_> = all.iter().map(|who| (name(who, members), *who)).collect();
    named.sort_by(|(a, x), (b, y)| order::by_name(a, b).then_with(|| x.cmp(y)));
    named.into_iter().map(|(_, who)| who).collect()
}

pub(super) fn text(pinged: &LeaderPinged, members: &[Member]) -> String {
    let names = |all: &[Principal]| match all {
        [] => "none".to_owned(),
        all => all.iter().map(|who| name(who, members)).collect::<Vec<_>>().join(" "),
    };
    format!(
        "leader    {}\naccepted  {}\nfailed    {}",
        table::leader(Some(&pinged.leader)),
        names(&pinged.accepted),
        names(&pinged.failed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{principal, view};

    #[test]
    fn those_who_accepted_are_in_the_order_of_their_names() {
        let mut members = view().members;
        members[0].node = "n10".parse().unwrap();
        let [ten, two, nobody] = [principal("n1"), principal("n2"), principal("x")];
        // One that is no member is called by its principal, 78787878.
        assert_eq!(by_name(&[ten, nobody, two], &members), [nobody, two, ten]);
    }
}
