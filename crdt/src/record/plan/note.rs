use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::name::ServiceName;
use crate::text::is_plain;

/// How many holds, and how many problems, a head has in full.
pub const NOTES_MAX: usize = 16;
/// How long the text of one is, in bytes.
pub const NOTE_TEXT_BYTES_MAX: usize = 96;

/// The first of some notes for people, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes<T> {
    first: Vec<T>,
    more: u32,
}

/// A text in a head: plain, at most [`NOTE_TEXT_BYTES_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanText(String);

/// A service of which something does not start yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The service.
    pub service: ServiceName,
    /// The condition that holds it back.
    pub why: PlanText,
}

/// A service that the plan does not place as the program says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The service.
    pub service: ServiceName,
    /// The kind of problem.
    pub kind: ProblemKind,
    /// How many instances there are too few.
    pub missing: u32,
    /// The reasons.
    pub why: PlanText,
}

/// Why a service is not placed as the program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// Its set is empty.
    Empty,
    /// It rests on a service that has a problem.
    Blocked,
    /// A number in it has no value.
    Arithmetic,
    /// There is no room for all instances.
    Short,
    /// A kind of a later build.
    Later(LaterProblem),
}

/// The number of a [`ProblemKind`] that this build does not know. Only decoding makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaterProblem(u8);

impl<T> Notes<T> {
    /// The first [`NOTES_MAX`] of these, and the number of the others.
    pub fn of(all: impl IntoIterator<Item = T>) -> Self {
        let mut all = all.into_iter();
        let first = all.by_ref().take(NOTES_MAX).collect();
        Self { first, more: u32::try_from(all.count()).unwrap_or(u32::MAX) }
    }

    /// Those that are there in full.
    pub fn first(&self) -> &[T] {
        &self.first
    }

    /// How many there are in all.
    pub const fn len(&self) -> usize {
        self.first.len() + self.more as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

impl<T> Default for Notes<T> {
    fn default() -> Self {
        Self { first: Vec::new(), more: 0 }
    }
}

impl PlanText {
    /// The text as it is shown: a character that is not shown as itself becomes a `?`, and what is too long ends in
    /// `…`.
    pub fn of(text: &str) -> Self {
        let shown: String = text.chars().map(|c| if is_plain(c) { c } else { '?' }).collect();
        if shown.len() <= NOTE_TEXT_BYTES_MAX {
            return Self(shown);
        }
        let end = shown.floor_char_boundary(NOTE_TEXT_BYTES_MAX - '…'.len_utf8());
        Self(format!("{}…", &shown[..end]))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Canonical for PlanText {
    fn encode(&self, out: &mut Encoder) {
        out.str(&self.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.text(NOTE_TEXT_BYTES_MAX, "text of a plan")?.to_owned()))
    }
}

impl<T: Canonical> Canonical for Notes<T> {
    fn encode(&self, out: &mut Encoder) {
        out.count(self.first.len());
        self.first.iter().for_each(|note| note.encode(out));
        out.u32(self.more);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = input.count(NOTES_MAX, "notes of a plan")?;
        let first = (0..count).map(|_| T::decode(input)).collect::<Result<Vec<_>, _>>()?;
        let more = input.u32("number of notes of a plan")?;
        // More than are there only where as many are there as can be.
        if more > 0 && count < NOTES_MAX {
            return Err(DecodeError::Invalid("number of notes of a plan"));
        }
        Ok(Self { first, more })
    }
}

impl Canonical for Hold {
    fn encode(&self, out: &mut Encoder) {
        self.why.encode(out.str(self.service.as_str()));
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let service = input.parse(ServiceName::MAX, "service of a plan")?;
        Ok(Self { service, why: PlanText::decode(input)? })
    }
}

impl Canonical for Problem {
    fn encode(&self, out: &mut Encoder) {
        self.kind.encode(out.str(self.service.as_str()));
        self.why.encode(out.u32(self.missing));
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            service: input.parse(ServiceName::MAX, "service of a plan")?,
            kind: ProblemKind::decode(input)?,
            missing: input.u32("number of missing instances")?,
            why: PlanText::decode(input)?,
        })
    }
}

impl Canonical for ProblemKind {
    fn encode(&self, out: &mut Encoder) {
        out.u8(match self {
            Self::Empty => 1,
            Self::Blocked => 2,
            Self::Arithmetic => 3,
            Self::Short => 4,
            Self::Later(LaterProblem(number)) => *number,
        });
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(match input.u8("problem of a plan")? {
            0 => return Err(DecodeError::Invalid("problem of a plan")),
            1 => Self::Empty,
            2 => Self::Blocked,
            3 => Self::Arithmetic,
            4 => Self::Short,
            later => Self::Later(LaterProblem(later)),
        })
    }
}
