//! A run as a picture: one self-contained SVG.
//!
//! ```text
//!   title
//!   network   bars: what was wrong with links, and when
//!   n0        leader it follows | states of its process | colour of its state | calls
//!   n1        …
//!   time
//!   legend
//! ```

mod lane;
mod network;
mod palette;
mod svg;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::svg::{Area, Svg, down};
use super::history::{History, Outcome};

/// The width of the whole.
const WIDTH: f64 = 1280.0;
/// Where the time begins, and how wide it is.
const LEFT: f64 = 64.0;
const TIME_WIDTH: f64 = WIDTH - LEFT - 16.0;
/// Where lanes begin.
const TOP: f64 = 54.0;
const LEGEND_HEIGHT: f64 = 64.0;

const STYLE: &str = "\
svg{background:#fff;font:11px sans-serif}text{fill:#222}.title{font-size:15px;font-weight:bold}\
.name{font-size:13px;font-weight:bold}.small{font-size:10px;fill:#444}.axis{text-anchor:middle;fill:#444}\
.lane{fill:#f4f4f4}.grid{stroke:#ddd;fill:none}.mark{stroke:#0a7d32;stroke-width:1.5;fill:none}\
.down{fill:#3d3d3d}.frozen{fill:#3f8fd9}.full{fill:#e39b1b}\
.cut{fill:#d9534f}.slow{fill:#d9b44a}.narrow{fill:#b08968}.flaky{fill:#9b72cf}.half-open{fill:#3aa6a0}\
.reset{fill:#222}.leader{stroke-width:7;fill:none}.digest{stroke-width:9;fill:none}\
.done,.failed,.unknown{fill:none;stroke-linecap:round;stroke-width:2.6}\
.done{stroke:#2e9e4f}.failed{stroke:#e08a00}.unknown{stroke:#d1162b;stroke-width:3.4}";

/// Where times are.
#[derive(Debug, Clone, Copy)]
struct Scale {
    end: Duration,
}

impl Scale {
    fn x(self, at: Duration) -> f64 {
        let part = at.as_secs_f64() / self.end.as_secs_f64().max(f64::MIN_POSITIVE);
        LEFT + part.clamp(0.0, 1.0) * TIME_WIDTH
    }

    fn area(self, from: Duration, to: Duration, y: f64, height: f64) -> Area {
        let x = self.x(from);
        // What happens at once is seen, too.
        Area { x, y, width: (self.x(to) - x).max(2.0), height }
    }
}

/// Draws a run. `healed` is when all faults were over.
#[must_use]
pub fn picture(history: &History, healed: Duration, title: &str) -> String {
    let scale = Scale { end: end(history) };
    let mut svg = Svg::default();
    svg.text("title", 12.0, 22.0, title);
    svg.text("small", 12.0, 40.0, &counts(history));
    let lanes_from = TOP + network::height(history, scale) + 10.0;
    let count = history.hosts.iter().fold(0.0, |count, _| count + 1.0);
    let bottom = lanes_from + count * lane::HEIGHT;
    grid(&mut svg, scale, bottom);
    network::draw(&mut svg, history, scale);
    let mut y = lanes_from;
    for host in 0..history.hosts.len() {
        lane::draw(&mut svg, history, host, scale, y);
        y += lane::HEIGHT;
    }
    let mut mark = String::new();
    down(&mut mark, scale.x(healed), TOP, bottom - TOP);
    svg.strokes("mark", None, &mark);
    svg.text("small", scale.x(healed) - 52.0, bottom + 28.0, "all healed");
    legend(&mut svg, history, bottom + 46.0);
    svg.finish(WIDTH, bottom + 46.0 + LEGEND_HEIGHT, STYLE)
}

/// When the last thing happened.
fn end(history: &History) -> Duration {
    let samples = history.samples.iter().map(|sample| sample.at);
    let calls = history.calls.iter().map(|call| call.to);
    let spans = history.spans.iter().map(|span| span.to);
    samples.chain(calls).chain(spans).max().unwrap_or_default()
}

fn counts(history: &History) -> String {
    let count = |which: fn(&Outcome) -> bool| {
        history.calls.iter().filter(|call| which(&call.outcome)).count()
    };
    format!(
        "{} calls: {} done, {} failed, {} unknown; {} faults",
        history.calls.len(),
        count(|outcome| matches!(outcome, Outcome::Done)),
        count(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Absent)),
        count(|outcome| matches!(outcome, Outcome::Unknown(_))),
        history.spans.len(),
    )
}

/// Lines and labels of the time.
fn grid(svg: &mut Svg, scale: Scale, bottom: f64) {
    let steps = [1_u64, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600];
    let fits = |step: &&u64| scale.end.as_secs() / **step <= 16;
    let step = steps.iter().find(fits).copied().unwrap_or(7_200);
    let mut lines = String::new();
    let mut at = 0;
    while Duration::from_secs(at) <= scale.end {
        let x = scale.x(Duration::from_secs(at));
        down(&mut lines, x, TOP, bottom - TOP + 4.0);
        svg.text("axis", x, bottom + 16.0, &format!("{at} s"));
        at += step;
    }
    svg.strokes("grid", None, &lines);
}

fn legend(svg: &mut Svg, history: &History, y: f64) {
    let boxes = [
        ("down", "down"),
        ("frozen", "stopped"),
        ("full", "disk full"),
        ("cut", "cut"),
        ("slow", "slow"),
        ("narrow", "narrow"),
        ("flaky", "flaky"),
        ("half-open", "half-open"),
        ("reset", "reset"),
    ];
    let mut x = 12.0;
    for (class, text) in boxes {
        svg.area(class, Area { x, y, width: 16.0, height: 10.0 }, "");
        svg.text("small", x + 20.0, y + 9.0, text);
        x += 82.0;
    }
    for class in ["done", "failed", "unknown"] {
        svg.strokes(class, None, &format!("M{x:.1} {:.1}h.01", y + 5.0));
        svg.text("small", x + 8.0, y + 9.0, &format!("call {class}"));
        x += 84.0;
    }
    svg.text("small", 12.0, y + 28.0, "upper strip of a node: whom it follows");
    let mut x = 220.0;
    for (host, name) in history.hosts.iter().enumerate() {
        let stroke = format!("M{x:.1} {:.1}h16", y + 24.0);
        svg.strokes("leader", Some(palette::of_host(host)), &stroke);
        svg.text("small", x + 20.0, y + 28.0, name);
        x += 50.0;
    }
    let text = "lower strip: the digest of its state; where nodes have the same colour at one time, \
                they hold the same. Nothing: it did not answer.";
    svg.text("small", 12.0, y + 46.0, text);
}
