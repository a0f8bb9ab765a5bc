use core::ops::AddAssign;

/// What became of the writes that clients asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Writes {
    /// They are durable, and what is said of them is checked.
    pub acknowledged: u64,
    /// Nothing was changed, for a reason.
    pub refused: u64,
    /// The process ended before it answered.
    pub unanswered: u64,
    /// Asked of a process that ran on a disk with room, and neither refused nor left unanswered.
    pub(crate) owed: u64,
}

impl AddAssign for Writes {
    fn add_assign(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.owed += other.owed;
    }
}

/// Where healthy nodes were asked to write, something was acknowledged: otherwise nothing could be
/// lost, and nothing come back.
///
/// # Errors
/// How many were asked for in vain.
pub(crate) fn some_written(writes: Writes) -> Result<(), String> {
    match writes {
        Writes { acknowledged: 0, owed: 1.., .. } => {
            Err(format!("none of {} writes was acknowledged", writes.owed))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_that_all_came_to_nothing_are_seen() {
        let writes = Writes { acknowledged: 0, refused: 2, unanswered: 1, owed: 1 };
        assert!(some_written(writes).is_err());
        assert_eq!(some_written(Writes { owed: 0, ..writes }), Ok(()));
        assert_eq!(some_written(Writes { acknowledged: 1, ..writes }), Ok(()));
    }
}
