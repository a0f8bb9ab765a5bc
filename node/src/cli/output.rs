//! Where a command prints, and how.

use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::io::{self, BufRead as _, IsTerminal as _, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use crux_client::Client;
use crux_client::op::Call;
use crux_client::socket::Door;
use rustix::fs::FileType;
use serde::Serialize;

use super::paint::{When, finish};
use super::{Common, Wait, find};
use crate::config::Env;
use crate::error::{Error, Kind};
use crate::nodes::Nodes;
use crate::outfile;
use crate::{plain, private};

/// Where a command prints, and what all commands are told.
pub struct Ui {
    input: Box<dyn Read + Send>,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    env: Env,
    /// Whether a person is there to ask.
    interactive: bool,
    /// Whether standard error is a terminal.
    terminal: bool,
    /// Whether standard output is a file, which others may read.
    out_is_file: bool,
    /// Whether what is printed for people is coloured: on standard output, and on standard error.
    colours: (bool, bool),
    json: bool,
    yes: bool,
    data_dir: Option<PathBuf>,
    /// Where to look for a node when nobody names one.
    nodes: Nodes,
    /// Whether standard output is a terminal.
    screen: bool,
    /// The words of the command line, without the program's name.
    words: Vec<OsString>,
}

impl fmt::Debug for Ui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Ui");
        shown.field("json", &self.json).field("yes", &self.yes);
        shown.field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

impl Ui {
    /// This process's standard output, error and environment.
    pub fn of_process() -> Self {
        let interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
        let mut ui = Self::new(Box::new(io::stdout()), Box::new(io::stderr()), Env::of_process());
        ui.interactive = interactive;
        ui.terminal = io::stderr().is_terminal();
        if takes_colours() {
            ui.colours = (io::stdout().is_terminal(), ui.terminal);
        }
        ui.screen = io::stdout().is_terminal();
        ui.nodes = Nodes::of_process();
        ui.out_is_file = rustix::fs::fstat(io::stdout())
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        ui
    }

    /// Other places to print to, another environment, and nobody there to ask.
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, env: Env) -> Self {
        let (interactive, json, yes, data_dir) = (false, false, false, None);
        let (terminal, out_is_file) = (false, false);
        let colours = (false, false);
        let (nodes, screen, words) = (Nodes::default(), false, Vec::new());
        Self {
            input: Box::new(io::stdin()),
            out,
            err,
            env,
            interactive,
            terminal,
            out_is_file,
            colours,
            json,
            yes,
            data_dir,
            nodes,
            screen,
            words,
        }
    }

    /// Reads from there what is to be read from standard input.
    #[cfg(test)]
    pub(super) fn with_input(mut self, input: impl Read + Send + 'static) -> Self {
        self.input = Box::new(input);
        self
    }

    /// Looks for nodes there when nobody names one.
    #[cfg(test)]
    pub(super) fn with_nodes(mut self, nodes: Nodes) -> Self {
        self.nodes = nodes;
        self
    }

    /// Prints as to a terminal.
    #[cfg(test)]
    pub(super) fn with_screen(mut self) -> Self {
        self.screen = true;
        self
    }

    /// Takes what all commands are told.
    pub(super) fn adopt(&mut self, common: &Common) {
        self.json |= common.json;
        self.yes |= common.yes;
        self.data_dir.clone_from(&common.data_dir);
        self.data_dir.take_if(|dir| dir.as_os_str().is_empty());
        match common.color {
            When::Auto => {}
            When::Always => self.colours = (true, true),
            When::Never => self.colours = (false, false),
        }
    }

    /// Whether standard output is coloured.
    pub(super) fn colours(&self) -> bool {
        self.colours.0
    }

    /// Whether what goes to standard error for people is coloured.
    pub(super) fn colours_errors(&self) -> bool {
        self.colours.1
    }

    /// Whether answers and errors are JSON.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Whether a person sees what changes on standard error.
    pub(super) fn has_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether a person sees what changes on standard output.
    pub(super) fn has_screen(&self) -> bool {
        self.screen
    }

    /// How many lines the terminal at standard output has; `None` if it does not say.
    pub(super) fn rows(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_row)).filter(|rows| *rows > 0)
    }

    /// Whether what cannot be undone is to be done without asking.
    pub(super) fn yes(&self) -> bool {
        self.yes
    }

    /// Keeps the words of the command line, without the program's name.
    pub(super) fn set_words(&mut self, words: &[OsString]) {
        self.words = words.to_vec();
    }

    /// The words of the command line, without the program's name.
    pub(super) fn words(&self) -> &[OsString] {
        &self.words
    }

    /// The environment.
    pub(super) fn env(&self) -> &Env {
        &self.env
    }

    /// Standard input.
    pub(super) fn input(&mut self) -> &mut dyn Read {
        &mut self.input
    }

    /// For a command that reads a key: nobody else reads this process's memory, and no core dump has it.
    pub(super) fn keep_memory_private(&self) -> Result<(), Error> {
        // Memory is the whole process's.
        if self.env.is_own() { private::keep_memory_private() } else { Ok(()) }
    }

    /// Has notes and errors go elsewhere from now on.
    pub(super) fn set_err(&mut self, err: Box<dyn Write + Send>) {
        self.err = err;
    }

    /// Switches to JSON, for a command line that cannot be parsed.
    pub(super) fn set_json(&mut self, json: bool) {
        self.json = json;
    }

    /// Prints the answer: as one JSON document, or as text for people.
    pub(super) fn answer<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        if self.json {
            return self.print(&to_json(value)?);
        }
        self.print_painted(&text())
    }

    /// Prints text for people to standard output; nothing with `--json`.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Error> {
        if self.json { Ok(()) } else { self.print_painted(text) }
    }

    /// Prints a line to standard error. A closed standard error loses it.
    pub(super) fn note(&mut self, text: &str) {
        self.note_plain(&plain::lines(text));
    }

    /// The same, for text with painted words.
    pub(super) fn note_painted(&mut self, text: &str) {
        let text = finish(text, self.colours.1);
        self.note_plain(&text);
    }

    fn note_plain(&mut self, text: &str) {
        // In one piece, so that nothing comes between.
        let written = self.err.write_all(format!("{text}\n").as_bytes());
        written.and_then(|()| self.err.flush()).ok();
    }

    /// Prints to standard output and ends the line.
    pub(super) fn print(&mut self, text: &str) -> Result<(), Error> {
        self.print_plain(&plain::lines(text))
    }

    /// The same, for text with painted words.
    pub(super) fn print_painted(&mut self, text: &str) -> Result<(), Error> {
        let text = finish(text, self.colours.0);
        self.print_plain(&text)
    }

    fn print_plain(&mut self, text: &str) -> Result<(), Error> {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let written = write!(self.out, "{text}{end}").and_then(|()| self.out.flush());
        written.map_err(|err| Error::io("printing", &err))
    }

    /// Writes bytes to standard output as they are.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(|err| Error::io("writing to standard output", &err))
    }

    /// Prints a line that holds a secret to standard output: to a pipe or a terminal, and to no file.
    ///
    /// # Errors
    /// [`Kind::InvalidArgument`] when standard output is a file.
    pub(super) fn print_secret(&mut self, line: &str) -> Result<(), Error> {
        if self.out_is_file {
            let message = "standard output is a file, which others may read";
            return Err(Error::new(Kind::InvalidArgument, message)
                .with_hint("Give the path of the file instead: it then gets mode 0600."));
        }
        self.write(line.as_bytes())?;
        self.write(b"\n")?;
        self.flush()
    }

    /// Tells what was done: on standard output, or on standard error where that has the content.
    pub(super) fn told<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        text: impl FnOnce() -> String,
        out_has_content: bool,
    ) -> Result<(), Error> {
        if !out_has_content {
            return self.answer(value, text);
        }
        let told = if self.json { to_json(value)? } else { text() };
        self.note(&told);
        Ok(())
    }

    /// For a command that writes files: a signal that ends it leaves none unfinished.
    pub(super) fn clean_up_on_signals(&self) -> Result<(), Error> {
        // Signals are the whole process's.
        if self.env.is_own() { outfile::clean_up_on_signals() } else { Ok(()) }
    }

    /// Makes sure that everything was printed.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(|err| Error::io("printing", &err))
    }

    /// Asks before doing what cannot be undone, unless told not to. `what` says what that is, and is called
    /// only if somebody is there to read it.
    ///
    /// # Errors
    /// [`Kind::NotConfirmed`] when there is nobody to ask, or the answer is not `yes`; those of `what`.
    pub(super) fn confirm(
        &mut self,
        what: impl FnOnce(&mut Self) -> Result<String, Error>,
    ) -> Result<(), Error> {
        if self.yes {
            return Ok(());
        }
        let refused = |why: &str| {
            Error::new(Kind::NotConfirmed, why).with_hint("Add --yes to do it without a question.")
        };
        if self.json || !self.interactive {
            return Err(refused("this cannot be undone, and nobody is there to ask"));
        }
        let what = what(self)?;
        let what = plain::line(&what);
        let ask = write!(self.err, "{what} Type yes to go on: ").and_then(|()| self.err.flush());
        ask.map_err(|err| Error::io("asking", &err))?;
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        read.map_err(|err| Error::io("reading the answer", &err))?;
        if line.trim() == "yes" { Ok(()) } else { Err(refused("the answer was not yes")) }
    }

    /// Connects to the node of the data directory, or to the one that is found.
    ///
    /// # Errors
    /// See [`find::connect`].
    pub(super) async fn connect(&self, limit: Duration) -> Result<Client, Error> {
        self.connect_at(Door::Control, limit).await
    }

    /// The same, at one of its sockets.
    ///
    /// # Errors
    /// See [`find::connect`].
    pub(super) async fn connect_at(&self, door: Door, limit: Duration) -> Result<Client, Error> {
        find::connect(self.named(), &self.nodes, door, limit).await
    }

    /// The data directory that was given.
    fn named(&self) -> Option<PathBuf> {
        self.data_dir.clone().or_else(|| self.env.data_dir())
    }

    /// Settles which node is asked: the data directory that was found, if none was given. From then on it
    /// counts as given.
    ///
    /// # Errors
    /// See [`find::find`].
    pub(super) fn settle(&mut self) -> Result<Option<PathBuf>, Error> {
        if self.named().is_some() {
            return Ok(None);
        }
        let found = find::find(&self.nodes)?;
        self.data_dir = Some(found.clone());
        Ok(Some(found))
    }

    /// Asks the node of the data directory for one operation, and waits for its answer.
    ///
    /// # Errors
    /// Those of [`Ui::connect`], and what the node answers.
    pub(super) fn call<O: Call>(&self, op: &O, wait: Wait) -> Result<O::Answer, Error> {
        block_on(async { self.connect_at(O::DOOR, wait.timeout).await?.call(op).await })
    }
}

/// Whether this process's terminal takes colours, and its user wants them: see no-color.org.
fn takes_colours() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// One line of JSON.
pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|err| Error::new(Kind::Internal, err.to_string()).augment("writing JSON"))
}

/// Runs a command's talk with a node to its end.
pub(super) fn block_on<T>(talk: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|err| Error::io("starting the runtime", &err))?.block_on(talk)
}
