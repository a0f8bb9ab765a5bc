//! Words of other tools on the command line, and what to write instead.
//!
//! The parser itself finds what is spelled nearly right. This knows what is called otherwise here.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A command that does not exist, those before it, and what to write instead.
const COMMANDS: &[(&str, &[&str], &str)] = &[
    ("", &["version"], "`crux-node --version` prints the version"),
    ("", &["agent", "daemon", "join", "node", "serve", "server", "start", "up"], RUN),
    ("", &["list", "ls", "nodes", "peers"], LISTS),
    ("", &["instances", "jobs", "processes", "top"], PS),
    ("", &["health", "info", "stat", "state"], STATUS),
    ("", &["down", "quit", "shutdown", "stop"], STOP),
    ("", &["genkey", "init", "secret", "token"], "`crux-node keygen` makes the secret of a flock"),
    ("", &["dns", "find", "get", "lookup", "query"], LOOK_UP),
    ("", &["restart"], "`crux-node service restart` restarts a service"),
    ("", &["publish"], "`crux-node register` registers a service"),
    ("", &["add", "deploy", "launch", "start-service"], ADD),
    ("", &["describe"], "`crux-node inspect` shows all that is known of a service"),
    ("", &["journal", "tail"], "`crux-node logs` shows what a service wrote"),
    ("", &["history"], "`crux-node events` shows what a node saw"),
    (
        "",
        &["remove", "rm", "unregister"],
        "`crux-node deregister` removes a service, `crux-node forget` a dead node",
    ),
    ("", &["config", "configure"], "`crux-node run --help` lists the settings"),
    (
        "",
        &["log"],
        "`crux-node logs` shows what a service wrote; a node logs to standard error, and `crux-node run --log` \
         says what",
    ),
    (
        "",
        &["download", "put", "upload"],
        "`crux-node blob put` and `crux-node blob get` move files",
    ),
    ("blob", &["list"], "`crux-node blob ls` lists the blobs of a node"),
    ("blob", &["del", "delete", "remove"], "`crux-node blob rm` removes a blob from a node"),
    ("blob", &["add", "upload"], "`crux-node blob put` takes a file in"),
    ("blob", &["cat", "download", "fetch"], "`crux-node blob get` gives a blob out"),
    ("doc", &["list"], "`crux-node doc ls` lists documents"),
    ("doc", &["cat", "get", "inspect", "read"], "`crux-node doc show` shows one"),
    ("doc", &["add", "apply", "create", "set", "sign", "write"], "`crux-node doc put` signs one"),
    ("doc", &["del", "delete", "remove"], "`crux-node doc rm` deletes one"),
    ("user", &["list"], "`crux-node user ls` lists users"),
    ("user", &["create", "key", "new"], "`crux-node user keygen` makes a key, `crux-node user add` grants it something"),
    ("user", &["grant", "set", "update"], "`crux-node user add` grants, also again with other permissions"),
    ("user", &["del", "delete", "remove", "revoke"], "`crux-node user rm` revokes all that is granted to one"),
    ("setting", &["get", "list", "show"], "`crux-node setting ls` lists settings"),
    ("setting", &["del", "delete", "remove", "reset", "rm"], "`crux-node setting unset` takes one back"),
    ("service", &["list", "ls", "ps", "stat", "status"], PS),
    (
        "service",
        &["describe", "info", "inspect"],
        "`crux-node inspect` shows all that is known of one",
    ),
    ("service", &["journal", "log", "logs", "tail"], "`crux-node logs` shows what a service wrote"),
    ("service", &["events", "history"], "`crux-node events --service` shows what became of one"),
    ("service", &["create", "deploy", "enable", "launch", "new", "run"], ADD),
    ("service", &["register"], "`crux-node register` registers a service that Crux does not run"),
    (
        "service",
        &["del", "delete", "forget", "remove", "uninstall"],
        "`crux-node service rm` removes one",
    ),
    ("service", &["disable", "down", "kill", "quit"], "`crux-node service stop` stops one"),
    (
        "service",
        &["apply", "edit", "reload", "set", "upgrade"],
        "`crux-node service update` changes one",
    ),
    ("service", &["lint", "test", "validate", "verify"], "`crux-node service check` does that"),
    (
        "service",
        &["cat", "config", "export", "get"],
        "`crux-node service show` prints the config of one",
    ),
    ("service", &["revert", "undo"], "`crux-node service rollback` does that"),
];

const RUN: &str = "`crux-node run` runs a node, and `crux-node run --join` has it join others";
const LISTS: &str = "`crux-node members` lists nodes, `crux-node services` services, `crux-node ps` \
                     what runs here, `crux-node blob ls` blobs";
const PS: &str = "`crux-node ps` lists what runs here";
const ADD: &str = "`crux-node service add` runs a program from now on";
const STATUS: &str = "`crux-node status` shows a node, `crux-node doctor` checks it";
const STOP: &str = "SIGTERM or Ctrl-C stops a node, `crux-node leave` takes it out of the flock, and \
                    `crux-node service stop` stops a service";
