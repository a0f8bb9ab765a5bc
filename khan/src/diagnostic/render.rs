//! Diagnostics for people: line, column and caret.

use core::ops::Range;
use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use crux_crdt::text::is_plain;

use super::{Diagnostic, Severity};
use crate::syntax::{BYTES_MAX, Span};

/// Draws diagnostics with the lines of `text`, the program in which they were found: plain text, without escape
/// sequences of a terminal, also where the program has some.
///
/// A text that is too large is not drawn: only its place is named.
pub fn render(file: &str, text: &str, diagnostics: &[Diagnostic]) -> String {
    let text = seen(text);
    let renderer = Renderer::plain();
    let drawn = diagnostics.iter().map(|it| renderer.render(&[group(file, &text, it)]) + "\n");
    drawn.collect::<Vec<_>>().join("\n")
}

/// The text with a visible character of the same length in place of each one that is not seen, or that commands a
/// terminal, so that places are the same.
fn seen(text: &str) -> Cow<'_, str> {
    let stays = |c: char| is_plain(c) || matches!(c, '\n' | '\r' | '\t');
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let visible = |c: char| match c.len_utf8() {
        _ if stays(c) => c,
        1 => '?',
        2 => '¿',
        3 => char::REPLACEMENT_CHARACTER,
        _ => '🮖',
    };
    text.chars().map(visible).collect()
}

/// One diagnostic as the library takes it.
fn group<'a>(file: &'a str, text: &'a str, of: &'a Diagnostic) -> Group<'a> {
    let level = match of.kind.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(of.message.as_str()).id(of.kind.word());
    let group = Group::with_title(title);
    let group = if text.len() > BYTES_MAX {
        let at = of.locate(file, text);
        group.element(Origin::path(file).line(at.line).char_column(at.column))
    } else {
        group.element(snippet(file, text, of))
    };
    match &of.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

/// The lines with their carets.
fn snippet<'a>(
    file: &'a str,
    text: &'a str,
    of: &'a Diagnostic,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let primary = AnnotationKind::Primary.span(range(text, of.span)).label(label(&of.label));
    let context = of.context.iter().map(|(span, label_)| {
        AnnotationKind::Context.span(range(text, *span)).label(label(label_))
    });
    Snippet::source(text).path(file).annotation(primary).annotations(context)
}

/// A label, if there is one.
fn label(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A span within the text, on bounds of characters.
fn range(text: &str, span: Span) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    start..text.ceil_char_boundary(span.end).max(start)
}
