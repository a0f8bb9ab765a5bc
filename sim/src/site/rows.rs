use crux_crdt::Principal;
use crux_crdt::name::ServiceName;
use crux_crdt::record::{InstanceKey, InstanceReport, NameTag, Stage};
use crux_crdt::service::SpecTag;
use crux_protocol::proctor::planner::View;

/// The statements of one node in a leader's view about one service.
pub(crate) struct Rows(Vec<(SpecTag, Stage, u32)>);

/// Whether an instance is ready, or done.
const fn is_up(stage: Stage) -> bool {
    matches!(stage, Stage::Ready | Stage::Done)
}

impl Rows {
    pub(crate) fn of(view: &View, node: &Principal, service: &ServiceName) -> Self {
        let tag = NameTag::of(service);
        let report = view.nodes.get(node).and_then(|node| node.runs.as_ref());
        let lines = report.into_iter().flat_map(InstanceReport::lines);
        let row = |(key, count): (InstanceKey, u16)| (key.spec, key.stage, u32::from(count));
        Self(lines.filter(|(key, _)| key.service == tag).map(row).collect())
    }

    /// How many of these there are, of the version of which there are most.
    fn most(&self, counts: impl Fn(Stage) -> bool) -> u32 {
        let of = |spec| self.0.iter().filter(move |row| row.0 == spec);
        let sum = |spec| of(spec).filter(|row| counts(row.1)).map(|row| row.2).sum();
        self.0.iter().map(|row| sum(row.0)).max().unwrap_or_default()
    }

    /// How many are ready, or done.
    pub(crate) fn ready(&self) -> u32 {
        self.most(is_up)
    }

    /// How many run, or are about to.
    pub(crate) fn running(&self) -> u32 {
        self.most(|stage| !matches!(stage, Stage::Stopping | Stage::Failed | Stage::Blocked))
    }

    /// Whether any is ready with this version.
    pub(crate) fn is_ready_with(&self, spec: SpecTag) -> bool {
        self.0.iter().any(|row| row.0 == spec && is_up(row.1))
    }
}
