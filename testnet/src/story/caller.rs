//! Calls a program without pause, to see which process answers while something happens.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::{Error, sample};

/// The pause between two calls: it leaves the cores to the nodes.
const PAUSE: Duration = Duration::from_millis(5);
/// How many failures are kept; one is one too many.
const FAILURES_KEPT: usize = 5;

/// The outcome of all calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// How many were answered.
    pub(super) answered: usize,
    /// The processes that answered.
    pids: BTreeSet<u32>,
    /// Why others were not, the first few.
    failures: Vec<String>,
}

impl Calls {
    /// How many were answered, if all were, and by this process.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] says what `happened` and which call failed, or who else answered.
    pub(super) fn all_by(&self, pid: u32, happened: &str) -> Result<usize, Error> {
        let broken = |why: String| Err(Error::Broken(format!("while {happened}: {why}")));
        if let Some(failure) = self.failures.first() {
            return broken(failure.clone());
        }
        if self.pids != BTreeSet::from([pid]) {
            return broken(format!("process {pid} was to answer, and these did: {:?}", self.pids));
        }
        Ok(self.answered)
    }
}

/// A task that calls. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Caller {
    end: oneshot::Sender<()>,
    task: JoinHandle<Calls>,
}

impl Caller {
    /// Begins to call.
    pub(super) fn start(addr: SocketAddr) -> Self {
        let (end, mut ended) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut calls = Calls::default();
            // At least one call, and one after what happened.
            while matches!(ended.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                note(&mut calls, sample::call(addr).await);
                sleep(PAUSE).await;
            }
            note(&mut calls, sample::call(addr).await);
            calls
        });
        Self { end, task }
    }

    /// Ends after one more call.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] when the task panicked.
    pub(super) async fn stop(self) -> Result<Calls, Error> {
        self.end.send(()).ok();
        self.task.await.map_err(|error| Error::Broken(format!("the caller failed: {error}")))
    }
}

fn note(calls: &mut Calls, answer: Result<sample::Answer, Error>) {
    match answer {
        Ok(answer) => {
            calls.answered += 1;
            calls.pids.insert(answer.pid);
        }
        Err(error) if calls.failures.len() < FAILURES_KEPT => {
            calls.failures.push(error.to_string());
        }
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_or_another_process_is_not_the_same_answer() {
        let calls = |pids: &[u32], failures: &[&str]| Calls {
            answered: 9,
            pids: pids.iter().copied().collect(),
            failures: failures.iter().map(|&why| why.to_owned()).collect(),
        };
        let verdict = |calls: Calls| calls.all_by(7, "it rained").map_err(|err| err.to_string());
        assert_eq!(verdict(calls(&[7], &[])), Ok(9));
        assert_eq!(verdict(calls(&[7], &["refused"])), Err("while it rained: refused".to_owned()));
        for pids in [&[7, 8][..], &[8], &[]] {
            let verdict = verdict(calls(pids, &[])).expect_err("it is not the one");
            assert!(verdict.contains("process 7"), "{verdict}");
        }
    }

    #[tokio::test]
    async fn a_caller_of_nobody_says_so() {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let calls = Caller::start(nobody).stop().await.expect("it ran");
        assert_eq!(calls.answered, 0);
        assert!(calls.all_by(1, "nothing happened").is_err());
    }
}
