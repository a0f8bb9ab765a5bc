use std::time::Duration;

use super::super::history::{Asked, Call, History, Look, Outcome, Sample, Span, State};
use super::network::label;
use super::picture;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn history() -> History {
    let mut history = History::new(vec!["n0".to_owned(), "n1".to_owned()]);
    for (second, digest) in [(0, "aa"), (1, "aa"), (2, "bb")] {
        for host in 0..2 {
            let leader = Some(("n1".to_owned(), 1));
            let digest = digest.to_owned();
            let look = Look { incarnation: 1, digest, leader, alive: 2, suspect: 0, dead: 0 };
            history.samples.push(Sample { at: at(second), host, look: Some(look) });
        }
    }
    let outcomes =
        [Outcome::Done, Outcome::Failed("no".to_owned()), Outcome::Unknown("?".to_owned())];
    for outcome in outcomes {
        let asked = Asked::Query(Vec::new());
        history.calls.push(Call { client: 0, host: 1, from: at(1), to: at(2), asked, outcome });
    }
    let mut span = |what: &str, state, hosts: &[usize]| {
        let what = what.to_owned();
        history.spans.push(Span { from: at(1), to: at(3), what, state, hosts: hosts.to_vec() });
    };
    span("kill n0", Some(State::Down), &[0]);
    span("freeze n1", Some(State::Frozen), &[1]);
    span("fill n1", Some(State::Full), &[1]);
    span("cut silent n0 <-> n1", None, &[0]);
    span("slow n0 by 5ms..9ms", None, &[0]);
    history
}

/// How often a class is drawn before the legend, which shows each once.
fn drawn(svg: &str, class: &str) -> usize {
    svg.matches(&format!("class=\"{class}\"")).count()
}

#[test]
fn everything_of_a_run_is_in_its_picture() {
    let svg = picture(&history(), at(3), "a <run>");
    // Once in its lane, and once in the legend.
    for class in ["down", "frozen", "full", "slow", "done", "failed", "unknown"] {
        assert_eq!(drawn(&svg, class), 2, "{class}");
    }
    // In the links, in the lane of who is cut off, and in the legend.
    assert_eq!(drawn(&svg, "cut"), 3);
    assert_eq!(drawn(&svg, "lane"), 2);
    // The leaders that two nodes follow, and two names in the legend.
    assert_eq!(drawn(&svg, "leader"), 2 + 2);
    // Two states of two nodes; the second look of each is the same stroke as the first.
    assert_eq!(drawn(&svg, "digest"), 4);
    assert!(svg.contains(">a &lt;run&gt;<") && svg.contains(">cut silent 0 ↔ 1<"));
    assert!(svg.contains("<title>kill n0</title>"));
}

#[test]
fn it_is_one_document_that_needs_nothing_else() {
    let svg = picture(&history(), at(3), "run");
    assert!(svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>"));
    for name in ["svg", "style", "text", "rect", "title"] {
        let (open, close) = (format!("<{name}"), format!("</{name}>"));
        assert_eq!(svg.matches(&open).count(), svg.matches(&close).count(), "{name}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("href"));
    assert_eq!(picture(&history(), at(3), "run"), svg);
}

#[test]
fn a_run_in_which_nothing_happened_has_a_picture() {
    let svg = picture(&History::new(vec!["n0".to_owned()]), at(0), "nothing");
    assert!(!svg.contains("NaN") && svg.contains("0 calls"));
}

#[test]
fn labels_are_short() {
    assert_eq!(label("cut silent n0 n1 -> n12"), "cut silent 0,1 → 12");
    assert_eq!(label("flaky n0 n1, resets every 5ms"), "flaky 0,1, resets every 5ms");
    assert_eq!(label("half-open n1 believes in n2"), "half-open 1 believes in 2");
    assert_eq!(label("narrow n6 to 29 kB/s"), "narrow 6 to 29 kB/s");
}
