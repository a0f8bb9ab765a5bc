//! The target that has effect, and how far it is.

use std::collections::BTreeMap;

use crux_client::model::{
    DocumentState, ServiceProgress, ShownTarget, TargetState, TargetStatus, VersionProgress,
};
use crux_crdt::document::Target;
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::service::SpecTag;
use crux_protocol::proctor::planner::{
    FollowedService, FollowedVersion, Standing, follow, preview,
};

use super::looked::{Looked, program, too_large};
use crate::error::{Error, Kind};
use crate::view::View;

/// The target that has effect.
///
/// # Errors
/// [`Kind::NotFound`]; [`Kind::Unsupported`] if this build cannot read it.
pub(super) fn show(view: &View) -> Result<ShownTarget, Error> {
    let horde = Label::main_horde();
    let none = || Error::new(Kind::NotFound, "there is no target").with_hint("`apply` makes one.");
    let document = view.documents.target(&horde).ok_or_else(none)?;
    let entry = view.show_document(document.key())?.entry;
    let target = Target::of(document).map_err(|err| {
        Error::new(Kind::Unsupported, format!("this version of Crux cannot read the target: {err}"))
    })?;
    let target = target.ok_or_else(none)?;
    Ok(ShownTarget {
        generation: entry.generation,
        by: entry.signer,
        note: target.note().to_owned(),
        conflict: entry.state == DocumentState::Conflict,
        program: target.program().to_owned(),
        services: target.services().values().cloned().collect(),
    })
}

/// How far the target is.
///
/// # Errors
/// [`Kind::NotFound`], and what a target is refused for.
pub(super) fn status(looked: &Looked) -> Result<TargetStatus, Error> {
    let held = looked.target()?;
    let program = program(&held)?;
    let preview = preview(looked.input(&program), looked.timers(), looked.now)
        .map_err(|err| too_large(&err))?;
    let newest = looked.sight.newest.as_ref();
    let followed = follow(&looked.sight.nodes, &program, newest, &preview);
    let configs = program.services.values().map(|it| (it.spec, it.config.rev.clone()));
    let revs: BTreeMap<SpecTag, ServiceName> = configs.collect();
    Ok(TargetStatus {
        generation: held.marker.generation,
        pass: newest.map(|it| it.pass.pass),
        fence: newest.map(|it| it.pass.term),
        state: state(followed.standing),
        services: followed.services.into_iter().map(|it| service(it, &revs)).collect(),
        leaving: followed.leaving,
        leader: looked.view.leader.as_ref().map(|leader| leader.node.to_string()),
    })
}

const fn state(standing: Standing) -> TargetState {
    match standing {
        Standing::Settled => TargetState::Settled,
        Standing::Held => TargetState::Held,
        Standing::Changing => TargetState::Changing,
        Standing::Failed => TargetState::Failed,
    }
}

fn service(followed: FollowedService, revs: &BTreeMap<SpecTag, ServiceName>) -> ServiceProgress {
    let version = |it: &FollowedVersion| VersionProgress {
        version: it.spec,
        rev: revs.get(&it.spec).cloned(),
        wanted: it.is_wanted,
        running: it.running,
        ready: it.ready,
    };
    ServiceProgress {
        state: state(followed.standing),
        wanted: followed.wanted,
        running: followed.running,
        ready: followed.ready,
        versions: followed.versions.iter().map(version).collect(),
        failed: followed.failed.map(|failure| failure.to_string()),
        service: followed.service,
        holds: followed.holds,
    }
}
