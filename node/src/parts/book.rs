use super::Part;
use crate::error::{Error, Kind};

/// How a part ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// It panicked, with this message.
    Panicked(String),
    /// It returned.
    Returned(Result<(), Error>),
    /// It was dropped where it waited.
    Dropped,
}

/// Which parts run, and what went wrong. Without IO: the supervisor keeps it behind a lock.
///
/// **Invariant**: a panic outranks an early end, because a part that panics takes channels of others
/// with it, and those may end first. Of two of a rank the first counts. Early ends count from the moment on
/// in which the loop begins: a start that is refused ends what was started, and its own error counts.
#[derive(Debug, Default)]
pub(super) struct Book {
    running: Vec<Part>,
    phase: Phase,
    panicked: Option<(Part, String)>,
    ended: Option<(Part, Option<Error>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Starting,
    Up,
    /// Parts are expected to end.
    Stopping,
}

impl Book {
    pub(super) fn begin(&mut self, part: Part) {
        self.running.push(part);
        if part == Part::Loop && self.phase == Phase::Starting {
            self.phase = Phase::Up;
        }
    }

    /// Notes how a part ended. One that ends when it may has the others stop.
    pub(super) fn end(&mut self, part: Part, end: End) {
        if let Some(at) = self.running.iter().rposition(|running| *running == part) {
            self.running.remove(at);
        }
        let expected = self.phase == Phase::Stopping || part.may_end();
        match end {
            End::Panicked(message) => _ = self.panicked.get_or_insert((part, message)),
            // The loop's error is why the node stops, and no failure of the loop.
            End::Returned(Err(error)) if part != Part::Loop => {
                self.ended.get_or_insert((part, Some(error)));
            }
            End::Returned(_) | End::Dropped if expected => {}
            End::Returned(_) | End::Dropped => _ = self.ended.get_or_insert((part, None)),
        }
        if part == Part::Loop {
            self.phase = Phase::Stopping;
        }
    }

    /// From here on parts are expected to end. Of a start that is refused none failed.
    pub(super) fn stop(&mut self) {
        if self.phase == Phase::Starting {
            self.ended = None;
        }
        self.phase = Phase::Stopping;
    }

    pub(super) fn has(&self, part: Part) -> bool {
        self.running.contains(&part)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.panicked.is_some() || (self.ended.is_some() && self.phase != Phase::Starting)
    }

    /// The parts that run, in the order of the start.
    pub(super) fn running(&self) -> Vec<Part> {
        let mut running = self.running.clone();
        running.sort_unstable();
        running
    }

    /// Why the node has to stop, if it has to.
    pub(super) fn failure(&self) -> Option<Error> {
        if !self.has_failed() {
            return None;
        }
        let (part, what) = match (&self.panicked, &self.ended) {
            (Some((part, message)), _) => (part, format!("panicked: {message}")),
            (None, Some((part, Some(error)))) => (part, format!("ended: {error}")),
            (None, Some((part, None))) => (part, "ended by itself".to_owned()),
            (None, None) => return None,
        };
        let message = format!("the part {part} of the node {what}");
        let hint = format!(
            "Start the node again. This is a bug: report it with the log, which says where {part} failed."
        );
        let error = Error::new(Kind::PartFailed, message).with_field("part", part.name());
        Some(error.with_hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(book: &Book) -> Option<String> {
        book.failure().map(|error| error.to_string())
    }

    #[test]
    fn a_panic_outranks_the_ends_that_it_causes() {
        let mut book = Book::default();
        [Part::Network, Part::BlobMover, Part::Loop].into_iter().for_each(|part| book.begin(part));
        book.end(Part::BlobMover, End::Returned(Ok(())));
        assert_eq!(of(&book).as_deref(), Some("the part blob-mover of the node ended by itself"));
        book.end(Part::Network, End::Panicked("planted".to_owned()));
        assert_eq!(of(&book).as_deref(), Some("the part network of the node panicked: planted"));
        assert_eq!(book.running(), [Part::Loop]);
    }

    #[test]
    fn the_end_of_the_loop_is_no_failure_nor_are_the_ends_after_it() {
        let mut book = Book::default();
        [Part::Network, Part::Stdin, Part::Loop].into_iter().for_each(|part| book.begin(part));
        book.end(Part::Stdin, End::Returned(Ok(())));
        let refused = Error::new(Kind::Refused, "left");
        book.end(Part::Loop, End::Returned(Err(refused)));
        book.end(Part::Network, End::Returned(Ok(())));
        assert!(!book.has_failed() && book.running().is_empty(), "{book:?}");
    }

    #[test]
    fn what_a_refused_start_ends_is_no_failure() {
        let mut book = Book::default();
        book.begin(Part::BlobIntake);
        book.end(Part::BlobIntake, End::Returned(Ok(())));
        book.stop();
        assert!(of(&book).is_none(), "{book:?}");
    }

    #[test]
    fn a_part_that_ended_before_the_loop_began_failed_all_the_same() {
        let mut book = Book::default();
        book.begin(Part::Api);
        book.end(Part::Api, End::Returned(Ok(())));
        assert!(!book.has_failed(), "the start may be refused yet");
        book.begin(Part::Loop);
        assert!(book.has_failed(), "{book:?}");
    }

    #[test]
    fn a_panic_while_the_node_stops_counts() {
        let mut book = Book::default();
        book.begin(Part::Database);
        book.stop();
        book.end(Part::Database, End::Panicked("late".to_owned()));
        assert!(of(&book).is_some_and(|text| text.contains("database")), "{book:?}");
    }

    #[test]
    fn an_error_that_ends_a_part_is_in_the_message() {
        let mut book = Book::default();
        [Part::Api, Part::Loop].into_iter().for_each(|part| book.begin(part));
        book.end(Part::Api, End::Returned(Err(Error::new(Kind::Internal, "no socket"))));
        let failure = book.failure().expect("it failed");
        assert_eq!(failure.kind(), Kind::PartFailed);
        assert_eq!(failure.to_string(), "the part api of the node ended: no socket");
        assert!(failure.hint().is_some_and(|hint| hint.contains("api")));
    }
}
