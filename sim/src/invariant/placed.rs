//! At quiescence what runs is what the plan says, and that is what the target wants, or the plan says why not.
//!
//! How many a target wants is known without the solver ([`wanted`]). Fewer run only where the plan has a hold or a problem of
//! the service; more only while a node is drained or away; in another version only after that of the target failed. What
//! comes and goes, because its version never gets ready, is not counted.

use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::name::ServiceName;
use crux_crdt::service::SpecTag;
use crux_protocol::proctor::planner::Newest;

use crate::site::{Service, Signed, wanted};

/// The instances that run on a node.
pub(crate) type Running = BTreeMap<(ServiceName, SpecTag), u32>;

/// What there is when nothing happens any more.
pub(crate) struct Stand<'a> {
    /// The leader's plan.
    pub(crate) plan: &'a Newest,
    /// What runs on those who can be reached.
    pub(crate) running: BTreeMap<Principal, Running>,
    /// How many nodes there are,
    pub(crate) all: usize,
    /// and how many of them are being drained.
    pub(crate) out: usize,
    /// Everybody is alive.
    pub(crate) is_whole: bool,
}

/// Checks it.
///
/// # Errors
/// What does not hold.
pub(crate) fn placed(stand: &Stand<'_>, signed: &Signed) -> Result<(), String> {
    for (node, running) in &stand.running {
        obeyed(node, running, stand.plan, signed)?;
    }
    let (site, services) =
        signed.site(stand.plan.target).ok_or("the target that is planned was not signed")?;
    let nodes = u32::try_from(stand.all - stand.out).unwrap_or(u32::MAX);
    for (name, count) in wanted(site.shape, nodes) {
        let of = |spec: &SpecTag| signed.service(*spec);
        let all = stand.running.values().flatten().filter(|((it, _), _)| it.as_str() == name);
        let is_bad = all.clone().any(|((_, spec), _)| of(spec).is_none_or(|it| !it.is_good()));
        let service: ServiceName = name.parse().map_err(|_| "a name")?;
        let current = &services.get(&service).ok_or("no such service")?.spec;
        let planned = stand.plan.entries.values().flatten();
        let mut planned = planned.filter(|(key, _)| key.service == service);
        if is_bad || planned.any(|(key, _)| of(&key.spec).is_none_or(|it| !it.is_good())) {
            continue;
        }
        let running: u32 = all.clone().map(|(_, count)| count).sum();
        let holds = stand.plan.holds.first().iter().any(|it| it.service == service);
        let problem = stand.plan.problems.first().iter().any(|it| it.service == service);
        if running < count && stand.is_whole && !holds && !problem {
            return Err(format!("{running} {name} run, {count} are wanted, and nothing says why"));
        }
        if running > count && stand.out == 0 && !problem {
            return Err(format!("{running} {name} run, and {count} are wanted"));
        }
        let other = all.clone().any(|((_, spec), _)| spec != current);
        if other && !stand.plan.failed.contains_key(current) && !problem && stand.is_whole {
            return Err(format!("{name} runs in another version, and that of the target is well"));
        }
    }
    Ok(())
}

/// A node runs its part of the plan.
fn obeyed(
    node: &Principal,
    running: &Running,
    plan: &Newest,
    signed: &Signed,
) -> Result<(), String> {
    let is_good = |spec: &SpecTag| signed.service(*spec).is_some_and(Service::is_good);
    let mut planned = Running::new();
    for (key, amount) in plan.entries.get(node).into_iter().flatten() {
        let entry = planned.entry((key.service.clone(), key.spec)).or_default();
        *entry += u32::from(amount.released());
    }
    planned.retain(|(_, spec), count| *count > 0 && is_good(spec));
    let mut here = running.clone();
    here.retain(|(_, spec), _| is_good(spec));
    // Where a version never gets ready, its supervisor goes back by itself.
    let bad = |name: &ServiceName| {
        let mut of = plan.entries.get(node).into_iter().flatten();
        of.any(|(key, _)| key.service == *name && !is_good(&key.spec))
    };
    here.retain(|(name, _), _| !bad(name));
    planned.retain(|(name, _), _| !bad(name));
    if here == planned {
        Ok(())
    } else {
        Err(format!("{} runs {here:?}, and is to run {planned:?}", node.short()))
    }
}
