//! `docs/reference/cli.md`, from the parser of the command line.

use clap::{Arg, ArgAction, Command};
use crux_client::Exit;
use crux_node::cli;

use crate::markdown::{NOTE, code, table, wrapped};

/// Commands with which `--json` prints something else than one document.
const JSON: &[(&str, &str)] = &[
    ("run", "each line of the log is one document."),
    ("watch", "one document a line."),
    ("members", "with `--watch` one document a line, at each change."),
    ("services", "with `--watch` one document a line, at each change."),
    ("blob ls", "with `--watch` one document a line, at each change."),
    ("blob put", "one document a line, for each file."),
    ("ps", "with `--watch` one document a line, at each change."),
    ("logs", "one document a line."),
    ("events", "one document a line."),
    ("completions", "the script as one string."),
    ("man", "the manual page as one string."),
];

/// What a command has in common with others that ask a node.
const ASKS: &str =
    "\nAsks the node at `--data-dir`: exit code 4 if none answers, 6 after `--timeout`.\n";

pub(crate) fn page() -> String {
    let mut root = cli::command();
    root.build();
    let about = "With `--json` a command prints one JSON document on standard output, or nothing; exceptions are named \
                 below. Hints, progress and errors go to standard error, each on a line, an error as one object. A \
                 command that writes a file's or a secret's content to standard output (`--out -`) prints its document \
                 on standard error.";
    let mut page = format!(
        "{NOTE}\n\n# Commands\n\n{}\n\n{}\n## Options of every command\n\n{}\n{}\n\n## Exit codes\n\n{}\n{}\n",
        long_about(&root),
        table(&["command", "what it does"], &index(&root, "")),
        options(&root, true),
        wrapped(about),
        exits(),
        wrapped("[Errors](errors.md) has the kinds."),
    );
    for command in visible(&root) {
        section(command, "##", command.get_name(), &mut page);
    }
    for (name, _) in JSON {
        assert!(page.contains(&format!("# {name}\n")), "{name} is not a command");
    }
    page
}

fn exits() -> String {
    let rows = Exit::ALL.map(|exit| vec![exit.code().to_string(), exit.meaning().to_owned()]);
    table(&["code", "meaning"], &rows)
}

/// The commands of a level and of those below, with links to their sections.
fn index(command: &Command, before: &str) -> Vec<Vec<String>> {
    let rows = visible(command).flat_map(|command| {
        let name = format!("{before}{}", command.get_name());
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let mut rows = vec![vec![format!("[{name}](#{})", name.replace(' ', "-")), about]];
        rows.extend(index(command, &format!("{name} ")));
        rows
    });
    rows.collect()
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    let seen = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    command.get_subcommands().filter(seen)
}

fn section(command: &Command, mark: &str, name: &str, page: &mut String) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    page.push_str(&format!(
        "\n{mark} {name}\n\n{}\n\n```text\n{usage}\n```\n",
        long_about(command)
    ));
    let options = options(command, false);
    if !options.is_empty() {
        page.push_str(&format!("\n{options}"));
    }
    if command.get_arguments().any(|arg| arg.get_long() == Some("timeout")) {
        page.push_str(ASKS);
    }
    if let Some((_, json)) = JSON.iter().find(|(one, _)| *one == name) {
        page.push_str(&format!("\n`--json`: {json}\n"));
    }
    let after = command.get_after_long_help().or(command.get_after_help());
    if let Some(after) = after {
        page.push_str(&format!("\n```text\n{}\n```\n", after.to_string().trim_end()));
    }
    for below in visible(command) {
        section(below, "###", &format!("{name} {}", below.get_name()), page);
    }
}

/// What a command's help says of it, in paragraphs.
fn long_about(command: &Command) -> String {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string);
    let about = about.unwrap_or_default();
    let paragraphs = about.split("\n\n").enumerate().map(|(at, text)| {
        // The first line of the help has no full stop.
        let stop = if at == 0 && !text.ends_with('.') { "." } else { "" };
        wrapped(&format!("{}{stop}", escaped(text)))
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Arguments and options as a table: those of every command, or those of this one only.
fn options(command: &Command, of_all: bool) -> String {
    let own = |arg: &&Arg| {
        !arg.is_hide_set()
            && arg.is_global_set() == of_all
            && !["help", "version"].contains(&arg.get_id().as_str())
    };
    let mut args: Vec<&Arg> = command.get_arguments().filter(own).collect();
    args.sort_by_key(|arg| !arg.is_positional());
    if args.is_empty() {
        return String::new();
    }
    let default = |arg: &Arg| {
        let values: Vec<_> =
            arg.get_default_values().iter().map(|one| one.to_string_lossy()).collect();
        let hidden = values.is_empty() || arg.is_hide_default_value_set() || !takes_value(arg);
        match (hidden, arg.is_required_set()) {
            (_, true) => "required".to_owned(),
            (true, false) => String::new(),
            (false, false) => code(&values.join(" ")),
        }
    };
    let rows: Vec<Vec<String>> =
        args.into_iter().map(|arg| vec![code(&form(arg)), help(arg), default(arg)]).collect();
    table(&["argument", "meaning", "default"], &rows)
}

/// An argument as it is written: `--label K=V …`.
fn form(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let mut values = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if values.is_empty() && takes_value(arg) {
        values = arg.get_id().to_string().to_uppercase();
    }
    let many = matches!(arg.get_action(), ArgAction::Append)
        || arg.get_num_args().is_some_and(|n| n.max_values() > 1);
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let flags: Vec<String> = short.into_iter().chain(long).collect();
    let shown = if takes_value(arg) { values } else { String::new() };
    let form = [flags.join(", "), shown].join(" ").trim().to_owned();
    if many { format!("{form} …") } else { form }
}

fn takes_value(arg: &Arg) -> bool {
    arg.is_positional() || matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

fn help(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let help = escaped(&help.split_whitespace().collect::<Vec<_>>().join(" "));
    let values: Vec<String> =
        arg.get_possible_values().iter().map(|value| code(value.get_name())).collect();
    let is_one_of = !values.is_empty() && takes_value(arg);
    if is_one_of { format!("{help}: {}", values.join(", ")) } else { help }
}

/// Text of the help, so that nothing but code is taken for markup.
fn escaped(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(at, part)| match at % 2 {
        0 => part.replace('*', "\\*").replace('<', "\\<").replace('_', "\\_"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("`")
}
