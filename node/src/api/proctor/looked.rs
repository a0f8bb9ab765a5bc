//! The horde as this node sees it at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crux_client::model::MemberState;
use crux_crdt::document::{Document, Marker};
use crux_crdt::name::Label;
use crux_crdt::record::Pass;
use crux_protocol::proctor::planner::{Input, Program, ProgramError, Timers};
use crux_protocol::proctor::{Content, Held};
use crux_protocol::time::Instant;

use crate::clock;
use crate::error::{Error, Kind};
use crate::fulcrum::Handle;
use crate::fulcrum::request::Look;
use crate::view::{Sight, View};

/// The horde as this node sees it at one moment.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) view: Arc<View>,
    pub(super) sight: Sight,
    pub(super) horde: Label,
    pub(super) now: Instant,
}

impl Looked {
    pub(super) async fn now(handle: &Handle) -> Result<Self, Error> {
        let sight = handle.ask(Look).await?;
        let (view, horde) = (handle.view(), Label::main_horde());
        Ok(Self { view, sight, horde, now: clock::now() })
    }

    /// The target that has effect.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if there is none, or it is deleted; [`Kind::Unsupported`] if this build cannot read it.
    pub(super) fn target(&self) -> Result<Held, Error> {
        match self.held() {
            Some(Held { content: Content::Unreadable, .. }) => Err(unreadable()),
            Some(held) if held.target().is_some() => Ok(held),
            _ => Err(Error::new(Kind::NotFound, "there is no target")
                .with_hint("`apply` makes one; `doc ls target` shows whether one is void.")),
        }
    }

    /// The document that counts.
    pub(super) fn held(&self) -> Option<Held> {
        self.sight.documents.target(&self.horde).map(Held::of)
    }

    /// The place of the document that counts.
    pub(super) fn base(&self) -> Option<Marker> {
        self.sight.documents.target(&self.horde).map(Document::marker)
    }

    /// Everything that a pass for a target is made of.
    pub(super) fn input<'a>(&'a self, program: &'a Program) -> Input<'a> {
        let newest = self.sight.newest.as_ref();
        let last = newest.map_or(0, |newest| newest.pass.pass);
        let (term, leader) = newest
            .map_or((0, self.view.principal), |newest| (newest.pass.term, newest.pass.leader));
        let number = Pass { term, leader, pass: last.saturating_add(1) };
        Input { view: &self.sight.nodes, program, newest, number }
    }

    /// Since when each dead member is dead, as this node saw it.
    pub(super) fn timers(&self) -> Timers {
        let wall = clock::wall().unix_ms;
        let dead = self.view.members.iter().filter(|it| it.state == MemberState::Dead);
        let since = dead.map(|member| {
            let ago = wall.saturating_sub(member.since.unix_ms);
            (member.principal, self.now - Duration::from_millis(ago))
        });
        Timers::of_dead(since.collect::<BTreeMap<_, _>>())
    }
}

/// The program of a target that somebody signed or wants to sign.
///
/// # Errors
/// [`Kind::InvalidConfig`]: it has a mistake.
pub(super) fn program(held: &Held) -> Result<Program, Error> {
    Program::of(held).map_err(|err| match err {
        ProgramError::Unreadable => unreadable(),
        ProgramError::Program(_) => Error::new(Kind::InvalidConfig, err.to_string())
            .with_hint("`khan check` shows each mistake with its place."),
    })
}

fn unreadable() -> Error {
    Error::new(Kind::Unsupported, "this version of Crux cannot read the target")
        .with_hint("Run the version that wrote it on this node.")
}

/// More than the solver takes.
pub(super) fn too_large(err: &impl std::fmt::Display) -> Error {
    Error::new(Kind::LimitReached, err.to_string())
        .with_hint("Running instances run on. Split the services over several hordes.")
}
