//! Whether a scenario's condition holds now, by what nodes say.

use std::collections::BTreeSet;

use crux_client::model::{Member, MemberState, Status};
use crux_sim::scenario::{Condition, Hosts, Seen};

use super::rig::Rig;
use crate::process::{FlockStatus, NodeSaid};

/// The leader: name and term.
pub(super) type Leader = (String, u64);

/// Nothing if the condition holds, else what was seen instead. Remembers who leads where one flock or
/// component is settled.
pub(super) async fn holds(
    what: &Condition<Hosts>,
    rig: &mut Rig,
    leader: &mut Option<Leader>,
) -> Result<(), String> {
    match what {
        Condition::OneFlock(who) => settled(rig, who, true, leader).await,
        Condition::Settled => {
            let up = up(rig);
            settled(rig, &up, true, leader).await
        }
        Condition::Component(who) => settled(rig, who, false, leader).await,
        Condition::Shown { whom, state, by } => shown(rig, whom, *state, by).await,
        Condition::SameLeader => same_leader(rig, leader.as_ref()).await,
        Condition::Unsuspecting(who) => unsuspecting(rig, who).await,
        Condition::Stopped(who) => {
            let runs = who.iter().find(|host| rig.is_up(*host));
            runs.map_or(Ok(()), |host| Err(format!("n{host} runs")))
        }
        Condition::Named(who) => named(rig, who).await,
        Condition::OneRuns(who) => {
            let run = who.iter().filter(|host| rig.is_up(*host)).count();
            if run == 1 { Ok(()) } else { Err(format!("{run} of them run")) }
        }
        Condition::Document { .. } | Condition::Placed(_) | Condition::Drained(_) => {
            Err("the flock has no operator".to_owned())
        }
        // Every call was awaited, and what pings came to and what is registered is judged from the history; that
        // nothing changes takes more than one look; and who was when shown as what, to the second, is for virtual
        // time.
        Condition::Answered
        | Condition::Obeyed
        | Condition::Still(_)
        | Condition::Registered { .. }
        | Condition::Truthful(_) => Ok(()),
    }
}

fn up(rig: &Rig) -> Hosts {
    Hosts((0..rig.clients().len()).filter(|host| rig.is_up(*host)).collect())
}

async fn ask(rig: &mut Rig, who: &Hosts) -> FlockStatus {
    let names: BTreeSet<_> = who.iter().map(|host| format!("n{host}")).collect();
    let mut all = rig.cluster().ask_all().await;
    all.0.retain(|said: &NodeSaid| names.contains(&said.node));
    all
}

async fn settled(
    rig: &mut Rig,
    who: &Hosts,
    same_state: bool,
    leader: &mut Option<Leader>,
) -> Result<(), String> {
    let said = ask(rig, who).await;
    let all = said.0.len() == who.0.len() && said.meeting() == who.0.len();
    let leads =
        said.leader().filter(|leads| said.0.iter().any(|one| one.node == leads.node.as_str()));
    match leads {
        Some(leads) if all && (!same_state || said.digest().is_some()) => {
            *leader = Some((leads.node.to_string(), leads.term));
            Ok(())
        }
        _ => Err(said.to_string()),
    }
}

async fn same_leader(rig: &mut Rig, leader: Option<&Leader>) -> Result<(), String> {
    let up = up(rig);
    let said = ask(rig, &up).await;
    let name =
        |status: &Status| status.leader.as_ref().map(|leads| (leads.node.to_string(), leads.term));
    let differs = said.answered().any(|status| name(status).as_ref() != leader);
    if differs { Err(format!("{leader:?} led; now:\n{said}")) } else { Ok(()) }
}

async fn unsuspecting(rig: &mut Rig, who: &Hosts) -> Result<(), String> {
    let said = ask(rig, who).await;
    let calls = said.answered().any(|status| {
        let counts = status.members;
        counts.suspect + counts.dead > 0
    });
    if calls { Err(said.to_string()) } else { Ok(()) }
}

async fn members(rig: &Rig, of: usize) -> Result<Vec<Member>, String> {
    rig.clients()[of].members().await.map_err(|error| error.to_string())
}

async fn shown(rig: &Rig, whom: &Hosts, state: Seen, by: &Hosts) -> Result<(), String> {
    for observer in by.iter() {
        let members = members(rig, observer).await?;
        for host in whom.iter() {
            let name = format!("n{host}");
            // A name that was taken over is shown for both; the newest one comes last.
            let fits = |member: &&Member| member.node.as_str() == name && is(state, member.state);
            if !members.iter().any(|member| fits(&member)) {
                let states: Vec<_> =
                    members.iter().map(|it| format!("{} {}", it.node, it.state)).collect();
                return Err(format!("n{observer} shows {}", states.join(", ")));
            }
        }
    }
    Ok(())
}

const fn is(state: Seen, shown: MemberState) -> bool {
    use MemberState::{Alive, Dead, Left, Retired, Suspect};
    match state {
        Seen::Alive => matches!(shown, Alive),
        Seen::Suspect => matches!(shown, Suspect),
        Seen::Dead => matches!(shown, Dead),
        Seen::Doubted => matches!(shown, Suspect | Dead),
        Seen::NotDead => matches!(shown, Alive | Suspect),
        Seen::Left => matches!(shown, Left),
        Seen::Retired => matches!(shown, Retired),
    }
}

async fn named(rig: &mut Rig, who: &Hosts) -> Result<(), String> {
    let said = ask(rig, who).await;
    for one in &said.0 {
        let status = one.said.as_ref().map_err(Clone::clone)?;
        for observer in up(rig).iter() {
            let members = members(rig, observer).await?;
            let found = members.iter().find(|member| member.principal == status.principal);
            if found.is_none_or(|member| member.node.as_str() != one.node) {
                return Err(format!("n{observer} calls {} {found:?}", one.node));
            }
        }
    }
    Ok(())
}
