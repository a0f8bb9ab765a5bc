use core::fmt;
use core::iter::Peekable;
use core::str::FromStr;
use std::collections::BTreeSet;

use super::hosts::Party;
use super::line::Count;
use super::words::{Words, is_name};
use super::{Line, ParseError, Who};

/// The greatest number of nodes.
const NODES_MAX: usize = 10_000;
/// How many lines a text may have.
const LINES_MAX: usize = 1_000;
/// How deep blocks may lie in each other.
const DEEP_MAX: usize = 8;
/// How often seeds choose a scenario that does not say.
const WEIGHT: u32 = 10;

/// The story of a flock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its name; not part of its text.
    pub name: String,
    /// The file it was read from; none: it comes with the program. Not part of its text either.
    pub file: Option<String>,
    /// The point that it shows.
    pub about: String,
    /// How many nodes unless told otherwise.
    pub nodes: usize,
    /// How many a seed may choose, both included.
    pub sizes: (usize, usize),
    /// Hosts beside the nodes.
    pub spare: usize,
    /// How often seeds choose it, against the others.
    pub weight: u32,
    /// It is the supervisor of one machine that lives, and the seed decides what happens to it: there are
    /// no lines.
    pub picket: bool,
    /// The supervisor has a target, too, which hands in sets of goals beside the people; only with `picket`.
    pub goals: bool,
    /// With each request of a client its node says how its services are.
    pub health: bool,
    /// Each node has a supervisor, and enacts targets.
    pub targets: bool,
    /// The operations, in order.
    pub lines: Vec<Line>,
}

impl Scenario {
    /// Reads a text.
    ///
    /// # Errors
    /// The line that is wrong, and what was expected there.
    pub fn parse(name: &str, text: &str) -> Result<Self, ParseError> {
        let mut scenario: Self = text.parse()?;
        name.clone_into(&mut scenario.name);
        Ok(scenario)
    }

    fn read_head(&mut self, words: &mut Words<'_>) -> Result<bool, ParseError> {
        match words.peek() {
            Some("nodes") => {
                words.must("nodes")?;
                self.nodes = read_size(words.value("a number")?)?;
                self.sizes = (self.nodes, self.nodes);
            }
            Some("sizes") => {
                words.must("sizes")?;
                let Count(first, last) = words.value("two numbers like `3..9`")?;
                self.sizes = (read_size(first)?, read_size(last)?);
            }
            Some("spare") => {
                words.must("spare")?;
                self.spare = words.value::<u16>("a number")?.into();
            }
            Some("health") => {
                words.must("health")?;
                self.health = true;
            }
            Some("picket") => {
                words.must("picket")?;
                self.picket = true;
            }
            Some("goals") => {
                words.must("goals")?;
                self.goals = true;
            }
            // The line of the same word has more words.
            Some("targets") if words.len() == 1 => {
                words.must("targets")?;
                self.targets = true;
            }
            Some("weight") => {
                words.must("weight")?;
                self.weight = words.value::<u16>("a number")?.into();
            }
            _ => return Ok(false),
        }
        words.end()?;
        Ok(true)
    }
}

fn read_size(size: u32) -> Result<usize, ParseError> {
    let wrong = || ParseError::new(format!("1 to {NODES_MAX} nodes"), size.to_string());
    usize::try_from(size).ok().filter(|size| (1..=NODES_MAX).contains(size)).ok_or_else(wrong)
}

pub(super) fn read_name(words: &mut Words<'_>) -> Result<String, ParseError> {
    let word = words.next("a name")?;
    let wrong = || ParseError::new("a name of small letters that means nothing yet", word);
    if is_name(word) { Ok(word.to_owned()) } else { Err(wrong()) }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.about.is_empty() {
            writeln!(f, "about {}", self.about)?;
        }
        writeln!(f, "nodes {}", self.nodes)?;
        if self.sizes != (self.nodes, self.nodes) {
            writeln!(f, "sizes {}..{}", self.sizes.0, self.sizes.1)?;
        }
        if self.spare > 0 {
            writeln!(f, "spare {}", self.spare)?;
        }
        if self.weight != WEIGHT {
            writeln!(f, "weight {}", self.weight)?;
        }
        if self.health {
            writeln!(f, "health")?;
        }
        if self.picket {
            writeln!(f, "picket")?;
        }
        if self.goals {
            writeln!(f, "goals")?;
        }
        if self.targets {
            writeln!(f, "targets")?;
        }
        for line in &self.lines {
            line.write(f, 0)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl FromStr for Scenario {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (sizes, lines) = ((0, 0), Vec::new());
        let (name, about) = (String::new(), String::new());
        let (file, nodes, spare, weight) = (None, 0, 0, WEIGHT);
        let (picket, goals, health, targets) = (false, false, false, false);
        let mut scenario = Self {
            name,
            file,
            about,
            nodes,
            sizes,
            spare,
            weight,
            picket,
            goals,
            health,
            targets,
            lines,
        };
        let lines =
            text.lines().map(|line: &str| line.split('#').next().unwrap_or_default().trim());
        let mut lines = lines.enumerate().filter(|(_, line)| !line.is_empty()).peekable();
        while let Some((at, line)) = lines.peek() {
            let words: Vec<_> = line.split_whitespace().collect();
            if let Some(about) = line.strip_prefix("about ") {
                about.trim().clone_into(&mut scenario.about);
            } else if !scenario.read_head(&mut Words::new(&words)).map_err(|e| e.at(at + 1))? {
                break;
            }
            lines.next();
        }
        if scenario.nodes == 0 {
            return Err(ParseError::new("`nodes N` in the head", "none").at(1));
        }
        let mut text = Text { lines, last: 0, read: 0 };
        scenario.lines = text.block(&BTreeSet::new(), 0)?;
        if scenario.picket && !scenario.lines.is_empty() {
            return Err(ParseError::new("no lines after `picket`", "some").at(text.last));
        }
        if scenario.goals && !scenario.picket {
            return Err(ParseError::new("`picket` beside `goals`", "none").at(text.last));
        }
        Ok(scenario)
    }
}

/// The lines that are not read yet.
struct Text<'a, I: Iterator<Item = (usize, &'a str)>> {
    lines: Peekable<I>,
    /// The number of the last line read.
    last: usize,
    read: usize,
}