const LOOK_UP: &str =
    "`crux-node resolve` finds one instance of a service, `crux-node services` all";

/// A flag that does not exist, in a command (empty: in any), and what to write instead.
const FLAGS: &[(&str, &[&str], &str)] = &[
    ("", &["--no-mdns", "--disable-mdns"], "`--mdns off` does that"),
    ("run", &["--addr", "--address", "--bind", "--host", "--port"], "`--listen` does that"),
    ("", &["--peer", "--peers", "--retry-join", "--seed", "--seeds"], "`--join` does that"),
    ("", &["--data", "--datadir", "--directory"], "`--data-dir` does that"),
    ("", &["--hostname", "--node-name"], "`--name` does that"),
    (
        "",
        &["--debug", "--log-level", "--verbose"],
        "`--log` of `crux-node run` says what is logged",
    ),
    ("", &["--format", "--output"], "`--json` prints JSON"),
    ("", &["--no-color", "--no-colour"], "`--color never` does that"),
    ("", &["--force"], "`--yes` asks nothing"),
    ("", &["--secret", "--token"], SECRET),
    ("run", &["--key"], SECRET),
    ("doc", &["--key", "--sign", "--user"], "`--identity` does that"),
    ("logs", &["--lines", "--last"], "`--tail` does that"),
    ("service", &["--environment", "--set-env"], "`--env` does that"),
    ("service", &["--publish", "--expose"], "`--port` does that"),
    ("service", &["--health-cmd", "--healthcheck", "--probe"], "`--check` does that"),
    ("service", &["--no-wait", "--detach"], "`--wait none` does that"),
    ("resolve", &["--node"], "`--on` does that"),
];

const SECRET: &str = "`--secret-file` does that: every user of the machine sees arguments";

/// Adds what to write instead, where that is known.
pub(super) fn explain(err: &mut clap::Error, before: Option<&str>) {
    let kinds = match err.kind() {
        ErrorKind::InvalidSubcommand => {
            (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand)
        }
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, ContextKind::SuggestedArg),
        _ => return,
    };
    let Some(ContextValue::String(word)) = err.get(kinds.0) else { return };
    let tip = match err.kind() {
        ErrorKind::InvalidSubcommand => instead_of_command(before.unwrap_or_default(), word),
        _ => instead_of_flag(before.unwrap_or_default(), word),
    };
    if let Some(tip) = tip {
        err.remove(kinds.1);
        err.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

fn instead_of_command(before: &str, word: &str) -> Option<&'static str> {
    let before = if before == word { "" } else { before };
    let rows = COMMANDS.iter().filter(|(above, _, _)| *above == before);
    rows.into_iter().find(|(_, words, _)| words.contains(&word)).map(|(_, _, tip)| *tip)
}

fn instead_of_flag(command: &str, word: &str) -> Option<&'static str> {
    let flag = word.split_once('=').map_or(word, |(flag, _)| flag);
    let fits = |(of, flags, _): &&(&str, &[&str], &str)| {
        (of.is_empty() || *of == command) && flags.contains(&flag)
    };
    FLAGS.iter().find(fits).map(|(_, _, tip)| *tip)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    fn flags(command: &clap::Command, all: &mut BTreeSet<String>) {
        all.extend(
            command.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))),
        );
        command.get_subcommands().for_each(|below| flags(below, all));
    }

    /// The words between backticks in a tip.
    fn quoted(tip: &str) -> Vec<&str> {
        tip.split('`').skip(1).step_by(2).collect()
    }

    #[test]
    fn each_tip_names_what_exists_for_what_does_not() {
        let mut cli = Cli::command();
        cli.build();
        let mut known = BTreeSet::new();
        flags(&cli, &mut known);
        let find = |path: &[&str]| {
            path.iter().try_fold(&cli, |command, name| command.find_subcommand(name))
        };
        for (above, words, tip) in COMMANDS {
            let above: Vec<_> = above.split_whitespace().collect();
            for word in *words {
                assert!(find(&[&above[..], &[word]].concat()).is_none(), "{word} exists");
            }
            for quoted in quoted(tip) {
                let words = quoted.split(' ').skip(1).collect::<Vec<_>>();
                let (flags, path): (Vec<_>, Vec<_>) =
                    words.iter().copied().partition(|word| word.starts_with("--"));
                assert!(find(&path).is_some(), "{tip}");
                assert!(flags.iter().all(|flag| known.contains(*flag)), "{tip}");
            }
        }
        for (of, words, tip) in FLAGS {
            let mut taken = BTreeSet::new();
            let below = if of.is_empty() { Some(&cli) } else { find(&[*of]) };
            flags(below.unwrap(), &mut taken);
            assert!(words.iter().all(|word| !taken.contains(*word)), "{words:?}");
            let flag = quoted(tip)[0].split(' ').next().unwrap_or_default();
            assert!(known.contains(flag), "{tip}");
        }
    }
}
