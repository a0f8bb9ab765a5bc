use std::fmt::{self, Write as _};

/// A picture in the making: just what this module draws.
#[derive(Debug, Default)]
pub(super) struct Svg {
    body: String,
}

/// A place or a size, in pixels, with one digit behind the point.
#[derive(Clone, Copy)]
pub(super) struct Px(pub(super) f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.0)
    }
}

/// A rectangle.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Svg {
    fn add(&mut self, element: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        self.body.write_fmt(element).ok();
        self.body.push('\n');
    }

    /// A rectangle of a class; what it is shows when it is pointed at.
    pub(super) fn area(&mut self, class: &str, area: Area, what: &str) {
        let Area { x, y, width, height } = area;
        let (x, y, width, height) = (Px(x), Px(y), Px(width), Px(height));
        let title = if what.is_empty() {
            String::new()
        } else {
            format!("<title>{}</title>", escaped(what))
        };
        self.add(format_args!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}">{title}</rect>"#
        ));
    }

    pub(super) fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let (x, y, text) = (Px(x), Px(y), escaped(text));
        self.add(format_args!(r#"<text class="{class}" x="{x}" y="{y}">{text}</text>"#));
    }

    /// Many strokes of a class, or of a colour where it has one.
    pub(super) fn strokes(&mut self, class: &str, colour: Option<&str>, path: &str) {
        if path.is_empty() {
            return;
        }
        let colour = colour.map(|colour| format!(r#" stroke="{colour}""#)).unwrap_or_default();
        self.add(format_args!(r#"<path class="{class}"{colour} d="{path}"/>"#));
    }

    /// The whole document.
    pub(super) fn finish(self, width: f64, height: f64, style: &str) -> String {
        let (width, height) = (Px(width), Px(height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\">\n<style>{style}</style>\n{}</svg>\n",
            self.body
        )
    }
}

/// A stroke from a place to the right.
pub(super) fn right(path: &mut String, x: f64, y: f64, width: f64) {
    write!(path, "M{} {}h{}", Px(x), Px(y), Px(width)).ok();
}

/// A stroke from a place down.
pub(super) fn down(path: &mut String, x: f64, y: f64, height: f64) {
    write!(path, "M{} {}v{}", Px(x), Px(y), Px(height)).ok();
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
