//! The first steps of a newcomer: a node that nobody named, one that starts, lists that go on.

use super::*;
use crate::nodes::Nodes;

/// Runs a command line that names no data directory, as a user whose nodes are those.
fn run_as(nodes: &Nodes, line: &str) -> Ran {
    let args: Vec<_> =
        ["crux-node"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
    let (out, err) = (Buffer::default(), Buffer::default());
    let ui = Ui::new(Box::new(out.clone()), Box::new(err.clone()), Env::of(&[]));
    let ui = ui.with_nodes(nodes.clone());
    let ran = std::thread::spawn(move || run_with(args, ui));
    let exit = tokio::task::block_in_place(|| ran.join().unwrap());
    Ran { exit: exit.code(), out: out.text(), err: err.text() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_found_where_there_is_one() {
    let home = tempfile::tempdir().unwrap();
    let (one, two) = (FakeNode::start(view()), FakeNode::start(view()));
    let mut system = FakeNode::start(view());
    let nodes = Nodes::of(None, &[home.path()]);
    let none = run_as(&nodes, "leader");
    insta::assert_snapshot!("found_none", none.shown());
    let listed = nodes.list(one.dir.path());
    let found = run_as(&nodes, "leader");
    assert_eq!((found.exit, found.err.as_str()), (0, ""), "{found:?}");
    let _listed = nodes.list(two.dir.path());
    let several = run_as(&nodes, "leader");
    assert_eq!((several.exit, several.out.as_str()), (2, ""), "{several:?}");
    for node in [&one, &two] {
        assert!(several.err.contains(&node.dir.path().display().to_string()), "{several:?}");
    }
    assert!(several.err.contains("--data-dir"), "{several:?}");
    // Named, there is nothing to choose.
    let named = run_as(&nodes, &format!("leader --data-dir {}", two.dir.path().display()));
    assert_eq!(named.exit, 0);
    drop(listed);
    assert_eq!(run_as(&nodes, "leader").exit, 0, "the other one is the only one");
    // The machine's own node comes first, as long as it answers.
    let both = Nodes::of(Some(system.dir.path().to_owned()), &[home.path()]);
    let _one = both.list(one.dir.path());
    assert_eq!(run_as(&both, "leader").exit, 0);
    system.stop().await;
    assert_eq!(run_as(&both, "leader").exit, 2, "two of this user's are left");
}

/// The socket is there a moment after the command, as after `run &`.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_waits_for_a_node_that_starts() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("d");
    let args = ["crux-node", "status", "--timeout", "2s", "--json", "--data-dir"];
    let args: Vec<_> = args.map(OsString::from).into_iter().chain([place.clone().into()]).collect();
    let err = Buffer::default();
    let ui = Ui::new(Box::new(Buffer::default()), Box::new(err.clone()), Env::of(&[]));
    let ran = std::thread::spawn(move || run_with(args, ui));
    std::fs::create_dir(&place).unwrap();
    // It takes connections and does not answer yet: then the limit is `--timeout`, and the kind another.
    let _socket = tokio::net::UnixListener::bind(place.join("control.sock")).unwrap();
    let exit = tokio::task::block_in_place(|| ran.join().unwrap());
    assert_eq!(exit, Exit::TimedOut, "{}", err.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on() {
    let mut node = FakeNode::start(View { services: vec![], ..view() });
    let outs =
        ["services -w", "services -w --json", "members -w", "blob ls -w --json", "services -w"]
            .into_iter()
            .enumerate()
            .map(|(at, line)| {
                let out = Buffer::default();
                let mut ui =
                    Ui::new(Box::new(out.clone()), Box::new(Buffer::default()), Env::of(&[]));
                if at == 4 {
                    ui = ui.with_screen();
                }
                let args = format!("crux-node {line} --data-dir {}", node.dir.path().display());
                let args: Vec<_> = args.split(' ').map(OsString::from).collect();
                (out, std::thread::spawn(move || run_with(args, ui)))
            });
    let outs: Vec<_> = outs.collect();
    let until = |at: usize, text: &'static str| {
        let out = outs[at].0.clone();
        async move {
            while !out.text().contains(text) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    };
    until(1, "[]\n").await;
    until(2, "= n1  ").await;
    until(3, "[]\n").await;
    until(4, "PATH").await;
    node.views
        .send_replace(Arc::new(View { services: vec![service("n1", "web", "r1")], ..view() }));
    until(0, "+ /dev/main/n1/web/r1  ").await;
    until(1, "svc-n1web").await;
    until(4, "svc-n1web").await;
    node.views.send_replace(Arc::new(View { services: vec![], members: vec![], ..view() }));
    until(0, "- /dev/main/n1/web/r1  ").await;
    until(2, "- n1  ").await;
    node.stop().await;
    let (texts, ends): (Vec<_>, Vec<_>) = outs.into_iter().unzip();
    for end in ends {
        assert_eq!(end.join().unwrap(), Exit::NoNode);
    }
    let json = texts[1].text();
    assert!(json.lines().count() >= 3, "{json}");
    for line in json.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_array());
    }
    assert_eq!(texts[3].text(), "[]\n", "what did not change is not said again");
    let screen = texts[4].text();
    assert!(
        screen.starts_with("\x1b[2J\x1b[?7l\x1b[H") && screen.ends_with("\x1b[?7h"),
        "{screen:?}"
    );
    assert_eq!(screen.matches("\x1b[2J").count(), 1, "it is redrawn in place");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digits_of_a_principal_go_to_the_node() {
    let node = FakeNode::start(view());
    let ran = run(&node, "forget 6e346e34 --yes --json");
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(run(&node, "forget 6E34 --yes").exit, 2);
}

/// The question to a person who is a user with those nodes.
fn asked(
    nodes: &Nodes,
    data_dir: Option<&str>,
    question: impl FnOnce(&mut Ui) -> Result<String, Error> + Send + 'static,
) -> (Result<String, Error>, Ui) {
    let [out, err] = std::array::from_fn(|_| Box::new(std::io::sink()));
    let mut ui = Ui::new(out, err, Env::of(&[])).with_nodes(nodes.clone());
    let args = ["crux-node", "status", "--data-dir", data_dir.unwrap_or_default()];
    ui.adopt(&Cli::try_parse_from(args).unwrap().common);
    let thread = std::thread::spawn(move || (question(&mut ui), ui));
    tokio::task::block_in_place(|| thread.join().unwrap())
}

/// A person may not know which node that is.
#[tokio::test(flavor = "multi_thread")]
async fn the_question_names_a_node_that_was_found() {
    let home = tempfile::tempdir().unwrap();
    let (one, two) = (FakeNode::start(view()), FakeNode::start(view()));
    let nodes = Nodes::of(None, &[home.path()]);
    let dir = |node: &FakeNode| node.dir.path().canonicalize().unwrap().display().to_string();
    let (asked_of_none, _) = asked(&nodes, None, leave::question);
    assert_eq!(asked_of_none.unwrap_err().kind(), crate::error::Kind::NoNode);
    let listed = nodes.list(one.dir.path());
    let (found, mut ui) = asked(&nodes, None, leave::question);
    assert!(found.unwrap().contains(&dir(&one)));
    // The answer is about that node, whatever runs by then.
    drop(listed);
    let _listed = nodes.list(two.dir.path());
    assert_eq!(ui.settle(), Ok(None));
    let (given, _) = asked(&nodes, Some(&dir(&one)), leave::question);
    assert_eq!(given.unwrap(), "The node will leave the flock and stop.");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_question_names_the_member_that_is_forgotten() {
    let node = FakeNode::start(view());
    let dir = node.dir.path().display().to_string();
    let ask = |named: &str| {
        let mut member = crux_client::parse::node(named).unwrap();
        let question = move |ui: &mut Ui| {
            let wait = Wait { timeout: Duration::from_secs(9) };
            forget::question(&mut member, wait, ui).map(|asks| format!("{asks} {member}"))
        };
        asked(&Nodes::default(), Some(&dir), question).0
    };
    let principal = crate::view::testing::principal("n3");
    let wanted = format!("The whole flock will forget n3 ({}). {principal}", principal.short());
    assert_eq!(ask("n3").as_ref(), Ok(&wanted));
    assert_eq!(ask(&principal.short()).as_ref(), Ok(&wanted));
    assert_eq!(ask("n9").unwrap_err().kind(), crate::error::Kind::NotFound);
}
