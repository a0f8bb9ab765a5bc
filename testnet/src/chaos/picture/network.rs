//! What was wrong with links, in rows in which nothing overlaps.

use super::super::history::{History, Span};
use super::svg::Svg;
use super::{Scale, TOP, WIDTH};

const ROW: f64 = 15.0;
const BAR: f64 = 11.0;
/// How wide a letter of a label is, at most.
const LETTER: f64 = 6.2;

pub(super) fn height(history: &History, scale: Scale) -> f64 {
    let rows = placed(history, scale).into_iter().map(|(row, _)| row + 1).max().unwrap_or(0);
    (0..rows).fold(0.0, |height, _| height + ROW)
}

pub(super) fn draw(svg: &mut Svg, history: &History, scale: Scale) {
    svg.text("name", 10.0, TOP + 11.0, "links");
    for (row, span) in placed(history, scale) {
        let y = (0..row).fold(TOP, |y, _| y + ROW);
        svg.area(class(span), scale.area(span.from, span.to, y, BAR), &span.what);
        svg.text(
            "small",
            scale.x(span.from).min(WIDTH - width(span)) + 4.0,
            y + 9.0,
            &label(&span.what),
        );
    }
}

/// Faults of the network, each with a row that is free for it and its label.
fn placed(history: &History, scale: Scale) -> Vec<(usize, &Span)> {
    let mut spans: Vec<&Span> = history.spans.iter().filter(|span| span.state.is_none()).collect();
    spans.sort_by_key(|span| span.from);
    let mut ends: Vec<f64> = Vec::new();
    let mut placed = Vec::new();
    for span in spans {
        let from = scale.x(span.from).min(WIDTH - width(span));
        let to = scale.x(span.to).max(from + width(span)) + 3.0;
        let row = ends.iter().position(|end| *end <= from).unwrap_or(ends.len());
        match ends.get_mut(row) {
            Some(end) => *end = to,
            None => ends.push(to),
        }
        placed.push((row, span));
    }
    placed
}

/// How wide its label is, at most.
fn width(span: &Span) -> f64 {
    label(&span.what).chars().fold(8.0, |width, _| width + LETTER)
}

fn class(span: &Span) -> &str {
    span.what.split(' ').next().unwrap_or_default()
}

/// The plan's words, with nodes by number alone: `cut silent 0,1 ↔ 2,3`.
pub(super) fn label(what: &str) -> String {
    let mut label = String::new();
    let mut after_number = false;
    for word in what.split(' ') {
        let is_number = |rest: &&str| rest.trim_end_matches(',').parse::<u32>().is_ok();
        let number = word.strip_prefix('n').filter(is_number);
        let word = match word {
            "->" => "→",
            "<->" => "↔",
            word => number.unwrap_or(word),
        };
        if !label.is_empty() {
            label.push(if after_number && number.is_some() { ',' } else { ' ' });
        }
        label.push_str(word);
        after_number = number.is_some();
    }
    label
}