impl<'a, I: Iterator<Item = (usize, &'a str)>> Text<'a, I> {
    fn next(&mut self) -> Result<Option<&'a str>, ParseError> {
        let Some((at, line)) = self.lines.next() else { return Ok(None) };
        self.last = at + 1;
        self.read += 1;
        let wrong = || ParseError::new(format!("at most {LINES_MAX} lines"), "more");
        if self.read > LINES_MAX { Err(wrong().at(self.last)) } else { Ok(Some(line)) }
    }

    /// The lines up to the brace that ends a block, or to the end of the text.
    fn block(&mut self, known: &BTreeSet<String>, deep: usize) -> Result<Vec<Line>, ParseError> {
        let (mut known, mut lines) = (known.clone(), Vec::new());
        while let Some(text) = self.next()? {
            if text == "}" && deep > 0 {
                return Ok(lines);
            }
            let line = self.line(text, &known, deep)?;
            if let Line::Let(name, _) = &line {
                known.insert(name.clone());
            }
            lines.push(line);
        }
        if deep == 0 { Ok(lines) } else { Err(ParseError::new("`}`", "").at(self.last)) }
    }

    fn line(
        &mut self,
        text: &str,
        known: &BTreeSet<String>,
        deep: usize,
    ) -> Result<Line, ParseError> {
        let at = self.last;
        let words: Vec<_> = text.split_whitespace().collect();
        let mut words = Words::new(&words);
        let line = match words.peek() {
            Some("repeat" | "each" | "maybe" | "choose") if deep >= DEEP_MAX => {
                Err(ParseError::new(format!("at most {DEEP_MAX} blocks in each other"), "more"))
            }
            Some("repeat" | "each" | "maybe" | "choose") => {
                return self.with_block(&mut words, known, deep);
            }
            _ => Line::read(&mut words),
        };
        let checked = line.and_then(|line| {
            words.end()?;
            check_names(&line, known)?;
            Ok(line)
        });
        checked.map_err(|error| error.at(at))
    }

    fn with_block(
        &mut self,
        words: &mut Words<'_>,
        known: &BTreeSet<String>,
        deep: usize,
    ) -> Result<Line, ParseError> {
        let at = self.last;
        let head = read_block_head(words).map_err(|error| error.at(at))?;
        check_names(&head, known).map_err(|error| error.at(at))?;
        Ok(match head {
            Line::Repeat(count, _) => Line::Repeat(count, self.block(known, deep + 1)?),
            Line::Maybe(percent, _) => Line::Maybe(percent, self.block(known, deep + 1)?),
            Line::Each(name, from, _) => {
                let mut within = known.clone();
                within.insert(name.clone());
                Line::Each(name, from, self.block(&within, deep + 1)?)
            }
            _ => Line::Choose(self.options(known, deep + 1)?),
        })
    }

    fn options(
        &mut self,
        known: &BTreeSet<String>,
        deep: usize,
    ) -> Result<Vec<(u32, Line)>, ParseError> {
        let mut options = Vec::new();
        while let Some(text) = self.next()? {
            if text == "}" {
                let some = options.iter().any(|(weight, _)| *weight > 0);
                let wrong = || ParseError::new("an option with some weight", "`}`").at(self.last);
                return if some { Ok(options) } else { Err(wrong()) };
            }
            let wrong = || ParseError::new("`WEIGHT: LINE`", format!("`{text}`")).at(self.last);
            let (weight, line) = text.split_once(':').ok_or_else(wrong)?;
            let weight = weight.parse::<u16>().map_err(|_| wrong())?.into();
            options.push((weight, self.line(line.trim(), known, deep)?));
        }
        Err(ParseError::new("`}`", "").at(self.last))
    }
}

/// The head of a block, with nothing within yet.
fn read_block_head(words: &mut Words<'_>) -> Result<Line, ParseError> {
    let line = match words.next("a block")? {
        "repeat" => Line::Repeat(Count::read(words)?, Vec::new()),
        "each" => {
            let name = read_name(words)?;
            words.must("from")?;
            Line::Each(name, Who::read(words)?, Vec::new())
        }
        "maybe" => {
            let text = words.next("a chance like `70%`")?;
            let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
            let wrong = || ParseError::new("a chance like `70%`", format!("`{text}`"));
            Line::Maybe(percent.filter(|percent| *percent <= 100).ok_or_else(wrong)?, Vec::new())
        }
        _ => Line::Choose(Vec::new()),
    };
    words.must("{")?;
    words.end()?;
    Ok(line)
}

/// Every name must have been given before.
fn check_names(line: &Line, known: &BTreeSet<String>) -> Result<(), ParseError> {
    let mut found = Ok(());
    let mut check = |who: &Who| {
        let strange = who.uses().find(|name| !known.contains(*name)).cloned();
        if let (Some(name), Ok(())) = (strange, &found) {
            found = Err(ParseError::new("a name given before by `let` or `each`", name));
        }
    };
    match line {
        Line::Let(_, who)
        | Line::Clients(who, _)
        | Line::Writers(who, _)
        | Line::Targets(who, _)
        | Line::Each(_, who, _) => check(who),
        Line::Do(op) => _ = op.clone().map(|who| check(&who)),
        _ => {}
    }
    found
}
