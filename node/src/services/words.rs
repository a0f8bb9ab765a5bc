//! A config from the words of a command line.

use std::fmt::Display;

use crux_crdt::name::ServiceName;
use crux_crdt::service::{Check, Fields, Port, PortName, Ports, Probe};
use serde::Deserialize as _;

use super::draft::{Draft, Place, Source};
use super::error::cut;
use super::tree::{Node, Value};
use crate::error::{Error, Kind};

/// The arguments of `service add` in place of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The name of the service.
    pub name: String,
    /// Its revision; none: `v1`.
    pub rev: Option<String>,
    /// The id of a blob, or a path.
    pub image: Option<String>,
    /// Ports: `NAME=NUMBER` or `NAME=auto`; the first is the one it is registered with.
    pub ports: Vec<String>,
    /// Variables: `NAME=VALUE`.
    pub env: Vec<String>,
    /// Checks: `tcp:PORT`, `http:/PATH[:PORT]`, `grpc[:PORT]`, `exec:COMMAND`.
    pub checks: Vec<String>,
    /// With an image its arguments; otherwise a command, which is a path or is found in PATH, and its
    /// arguments.
    pub command: Vec<String>,
}

impl Words {
    /// The config that the words say.
    ///
    /// # Errors
    /// [`Kind::InvalidArgument`] or [`Kind::InvalidName`], naming the word.
    pub fn draft(&self) -> Result<Draft, Error> {
        let (source, args) = self.program()?;
        let mut fields = Fields::new(name("the service's name", &self.name)?, source);
        if let Some(rev) = &self.rev {
            fields.rev = name("--rev", rev)?;
        }
        fields.args = args;
        for word in &self.ports {
            add_port(&mut fields.ports, word).map_err(|why| wrong("--port", word, why))?;
        }
        for word in &self.env {
            let pair = word.split_once('=').filter(|(name, _)| !name.is_empty());
            let (name, value) = pair.ok_or_else(|| wrong("--env", word, "write NAME=VALUE"))?;
            if fields.env.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(wrong("--env", word, "the variable is there twice"));
            }
        }
        for word in &self.checks {
            let check = check(word, &fields.ports).map_err(|why| wrong("--check", word, why))?;
            fields.check.push(check);
        }
        Draft::of(fields).map_err(|err| Error::new(Kind::InvalidArgument, err.to_string()))
    }

    /// The program and its arguments.
    fn program(&self) -> Result<(Source, Vec<String>), Error> {
        if let Some(image) = &self.image {
            let place = Place::of_word(image).map_err(|why| wrong("--image", image, why))?;
            return Ok((Source::One(place), self.command.clone()));
        }
        let Some((program, args)) = self.command.split_first() else {
            let err = Error::new(Kind::InvalidArgument, "there is nothing to run");
            return Err(
                err.with_hint("Write a command behind `--`, or give --image a blob or a path.")
            );
        };
        let source = match Place::of(program).map_err(|why| wrong("the command", program, why))? {
            Place::Path(_) if !program.contains('/') => Source::Command(program.clone()),
            place => Source::One(place),
        };
        Ok((source, args.to_vec()))
    }
}

fn wrong(of: &str, word: &str, why: impl Display) -> Error {
    let error = Error::new(Kind::InvalidArgument, why.to_string());
    error.augment(format!("{of} {:?}", cut(word)))
}

fn name(of: &str, word: &str) -> Result<ServiceName, Error> {
    let parsed = word.parse::<ServiceName>();
    parsed.map_err(|err| Error::from(err).augment(format!("{of} {:?}", cut(word))))
}

/// Adds the port that `NAME=NUMBER` or `NAME=auto` is.
fn add_port(ports: &mut Ports, word: &str) -> Result<(), String> {
    let (name, port) =
        word.split_once('=').ok_or("write NAME=NUMBER, or NAME=auto as in http=auto")?;
    let name = name.parse::<PortName>().map_err(|err| err.to_string())?;
    let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let number = port.parse().ok().filter(|_| is_number);
    let value = number.map_or_else(|| Value::Text(port.to_owned()), Value::Number);
    let port = Port::deserialize(&Node { at: 0, value });
    ports.push(name, port.map_err(|err| err.to_string())?).map_err(|err| err.to_string())
}

/// The check that a word is.
fn check(word: &str, ports: &Ports) -> Result<Check, &'static str> {
    let (kind, rest) = word.split_once(':').map_or((word, None), |(kind, rest)| (kind, Some(rest)));
    let probe = match (kind, rest) {
        ("tcp", rest) => Probe::Tcp { port: port(rest, ports)? },
        ("http", Some(rest)) if rest.starts_with('/') => {
            let (path, name) =
                rest.rsplit_once(':').map_or((rest, None), |(path, name)| (path, Some(name)));
            Probe::Http { path: path.to_owned(), port: port(name, ports)? }
        }
        ("http", _) => return Err("write http:/PATH or http:/PATH:PORT"),
        ("grpc", rest) => Probe::Grpc { port: port(rest, ports)?, service: String::new() },
        ("exec", Some(command)) => {
            Probe::Exec { command: command.split_whitespace().map(str::to_owned).collect() }
        }
        ("heartbeat", _) => return Err("not there yet: programs cannot send heartbeats"),
        _ => return Err("write tcp:PORT, http:/PATH[:PORT], grpc[:PORT] or exec:COMMAND"),
    };
    Ok(Check::new(probe))
}

/// The port of that name or number; the first where there is no word.
fn port(word: Option<&str>, ports: &Ports) -> Result<PortName, &'static str> {
    let Some(word) = word else {
        return ports.first().cloned().ok_or("there is no port; add one, as in --port http=auto");
    };
    let is_it = |name: &PortName, port: Port| {
        name.as_str() == word || port.number().is_some_and(|number| number.to_string() == word)
    };
    let found = ports.iter().find(|(name, port)| is_it(name, *port));
    found.map(|(name, _)| name.clone()).ok_or("there is no such port; --port says which there are")
}
