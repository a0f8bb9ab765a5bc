//! How values are written: in a flag, and in a variable. The file's are those of TOML.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::Source;
use crate::error::{Error, Kind};

/// A shape of values.
pub(super) trait Shape {
    /// A value as it is written.
    type Written;

    /// The flag takes such a value.
    fn arg(arg: Arg) -> Arg;

    /// The value of the flag of that name; none: it is not there.
    fn of_flag(matches: &ArgMatches, id: &str) -> Result<Option<Self::Written>, clap::Error>;

    /// The value of a variable.
    fn of_variable(name: &str, value: &OsStr) -> Result<Self::Written, Error>;
}

/// One text.
pub(super) struct Text;
/// A path.
pub(super) struct File;
/// Texts: a flag that repeats, commas in a variable. An empty variable is an empty list.
pub(super) struct Texts;
/// Paths, as texts.
pub(super) struct Files;
/// Pairs of `k=v`, as texts.
pub(super) struct Table;
/// On or off.
pub(super) struct Switch;
/// On or off; the flag takes no value and says on.
pub(super) struct Flag;

impl Shape for Text {
    type Written = String;

    fn arg(arg: Arg) -> Arg {
        arg
    }

    fn of_flag(matches: &ArgMatches, id: &str) -> Result<Option<String>, clap::Error> {
        Ok(matches.get_one(id).cloned())
    }

    fn of_variable(name: &str, value: &OsStr) -> Result<String, Error> {
        value.to_str().map(str::to_owned).ok_or_else(|| wrong(name, "is not valid UTF-8"))
    }
}

impl Shape for File {
    type Written = PathBuf;

    fn arg(arg: Arg) -> Arg {
        arg.value_parser(value_parser!(PathBuf))
    }

    fn of_flag(matches: &ArgMatches, id: &str) -> Result<Option<PathBuf>, clap::Error> {
        Ok(matches.get_one(id).cloned())
    }

    fn of_variable(_: &str, value: &OsStr) -> Result<PathBuf, Error> {
        Ok(value.into())
    }
}

impl Shape for Texts {
    type Written = Vec<String>;

    fn arg(arg: Arg) -> Arg {
        arg.action(ArgAction::Append)
    }

    fn of_flag(matches: &ArgMatches, id: &str) -> Result<Option<Vec<String>>, clap::Error> {
        Ok(matches.get_many(id).map(|all| all.cloned().collect()))
    }

    fn of_variable(name: &str, value: &OsStr) -> Result<Vec<String>, Error> {
        let text = Text::of_variable(name, value)?;
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        Ok(entries.map(str::to_owned).collect())
    }
}

impl Shape for Files {
    type Written = Vec<PathBuf>;

    fn arg(arg: Arg) -> Arg {
        Texts::arg(File::arg(arg))
    }

    fn of_flag(matches: &ArgMatches, id: &str) -> Result<Option<Vec<PathBuf>>, clap::Error> {
        Ok(matches.get_many(id).map(|all| all.cloned().collect()))
    }

    fn of_variable(name: &str, value: &OsStr) -> Result<Vec<PathBuf>, Error> {
        Ok(Texts::of_variable(name, value)?.into_iter().map(Into::into).collect())
    }
}

impl Shape for Table {
    type Written = BTreeMap<String, String>;

    fn arg(arg: Arg) -> Arg {
        Texts::arg(arg)
    }

    fn of_flag(matches: &ArgMatches, id: &str) -> Result<Option<Self::Written>, clap::Error> {
        let Some(entries) = Texts::of_flag(matches, id)? else { return Ok(None) };
        let flag = Source::Flags.key(id);
        let wrong = |why| clap::Error::raw(ErrorKind::ValueValidation, format!("{flag}: {why}\n"));
        pairs(&entries).map(Some).map_err(wrong)
    }

    fn of_variable(name: &str, value: &OsStr) -> Result<Self::Written, Error> {
        let entries = Texts::of_variable(name, value)?;
        pairs(&entries).map_err(|why| wrong(name, &format!("is not a list of k=v: {why}")))
    }
}

impl Shape for Switch {
    type Written = bool;

    fn arg(arg: Arg) -> Arg {
        // Not in the help, which names the values already.
        arg.value_parser(PossibleValuesParser::new(["on", "off"])).hide_possible_values(true)
    }

    fn of_flag(matches: &ArgMatches, id: &str) -> Result<Option<bool>, clap::Error> {
        Ok(matches.get_one::<String>(id).map(|value| value == "on"))
    }

    fn of_variable(name: &str, value: &OsStr) -> Result<bool, Error> {
        match value.to_str() {
            Some("1" | "true" | "on" | "yes") => Ok(true),
            Some("0" | "false" | "off" | "no") => Ok(false),
            _ => Err(wrong(name, "is neither on nor off")),
        }
    }
}

impl Shape for Flag {
    type Written = bool;

    fn arg(arg: Arg) -> Arg {
        arg.action(ArgAction::SetTrue)
    }

    fn of_flag(matches: &ArgMatches, id: &str) -> Result<Option<bool>, clap::Error> {
        Ok(matches.get_flag(id).then_some(true))
    }

    fn of_variable(name: &str, value: &OsStr) -> Result<bool, Error> {
        Switch::of_variable(name, value)
    }
}

/// Pairs by their keys, or why they are none.
fn pairs(entries: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    for entry in entries {
        let pair = entry.split_once('=');
        let (key, value) = pair.ok_or_else(|| format!("there is no `=` in {entry:?}"))?;
        if pairs.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("the key {key:?} is given twice"));
        }
    }
    Ok(pairs)
}

fn wrong(name: &str, what: &str) -> Error {
    Error::new(Kind::InvalidConfig, format!("{name} {what}")).with_field("key", name)
}
