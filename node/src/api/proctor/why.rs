//! Why a service runs on a node, or does not.

use crux_client::model::{NodeReasons, ServiceReasons};
use crux_client::op::ExplainService;
use crux_client::order;
use crux_protocol::proctor::planner::{ExplainedNode, explain};

use super::looked::{Looked, program, too_large};
use super::plan::problem;
use crate::error::{Error, Kind};

/// Explains.
///
/// # Errors
/// [`Kind::NotFound`]: no target, or no such service or node.
pub(super) fn why(looked: &Looked, op: &ExplainService) -> Result<ServiceReasons, Error> {
    let program = program(&looked.target()?)?;
    if let Some(node) = &op.node
        && !looked.sight.nodes.nodes.values().any(|it| it.name == *node)
    {
        return Err(Error::new(Kind::NotFound, format!("there is no node {node}"))
            .with_hint("`members` lists the nodes; those that left or are retired run nothing."));
    }
    let explained = explain(looked.input(&program), looked.timers(), looked.now, &op.service);
    let explained = explained.map_err(|err| too_large(&err))?.ok_or_else(|| {
        let message = format!("the target places no service {}", op.service);
        Error::new(Kind::NotFound, message).with_hint("`target show` lists those that it places.")
    })?;
    let mut nodes = explained.nodes;
    nodes.retain(|it| op.node.as_ref().is_none_or(|node| *node == it.node));
    nodes.sort_by(|a, b| order::by_name(&a.node, &b.node));
    let node = |it: ExplainedNode| {
        let ExplainedNode { node, present, wanted, reasons } = it;
        NodeReasons { node, present, wanted, reasons }
    };
    Ok(ServiceReasons {
        service: op.service.clone(),
        wanted: explained.wanted,
        problem: explained.problem.as_ref().map(problem),
        nodes: nodes.into_iter().map(node).collect(),
    })
}
