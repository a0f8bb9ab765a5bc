//! Colours, where a person sees them.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn states_are_coloured_only_where_that_is_asked_for() {
    let node = FakeNode::start(view());
    let _picket = FakePicket::start(node.dir.path());
    for line in
        ["members", "services --all", "doctor", "resolve nothing", "ps", "inspect web", "events"]
    {
        let plain = run(&node, line);
        let [always, never] =
            ["always", "never"].map(|when| run(&node, &format!("{line} --color {when}")));
        assert_eq!(plain.shown(), never.shown(), "{line}");
        assert!(!plain.shown().contains('\x1b'), "no terminal is there: {line}");
        let coloured = always.shown();
        assert!(coloured.contains("\x1b[3"), "{line}: {coloured}");
        let bare = ["\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[0m"]
            .iter()
            .fold(coloured, |text, command| text.replace(command, ""));
        assert_eq!(bare, plain.shown(), "columns stay where they are: {line}");
    }
    let members = run(&node, "members --color always").out;
    for painted in ["\x1b[32malive\x1b[0m", "\x1b[33msuspect\x1b[0m", "\x1b[31mdead\x1b[0m"] {
        assert!(members.contains(painted), "{members}");
    }
    for line in ["members --json", "resolve nothing --json"] {
        let ran = run(&node, &format!("{line} --color always"));
        assert!(!ran.shown().contains('\x1b'), "{line}");
    }
}
