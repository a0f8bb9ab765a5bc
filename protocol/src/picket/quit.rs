//! How an instance is ended: withdrawn, drained, SIGTERM, SIGTERM to its tree, killed.

use core::time::Duration;

use super::command::Command;
use super::life::{Life, Phase, Why};
use super::rules::{KILL_AGAIN, WRITE_MAX};
use super::turn::Turn;
use crate::time::Instant;

impl Life {
    /// Begins the quit, or leaves it as it is if it has begun.
    pub(super) fn quit(&mut self, why: Why, turn: &mut Turn<'_>) {
        if self.leaving.is_some() {
            return;
        }
        let was_announced = self.announced && self.is_registered();
        self.announced = false;
        self.had_up = self.up_for(turn.now);
        if self.phase == Phase::Up {
            turn.out.push(Command::Note { instance: self.id().clone(), up: false });
        }
        self.leaving = Some(why);
        match self.phase {
            Phase::Sealing | Phase::Choosing => self.enter(Phase::Over, None, turn.now),
            // The record is on its way to the disk: it is deleted when it is there.
            Phase::Recording => {}
            Phase::Spawning => self.kill(turn),
            _ if was_announced && turn.attached && !crux_crdt::planted!(SignalsRegistered) => {
                self.enter(Phase::Withdrawing(None), Some(self.spans.withdraw), turn.now);
            }
            _ if was_announced => self.drain(turn),
            _ => self.terminate(turn),
        }
        if let Some(within) = turn.within {
            self.hurry(within, turn.now);
        }
    }

    /// Does what is due now for one that leaves.
    pub(super) fn press(&mut self, turn: &mut Turn<'_>) {
        while self.is_leaving() && turn.now >= self.until {
            match self.phase {
                Phase::Withdrawing(_) => self.drain(turn),
                Phase::Draining => self.terminate(turn),
                Phase::Quitting => {
                    self.enter(Phase::Terminating, Some(self.spans.tree), turn.now);
                    let instance = self.id().clone();
                    turn.out.push(Command::Terminate { instance, tree: true });
                }
                _ if crux_crdt::planted!(NeverKills) => self.until = Instant::NEVER,
                _ => self.kill(turn),
            }
        }
    }

    /// The node stops: what is left of the quit takes no longer than this.
    pub(super) fn hurry(&mut self, within: Duration, now: Instant) {
        if self.phase == Phase::Finished {
            self.until = self.until.min(now + within.min(WRITE_MAX));
        }
        let spans = &mut self.spans;
        let later = match self.phase {
            Phase::Withdrawing(_) => spans.drain + spans.quit + spans.tree,
            Phase::Draining => spans.quit + spans.tree,
            Phase::Quitting => spans.tree,
            Phase::Terminating => Duration::ZERO,
            _ => return,
        };
        let here = self.until.since(now);
        let all = here + later;
        if all > within {
            let part = within.as_secs_f64() / all.as_secs_f64();
            for span in [&mut spans.drain, &mut spans.quit, &mut spans.tree] {
                *span = span.mul_f64(part);
            }
            self.until = now + here.mul_f64(part);
        }
    }

    fn drain(&mut self, turn: &mut Turn<'_>) {
        if self.spans.drain.is_zero() {
            return self.terminate(turn);
        }
        self.enter(Phase::Draining, Some(self.spans.drain), turn.now);
    }

    fn terminate(&mut self, turn: &mut Turn<'_>) {
        self.enter(Phase::Quitting, Some(self.spans.quit), turn.now);
        turn.out.push(Command::Terminate { instance: self.id().clone(), tree: false });
    }

    /// Kills what is left, and says it again if nothing comes of it.
    pub(super) fn kill(&mut self, turn: &mut Turn<'_>) {
        self.enter(Phase::Killing, Some(KILL_AGAIN), turn.now);
        turn.out.push(Command::Kill { instance: self.id().clone() });
        if crux_crdt::planted!(ForgetsRunning) {
            turn.out.push(Command::Forget { instance: self.id().clone() });
        }
    }
}
