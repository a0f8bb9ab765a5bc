//! The processes that dead keepers left behind, and those that do not come to their end.

use std::time::Duration;

use crux_protocol::picket::InstanceId;
use tracing::{error, info, warn};

use super::shell::Shell;
use super::work::Done;
use crate::tree::{self, Mark, Process};

/// How long what a dead keeper left is killed. It takes milliseconds; a process that the kernel holds, for ever.
const CLEAR_UP: Duration = Duration::from_secs(5);

impl Shell {
    /// The pipes of a program got lost on their way: it is ended, with that reason.
    pub(super) fn no_output(&mut self, id: &InstanceId) {
        if let Some(instance) = self.instances.get_mut(id) {
            instance.failed = Some("its output cannot be read: no descriptor is left".to_owned());
            instance.kill();
        }
    }

    /// Kills what killed keepers left behind, in a thread of its own: the search reads all of `/proc`, more than once.
    /// `fulcrum`: its process.
    pub(crate) fn sweep(&mut self, fulcrum: Option<i32>) {
        if self.fulcrum.map(|process| process.pid) != fulcrum {
            self.fulcrum = fulcrum.and_then(Process::now);
        }
        if self.lost.is_empty() || self.is_sweeping {
            return;
        }
        self.is_sweeping = true;
        let (ids, marks): (Vec<_>, Vec<_>) = std::mem::take(&mut self.lost).into_iter().unzip();
        self.tasks.spawn_blocking(move || Done::Swept(ids, clear_up(&marks)));
    }

    /// The processes that they left are killed.
    pub(super) fn on_swept(&mut self, ids: &[InstanceId], killed: u32) {
        self.is_sweeping = false;
        if killed > 0 {
            info!(killed, "killed what keepers left behind");
        }
        for id in ids {
            self.on_gone(id);
        }
    }

    /// Kills what is left of all instances, from outside of their keepers, which do not do what they are told. Waits for
    /// it, for so long at most.
    pub(crate) async fn kill_left(&self, within: Duration) {
        let left =
            self.instances.iter().map(|(id, it)| (Mark::new(id.as_str(), it.leader), it.process()));
        let left: Vec<_> = left.collect();
        if left.is_empty() {
            return;
        }
        warn!(
            instances = left.len(),
            "services did not stop in time; what is left of them is killed"
        );
        let killing = tokio::task::spawn_blocking(move || {
            for (_, keeper) in &left {
                keeper.map(|keeper| tree::kill_below(keeper, within));
            }
            let marks: Vec<Mark> = left.into_iter().map(|(mark, _)| mark).collect();
            tree::kill_marked(&marks, within);
        });
        tokio::time::timeout(within, killing).await.ok();
    }
}

/// Kills what has one of these marks, and what fell to this process. How many that were.
fn clear_up(marks: &[Mark]) -> u32 {
    let marked = tree::kill_marked(marks, CLEAR_UP);
    let swept = crate::orphans::kill_orphans();
    if marked.left + swept.left > 0 {
        error!(left = marked.left + swept.left, "the kernel does not let go of processes");
    }
    marked.processes + swept.killed
}
