use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::hosts::Party;
use super::op::read_op;
use super::span::Span;
use super::words::Words;
use super::{Op, ParseError, Who};

/// How often; both bounds included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub u32, pub u32);

/// How often a block may be repeated.
const REPEAT_MAX: u32 = 1_000;

/// A line of a scenario, with the lines within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `form`.
    Form,
    /// `weather any`.
    AnyWeather,
    /// `let NAME = WHO`.
    Let(String, Who),
    /// `pause up to TIME`.
    Pause(Duration),
    /// `clients at WHO N`.
    Clients(Who, u32),
    /// `writers at WHO N`.
    Writers(Who, u32),
    /// `targets at WHO N`.
    Targets(Who, u32),
    /// `repeat N..M {`.
    Repeat(Count, Vec<Line>),
    /// `each NAME from WHO {`.
    Each(String, Who, Vec<Line>),
    /// `maybe P% {`.
    Maybe(u32, Vec<Line>),
    /// `choose {`, with weights.
    Choose(Vec<(u32, Line)>),
    /// An operation.
    Do(Op<Who>),
}

impl Count {
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, ParseError> {
        let count: Self = words.value("how often: `2` or `1..3`")?;
        let wrong = || ParseError::new(format!("at most {REPEAT_MAX} times"), count.to_string());
        if count.1 <= REPEAT_MAX { Ok(count) } else { Err(wrong()) }
    }
}

impl FromStr for Count {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| text.parse().map_err(|_| ());
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let (first, last) = (number(first)?, number(last)?);
        if first <= last { Ok(Self(first, last)) } else { Err(()) }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == self.1 { write!(f, "{}", self.0) } else { write!(f, "{}..{}", self.0, self.1) }
    }
}

impl Line {
    /// Reads a line that has no block.
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, ParseError> {
        Ok(match words.peek() {
            Some("form") => {
                words.must("form")?;
                Self::Form
            }
            Some("let") => {
                words.must("let")?;
                let name = super::scenario::read_name(words)?;
                words.must("=")?;
                Self::Let(name, Who::read(words)?)
            }
            Some("pause") => {
                ["pause", "up", "to"].iter().try_for_each(|word| words.must(word))?;
                Self::Pause(words.value::<Span>("a time like `3s`")?.0)
            }
            Some("clients") => {
                words.must("clients")?;
                words.must("at")?;
                let at = Who::read(words)?;
                Self::Clients(at, words.value::<u16>("how many")?.into())
            }
            Some("writers") => {
                words.must("writers")?;
                words.must("at")?;
                let at = Who::read(words)?;
                Self::Writers(at, words.value::<u16>("how many")?.into())
            }
            Some("targets") => {
                words.must("targets")?;
                words.must("at")?;
                let at = Who::read(words)?;
                Self::Targets(at, words.value::<u16>("how many")?.into())
            }
            _ => {
                let mut ahead = words.clone();
                if ahead.take("weather") && ahead.take("any") {
                    *words = ahead;
                    return Ok(Self::AnyWeather);
                }
                Self::Do(read_op(words)?)
            }
        })
    }

    /// Writes it, and what is within, indented by so much.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, deep: usize) -> fmt::Result {
        match self {
            Self::Form => f.write_str("form"),
            Self::AnyWeather => f.write_str("weather any"),
            Self::Let(name, who) => write!(f, "let {name} = {who}"),
            Self::Pause(time) => write!(f, "pause up to {}", Span(*time)),
            Self::Clients(at, count) => write!(f, "clients at {at} {count}"),
            Self::Writers(at, count) => write!(f, "writers at {at} {count}"),
            Self::Targets(at, count) => write!(f, "targets at {at} {count}"),
            Self::Repeat(count, lines) => {
                write!(f, "repeat {count} {{")?;
                block(f, lines, deep)
            }
            Self::Each(name, from, lines) => {
                write!(f, "each {name} from {from} {{")?;
                block(f, lines, deep)
            }
            Self::Maybe(percent, lines) => {
                write!(f, "maybe {percent}% {{")?;
                block(f, lines, deep)
            }
            Self::Choose(options) => {
                writeln!(f, "choose {{")?;
                for (weight, line) in options {
                    write!(f, "{:1$}{weight}: ", "", deep + 4)?;
                    line.write(f, deep + 4)?;
                    writeln!(f)?;
                }
                write!(f, "{:1$}}}", "", deep)
            }
            Self::Do(op) => write!(f, "{op}"),
        }
    }
}

fn block(f: &mut fmt::Formatter<'_>, lines: &[Line], deep: usize) -> fmt::Result {
    writeln!(f)?;
    for line in lines {
        write!(f, "{:1$}", "", deep + 4)?;
        line.write(f, deep + 4)?;
        writeln!(f)?;
    }
    write!(f, "{:1$}}}", "", deep)
}
