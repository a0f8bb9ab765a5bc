//! Waiting on conditions, each with a deadline.
//!
//! Nothing here sleeps in place of a condition: the pause between two looks only bounds how often
//! one looks. A wait that fails says what it waited for and what it saw last, because "timed out"
//! alone tells nothing about a flock.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::Error;

/// How often a condition is looked at when nothing else was said.
///
/// A look at 25 nodes costs about 2 ms of CPU, so this stays below a tenth of one core.
pub const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What one look at a condition found.
#[derive(Debug)]
pub enum Seen<T> {
    /// It holds; here is what was waited for.
    Done(T),
    /// It does not hold yet; this is what was there instead.
    NotYet(String),
}

impl<T> Seen<T> {
    /// Done with `found` if the condition holds; else what was there instead, as `instead` tells.
    pub fn when(holds: bool, found: T, instead: impl FnOnce(&T) -> String) -> Self {
        if holds { Self::Done(found) } else { Self::NotYet(instead(&found)) }
    }
}

/// Looks every [`LOOK_EVERY`] until the condition holds, for at most `within`.
///
/// # Errors
///
/// [`Error::TimedOut`] with what was last seen, or the first error of `look` itself.
pub async fn until<T>(
    what: &str,
    within: Duration,
    look: impl AsyncFnMut() -> Result<Seen<T>, Error>,
) -> Result<T, Error> {
    until_every(LOOK_EVERY, what, within, look).await
}

/// Looks every `pause` until the condition holds, for at most `within`.
///
/// A look that itself hangs is cut off at the deadline.
///
/// # Errors
///
/// [`Error::TimedOut`] with what was last seen, or the first error of `look` itself.
pub async fn until_every<T>(
    pause: Duration,
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<Seen<T>, Error>,
) -> Result<T, Error> {
    let deadline = Instant::now() + within;
    let mut last = String::from("nothing");
    loop {
        match timeout_at(deadline, look()).await {
            Ok(Ok(Seen::Done(found))) => return Ok(found),
            Ok(Ok(Seen::NotYet(seen))) => last = seen,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(timed_out(what, within, last)),
        }
        if Instant::now() + pause >= deadline {
            return Err(timed_out(what, within, last));
        }
        sleep(pause).await;
    }
}

fn timed_out(what: &str, within: Duration, last: String) -> Error {
    Error::TimedOut { what: what.to_owned(), within, last }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn returns_what_was_waited_for_as_soon_as_it_is_there() {
        let mut looks = 0;
        let found = until("the third look", Duration::from_secs(5), async || {
            looks += 1;
            Ok(if looks == 3 { Seen::Done(looks) } else { Seen::NotYet(format!("{looks}")) })
        })
        .await;
        assert_eq!(found.expect("holds at the third look"), 3);
    }

    #[tokio::test]
    async fn says_what_it_saw_last_when_time_is_up() {
        let waited = until::<()>("pigs fly", Duration::from_millis(60), async || {
            Ok(Seen::NotYet("pigs on the ground".to_owned()))
        })
        .await;
        let said = waited.expect_err("never holds").to_string();
        assert!(said.contains("pigs fly") && said.contains("on the ground"), "{said}");
    }

    #[tokio::test]
    async fn cuts_off_a_look_that_hangs() {
        let waited = until::<()>("an answer", Duration::from_millis(30), async || {
            std::future::pending().await
        })
        .await;
        assert!(matches!(waited, Err(Error::TimedOut { .. })));
    }

    #[tokio::test]
    async fn stops_at_the_first_error_of_the_look() {
        let waited = until::<()>("an answer", Duration::from_secs(5), async || {
            Err(Error::NotRunning("n1".to_owned()))
        })
        .await;
        assert!(matches!(waited, Err(Error::NotRunning(_))));
    }
}
