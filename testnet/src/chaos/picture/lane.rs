//! One node.

use std::time::Duration;

use super::super::history::{History, Outcome, Sample, Span, State};
use super::svg::{Area, Svg, right};
use super::{LEFT, Scale, TIME_WIDTH, palette};

/// From one lane to the next.
pub(super) const HEIGHT: f64 = 62.0;
const LEADER: f64 = 7.0;
const STATE: f64 = 14.0;
const STATE_HEIGHT: f64 = 12.0;
const DIGEST: f64 = 34.0;
const UNKNOWN: f64 = 43.0;
const FAILED: f64 = 47.5;
const DONE: f64 = 52.0;
/// A look is taken to hold for this long, if no other follows.
const HOLDS: Duration = Duration::from_millis(1_000);

pub(super) fn draw(svg: &mut Svg, history: &History, host: usize, scale: Scale, y: f64) {
    let back = Area { x: LEFT, y: y + 2.0, width: TIME_WIDTH, height: HEIGHT - 5.0 };
    svg.area("lane", back, "");
    svg.text("name", 10.0, y + 25.0, &history.hosts[host]);
    let samples: Vec<_> = history.samples.iter().filter(|sample| sample.host == host).collect();
    leaders(svg, history, &samples, scale, y + LEADER);
    digests(svg, &samples, scale, y + DIGEST);
    states(svg, history, host, scale, y);
    calls(svg, history, host, scale, y);
}

/// For how long each look holds: until the next one, unless that is late.
fn held<'a>(samples: &'a [&Sample]) -> impl Iterator<Item = (&'a Sample, Duration, Duration)> {
    samples.iter().enumerate().map(|(at, sample)| {
        let next = samples.get(at + 1).map_or(sample.at, |next| next.at);
        (*sample, sample.at, next.min(sample.at + HOLDS))
    })
}

fn leaders(svg: &mut Svg, history: &History, samples: &[&Sample], scale: Scale, y: f64) {
    for (leader, name) in history.hosts.iter().enumerate() {
        let follows = |sample: &Sample| {
            let look = sample.look.as_ref();
            look.and_then(|look| look.leader.as_ref()).is_some_and(|(who, _)| who == name)
        };
        let path = strip(samples, scale, y, follows);
        svg.strokes("leader", Some(palette::of_host(leader)), &path);
    }
}

fn digests(svg: &mut Svg, samples: &[&Sample], scale: Scale, y: f64) {
    for number in 0..palette::DIGESTS {
        let has = |sample: &Sample| {
            let look = sample.look.as_ref();
            look.is_some_and(|look| palette::digest_number(&look.digest) == number)
        };
        let path = strip(samples, scale, y, has);
        svg.strokes("digest", Some(&palette::of_digest(number)), &path);
    }
}

/// Strokes where looks are such; those that follow each other are one.
fn strip(samples: &[&Sample], scale: Scale, y: f64, such: impl Fn(&Sample) -> bool) -> String {
    let mut path = String::new();
    let mut open: Option<(Duration, Duration)> = None;
    let mut close = |open: &mut Option<(Duration, Duration)>| {
        if let Some((from, to)) = open.take() {
            right(&mut path, scale.x(from), y, (scale.x(to) - scale.x(from)).max(0.3));
        }
    };
    for (_, from, to) in held(samples).filter(|(sample, _, _)| such(sample)) {
        match &mut open {
            Some((_, end)) if *end == from => *end = to,
            _ => {
                close(&mut open);
                open = Some((from, to));
            }
        }
    }
    close(&mut open);
    path
}

fn states(svg: &mut Svg, history: &History, host: usize, scale: Scale, y: f64) {
    let own = |span: &&Span| span.hosts.contains(&host);
    for span in history.spans.iter().filter(own) {
        let area = scale.area(span.from, span.to, y + STATE, STATE_HEIGHT);
        match span.state {
            Some(State::Down) => svg.area("down", area, &span.what),
            Some(State::Frozen) => svg.area("frozen", area, &span.what),
            Some(State::Full) => svg.area("full", area, &span.what),
            // Half as high: a link is down, not the node.
            None if span.what.starts_with("cut") => {
                svg.area("cut", Area { height: 3.0, ..area }, &span.what);
            }
            None => {}
        }
    }
}

fn calls(svg: &mut Svg, history: &History, host: usize, scale: Scale, y: f64) {
    let (mut done, mut failed, mut unknown) = (String::new(), String::new(), String::new());
    for call in history.calls.iter().filter(|call| call.host == host) {
        let (path, offset) = match call.outcome {
            Outcome::Done => (&mut done, DONE),
            Outcome::Failed(_) | Outcome::Absent => (&mut failed, FAILED),
            Outcome::Unknown(_) => (&mut unknown, UNKNOWN),
        };
        right(path, scale.x(call.to), y + offset, 0.1);
    }
    svg.strokes("done", None, &done);
    svg.strokes("failed", None, &failed);
    svg.strokes("unknown", None, &unknown);
}
