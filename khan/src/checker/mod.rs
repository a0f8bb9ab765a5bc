//! Is a program that parses one that means something? And what does it mean?
//!
//! ```text
//!   Program ──▶ Names ──────▶ order of names ──▶ order of picks ──▶ values ──▶ Checked
//!               bound twice,  circles            needs              types,
//!               picked twice,                                       conditions
//!               unbound
//! ```
//!
//! 1. [`Names`] lists all binds and picks, and which names each bind uses, also within the arguments of picks. A
//!    bind within an expression is a use of its name.
//! 2. [`sort`] orders the binds such that each uses only earlier ones. It does so without recursion, because a
//!    text may have thousands of names in a row. Binds that it cannot order need themselves: each such circle
//!    is an error that names it.
//! 3. [`needs`] finds the picks that each pick needs, and the order of solving.
//! 4. [`values`] turns each expression, in that order, into a [`Set`](crate::checked::Set) or a
//!    [`Number`](crate::checked::Number). That is the check of types, too: no set can be built of a number.
//!    It reads every expression of the text once.
//! 5. [`waits`] checks the order of starts.
//!
//! **Invariants**: an unbound name or a circle is one error, not one for each place that rests on it. Without an
//! error there is a [`Checked`] program that keeps the invariants of its module. All steps take time that is at
//! most proportional to names × picks.

mod names;
mod needs;
mod sort;
mod values;
mod waits;

#[cfg(test)]
mod tests;

use names::Names;
use needs::Needs;
use values::Values;

use crate::checked::Checked;
use crate::diagnostic::{Diagnostic, Found, Kind, quoted};
use crate::syntax::{Expr, ExprKind, Program, Span};

/// How deep sets and numbers nest, counted through names: what [`LEVELS_MAX`](crate::syntax::LEVELS_MAX) levels
/// without a name can have at most, five operations each.
pub(crate) const DEPTH_MAX: usize = 320;

/// The checker's findings.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The program, if nothing is wrong.
    pub(crate) checked: Option<Checked>,
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Checks a program that was parsed without an error.
pub(crate) fn check(program: &Program) -> Outcome {
    let (mut errors, mut warnings) = (Found::default(), Found::default());
    let names = Names::of(program, &mut errors);
    effects(program, &names, &mut errors, &mut warnings);
    let sorted = sort::sort(&names.uses());
    for circle in &sorted.circles {
        errors.push(names.circle(circle));
    }
    let needs = Needs::of(&names, &sorted.order);
    let mut values = Values::of(program, &names, &needs, &sorted, &mut errors);
    let afters = waits::check(program, &mut values, &mut errors);
    if !errors.is_empty() {
        // A name that nothing uses is perhaps the one that is misspelled elsewhere.
        return Outcome { errors: errors.finish(), ..Outcome::default() };
    }
    let warnings = warnings.finish();
    Outcome { checked: values.finish(afters), errors: Vec::new(), warnings }
}

/// Statements that do nothing.
fn effects(program: &Program, names: &Names<'_>, errors: &mut Found, warnings: &mut Found) {
    for expr in &program.exprs {
        if !has_effect(expr) {
            let error = Diagnostic::new(Kind::NoEffect, expr.span, "the statement has no effect");
            let error = error.with_label("neither picks nor binds");
            errors.push(error.with_help("bind it to a name (`name := …`), or remove it"));
        }
    }
    for bind in names.unused() {
        let message = format!("nothing uses {}", quoted(&bind.name.text));
        warnings.push(Diagnostic::new(Kind::Unused, bind.name.span, message));
    }
    if names.picks.is_empty() {
        let warning = Diagnostic::new(Kind::Empty, Span::default(), "the program picks no service");
        warnings.push(warning.with_help("place a service with `pick(service, 2, ALL)`"));
    }
}

/// Whether an expression picks or binds.
fn has_effect(expr: &Expr) -> bool {
    let mut found = false;
    expr.visit(&mut |it| found |= matches!(it.kind, ExprKind::Bind { .. } | ExprKind::Pick(_)));
    found
}

/// Names in a circle as a person reads it: `a → b → a`.
fn path(names: &[&str]) -> String {
    const SHOWN_MAX: usize = 8;
    let shown = names.iter().take(SHOWN_MAX).map(|name| crate::diagnostic::shortened(name));
    let mut path: Vec<String> = shown.collect();
    if let Some(rest) = names.len().checked_sub(SHOWN_MAX + 1) {
        path.push(format!("… ({} more)", rest + 1));
    }
    path.extend(names.first().map(|name| crate::diagnostic::shortened(name)));
    path.join(" → ")
}
