use core::fmt::Write as _;
use core::time::Duration;

use super::Growth;

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 34.0;
const PLOT_WIDTH: f64 = 226.0;
const PLOT_HEIGHT: f64 = 140.0;
const COLOURS: [&str; 3] = ["#1b6ca8", "#c8553d", "#588157"];

/// One figure against the number of nodes.
struct Series {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// A picture of growth against the number of nodes: a page of SVG that needs nothing else. The number
/// of nodes is on a logarithmic axis; the others begin at zero.
pub fn plot(rows: &[Growth]) -> String {
    let panels = [
        ("registration → another node, ms", times(rows)),
        ("bytes per node and second", bytes(rows)),
        ("copies per delivery", copies(rows)),
    ];
    let mut out = String::new();
    let total = WIDTH * 3.0;
    write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{total}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    )
    .unwrap_or_default();
    for (at, (title, series)) in panels.iter().enumerate() {
        let shift = WIDTH * f64::from(u8::try_from(at).unwrap_or_default());
        writeln!(out, "<g transform=\"translate({shift} 0)\">").unwrap_or_default();
        panel(&mut out, title, series);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    out
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

fn series(name: &'static str, rows: &[Growth], value: impl Fn(&Growth) -> f64) -> Series {
    let points = rows.iter().map(|row| (number(row.nodes), value(row))).collect();
    Series { name, points }
}

fn times(rows: &[Growth]) -> Vec<Series> {
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    vec![
        series("to all", rows, |row| millis(row.to_all.within(500))),
        series("p99.9", rows, |row| millis(row.deliveries.within(999))),
        series("p50", rows, |row| millis(row.deliveries.within(500))),
    ]
}

fn bytes(rows: &[Growth]) -> Vec<Series> {
    let (churn, idle) = (|row: &Growth| row.churn_bytes, |row: &Growth| row.idle_bytes);
    vec![series("churn", rows, churn), series("idle", rows, idle)]
}

fn copies(rows: &[Growth]) -> Vec<Series> {
    vec![series("copies", rows, |row| row.copies)]
}

fn panel(out: &mut String, title: &str, all: &[Series]) {
    let points = || all.iter().flat_map(|series| series.points.iter());
    let top = nice(points().map(|point| point.1).fold(1.0, f64::max));
    let least = points().map(|point| point.0).fold(f64::MAX, f64::min).log10();
    let most = points().map(|point| point.0).fold(1.0, f64::max).log10();
    let x = |nodes: f64| LEFT + (nodes.log10() - least) / (most - least).max(0.1) * PLOT_WIDTH;
    let y = |value: f64| TOP + PLOT_HEIGHT * (1.0 - value / top);
    let (right, bottom) = (LEFT + PLOT_WIDTH, TOP + PLOT_HEIGHT);
    writeln!(out, "<text x=\"{LEFT}\" y=\"16\" font-weight=\"bold\">{title}</text>")
        .unwrap_or_default();
    for part in 0..=4 {
        let value = top * f64::from(part) / 4.0;
        let at = y(value);
        write!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>\n",
            LEFT - 5.0,
            at + 4.0
        )
        .unwrap_or_default();
    }
    for (nodes, _) in all.first().map(|series| &*series.points).unwrap_or_default() {
        let (at, below) = (x(*nodes), bottom + 16.0);
        writeln!(out, "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{nodes}</text>")
            .unwrap_or_default();
    }
    let below = bottom + 34.0;
    writeln!(out, "<text x=\"{right}\" y=\"{below}\" text-anchor=\"end\">nodes</text>")
        .unwrap_or_default();
    for (at, (series, colour)) in all.iter().zip(COLOURS).enumerate() {
        let line: String = series
            .points
            .iter()
            .map(|point| format!("{:.1},{:.1} ", x(point.0), y(point.1)))
            .collect();
        let legend = LEFT + 60.0 * f64::from(u8::try_from(at).unwrap_or_default());
        write!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <text x=\"{legend}\" y=\"{below}\" fill=\"{colour}\">{}</text>\n",
            line.trim_end(),
            series.name
        )
        .unwrap_or_default();
        for point in &series.points {
            let (x, y) = (x(point.0), y(point.1));
            writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>")
                .unwrap_or_default();
        }
    }
}

/// The next of 1, 2, 4 or 8 times a power of ten.
fn nice(most: f64) -> f64 {
    let power = 10_f64.powf(most.log10().floor());
    let steps = [1.0, 2.0, 4.0, 8.0, 10.0];
    steps.iter().map(|step| step * power).find(|step| *step >= most).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers_that_hold_everything() {
        assert!((nice(7.3) - 8.0).abs() < 1e-9);
        assert!((nice(81.0) - 100.0).abs() < 1e-9);
        assert!((nice(1.0) - 1.0).abs() < 1e-9);
    }
}
