//! What a member says of itself moves no terminal and forges no row.

use crux_testnet::liar::Lie;
use crux_testnet::process::run_node_command;

use crate::support::{WITHIN, exe, flock, lies, ok, spec, until_alive};

#[tokio::test]
async fn no_output_holds_a_control_character_that_a_member_sent() {
    let mut cluster = flock(3, &[]).await;
    let liar = lies(&spec(&cluster, Lie::Text), "stated labels").await;
    until_alive(&mut cluster, 4).await;
    let dir = cluster.nodes()[1].spec().data_dir.display().to_string();
    for verb in ["members", "status", "leader", "services", "doctor"] {
        for json in [&["--json"][..], &[]] {
            let args = [&[verb, "--data-dir", &dir], json].concat();
            let shown = ok(run_node_command(&exe(), &args, WITHIN).await).stdout;
            assert!(!shown.contains(is_obeyed), "{verb} {json:?}: {shown:?}");
            assert!(!shown.lines().any(|line| line.starts_with("n9")), "{verb}: {shown}");
        }
    }
    drop(liar);
    for node in cluster.nodes() {
        let log = node.log();
        assert!(!log.contains(is_obeyed), "{log:?}");
    }
}

/// Whether a terminal obeys a character instead of showing it.
fn is_obeyed(c: char) -> bool {
    let direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    direction || c.is_control() && c != '\n'
}
