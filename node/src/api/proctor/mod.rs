//! The Proctor service: what a target would change, how far it is, and why.
//!
//! ```text
//!   fulcrum ─ Look ─▶ Sight ─┐
//!   View: since when dead ───┼─▶ preview, follow, explain (pure) ─▶ answer
//!   the target that is asked ┘
//!   proctor ─ Enacted ──────────▶ check_goals (pure) ──────────────▶ answer
//! ```
//!
//! **Invariants.** Any node answers, whether or not it leads, from what it sees itself. Only `Apply` changes anything, and
//! that by way of the Documents service.
//!
//! **Out of scope.** It decides nothing: plans, progress and reasons are those of
//! [`crux_protocol::proctor::planner`].

mod goals;
mod looked;
mod plan;
mod progress;
mod why;

use std::sync::Arc;

use crux_client::door::{Answer, Serve, handle};
use crux_client::model::{
    CheckedGoals, ServiceReasons, ShownTarget, TargetPlan, TargetStatus, WrittenTarget,
};
use crux_client::op::{
    self, ApplyTarget, CheckGoals, ExplainService, GetTargetStatus, PlanTarget, PutDocuments,
    ShowTarget, Wire,
};
use crux_crdt::document::{Document, Target};
use crux_crdt::name::Label;
use crux_proto::v1;
use tokio::sync::watch;
use tonic::Request as Call;

use self::looked::Looked;
use super::documents;
use crate::error::{Error, Kind};
use crate::view::Enacted;

/// The Proctor service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    /// The service that takes documents in.
    pub(super) documents: documents::Service,
    /// The goals of this node, and what is there of them.
    pub(super) enacted: watch::Receiver<Arc<Enacted>>,
}

impl Service {
    /// Judges what this node sees, beside the loop of the node: a large horde takes a while.
    async fn judge<T: Send + 'static>(
        &self,
        judge: impl FnOnce(&Looked) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let looked = Looked::now(&self.documents.handle).await?;
        let judged = tokio::task::spawn_blocking(move || judge(&looked)).await;
        judged.map_err(|err| Error::new(Kind::Internal, err.to_string()).augment("planning"))?
    }

    /// The document that a caller signed.
    fn opened(&self, sealed: &[u8]) -> Result<Arc<Document>, Error> {
        let view = self.documents.handle.view();
        let opened = documents::open_all(&[sealed.to_vec()], &view)?;
        let none = || Error::new(Kind::InvalidArgument, "there is no document");
        let document = opened.into_iter().next().ok_or_else(none)?;
        let key = Target::key(&Label::main_horde());
        if *document.key() == key {
            return Ok(document);
        }
        let message = format!("{} is signed, and not {key}", document.key());
        Err(Error::new(Kind::InvalidArgument, message)
            .with_hint("Put other documents with `PutDocuments`."))
    }
}

impl Serve<PlanTarget> for Service {
    async fn serve(&self, op: PlanTarget) -> Result<TargetPlan, Error> {
        self.judge(move |looked| plan::plan(looked, &op)).await
    }
}

impl Serve<ApplyTarget> for Service {
    async fn serve(&self, op: ApplyTarget) -> Result<WrittenTarget, Error> {
        let document = self.opened(&op.document)?;
        if op.plan.is_some() {
            let target = document.content().map(<[u8]>::to_vec).unwrap_or_default();
            Self::serve(self, PlanTarget { target, expected: op.plan }).await?;
        }
        let ApplyTarget { document: sealed, sync, sync_within, .. } = op;
        let put = PutDocuments { documents: vec![sealed], sync, sync_within };
        self.documents.serve(put).await?;
        Ok(WrittenTarget { generation: document.generation(), id: document.id() })
    }
}

impl Serve<ShowTarget> for Service {
    async fn serve(&self, _: ShowTarget) -> Result<ShownTarget, Error> {
        progress::show(&self.documents.handle.view())
    }
}

impl Serve<GetTargetStatus> for Service {
    async fn serve(&self, _: GetTargetStatus) -> Result<TargetStatus, Error> {
        self.judge(progress::status).await
    }
}

impl Serve<ExplainService> for Service {
    async fn serve(&self, op: ExplainService) -> Result<ServiceReasons, Error> {
        self.judge(move |looked| why::why(looked, &op)).await
    }
}

impl Serve<CheckGoals> for Service {
    async fn serve(&self, op: CheckGoals) -> Result<CheckedGoals, Error> {
        goals::check(&self.enacted.borrow(), &op)
    }
}

/// A handler for each row of the client's table.
macro_rules! proctor {
    ($($call:ident: $Op:ident, $effect:ident;)*) => {
        #[tonic::async_trait]
        impl v1::proctor_server::Proctor for Service {
            $(async fn $call(
                &self,
                call: Call<<op::$Op as Wire>::Request>,
            ) -> Answer<<op::$Op as Wire>::Response> {
                handle::<op::$Op>(self, call.get_ref()).await
            })*
        }
    };
}
crux_client::proctor_calls!(proctor! {});
