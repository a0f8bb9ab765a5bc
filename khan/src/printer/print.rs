//! Programs to tokens.

use core::fmt;

use super::layout::Layout;
use crate::lexer::{Sign, TokenKind, Word, is_bare_name, is_number};
use crate::syntax::{After, Amount, Cond, Expr, ExprKind, Operator, Pick, Program, Stage, State};

/// How tight an expression binds: that of a weaker rank needs brackets within a stronger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Bind,
    Or,
    And,
    Sum,
    Product,
    Not,
    Atom,
}

impl Rank {
    fn of(expr: &Expr) -> Self {
        match &expr.kind {
            ExprKind::Bind { .. } => Self::Bind,
            ExprKind::Or(_) => Self::Or,
            ExprKind::And(_) => Self::And,
            ExprKind::Chain { rest, .. } => Self::of_chain(rest),
            ExprKind::Not(_) => Self::Not,
            _ => Self::Atom,
        }
    }

    fn of_chain(rest: &[(Operator, Expr)]) -> Self {
        let is_product = rest.first().is_some_and(|(operator, _)| operator.is_product());
        if is_product { Self::Product } else { Self::Sum }
    }

    /// The next stronger one: of an operand of a list, which would otherwise be part of the list.
    fn tighter(self) -> Self {
        match self {
            Self::Bind => Self::Or,
            Self::Or => Self::And,
            Self::And => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product => Self::Not,
            Self::Not | Self::Atom => Self::Atom,
        }
    }
}

impl Layout {
    fn sign(&mut self, sign: Sign) {
        self.token(&TokenKind::Sign(sign), sign.text());
    }

    fn word(&mut self, word: Word) {
        self.token(&TokenKind::Word(word), word.text());
    }

    /// A name, in quotes if it needs them.
    fn name(&mut self, name: &str) {
        if is_bare_name(name) {
            self.token(&TokenKind::Name, name);
        } else {
            self.string(name);
        }
    }

    fn string(&mut self, text: &str) {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        self.token(&TokenKind::Text(text.to_owned()), &format!("\"{escaped}\""));
    }

    /// An expression, in brackets if it binds less tight than that.
    fn operand(&mut self, expr: &Expr, least: Rank) {
        if Rank::of(expr) < least {
            self.brackets(expr);
        } else {
            self.expr(expr);
        }
    }

    fn brackets(&mut self, expr: &Expr) {
        self.sign(Sign::Open);
        self.expr(expr);
        self.sign(Sign::Close);
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::All => self.word(Word::All),
            ExprKind::Label { key, value } => self.label(key, value.as_deref()),
            ExprKind::Nodes(nodes) => self.nodes(nodes),
            ExprKind::Not(inner) => {
                self.sign(Sign::Not);
                self.operand(inner, Rank::Not);
            }
            ExprKind::And(operands) => self.list(operands, Sign::And, Rank::And),
            ExprKind::Or(operands) => self.list(operands, Sign::Or, Rank::Or),
            ExprKind::Pick(pick) => self.pick(pick),
            ExprKind::Number(number) => {
                self.token(&TokenKind::Number(*number), &number.to_string());
            }
            ExprKind::Size(set) => {
                self.word(Word::Size);
                self.brackets(set);
            }
            ExprKind::Chain { first, rest } => self.chain(first, rest),
            ExprKind::Name(name) => self.token(&TokenKind::Name, name),
            ExprKind::Bind { name, value } => {
                self.token(&TokenKind::Name, &name.text);
                self.sign(Sign::Bind);
                self.expr(value);
            }
        }
    }

    fn label(&mut self, key: &str, value: Option<&str>) {
        self.word(Word::Label);
        self.sign(Sign::Open);
        self.name(key);
        if let Some(value) = value {
            self.sign(Sign::Equal);
            if is_number(value) {
                self.token(&TokenKind::Name, value);
            } else {
                self.name(value);
            }
        }
        self.sign(Sign::Close);
    }

    fn nodes(&mut self, nodes: &[String]) {
        self.sign(Sign::Open);
        for (at, node) in nodes.iter().enumerate() {
            if at > 0 {
                self.sign(Sign::Comma);
            }
            self.string(node);
        }
        self.sign(Sign::Close);
    }

    fn list(&mut self, operands: &[Expr], sign: Sign, rank: Rank) {
        for (at, operand) in operands.iter().enumerate() {
            if at > 0 {
                self.sign(sign);
            }
            self.operand(operand, rank.tighter());
        }
    }

    fn chain(&mut self, first: &Expr, rest: &[(Operator, Expr)]) {
        let least = Rank::of_chain(rest).tighter();
        self.operand(first, least);
        for (operator, operand) in rest {
            self.sign(match operator {
                Operator::Add => Sign::Plus,
                Operator::Subtract => Sign::Minus,
                Operator::Multiply => Sign::Times,
                Operator::Divide => Sign::Divide,
            });
            self.operand(operand, least);
        }
    }

    fn pick(&mut self, pick: &Pick) {
        self.word(if pick.pickh { Word::Pickh } else { Word::Pick });
        self.sign(Sign::Open);
        self.name(&pick.service.text);
        for argument in [&pick.count, &pick.set] {
            self.sign(Sign::Comma);
            self.expr(argument);
        }
        if let Some(key) = &pick.spread {
            self.option("spread");
            self.name(&key.text);
        }
        if let Some(max) = &pick.max {
            self.option("max");
            self.expr(max);
        }
        self.sign(Sign::Close);
    }

    fn option(&mut self, name: &str) {
        self.sign(Sign::Comma);
        self.token(&TokenKind::Name, name);
        self.sign(Sign::Equal);
    }

    fn after(&mut self, after: &After) {
        self.word(Word::Start);
        self.state(&after.what);
        self.word(Word::After);
        for cond in &after.conds {
            self.cond(cond);
        }
    }

    fn cond(&mut self, cond: &Cond) {
        match &cond.amount {
            Amount::Whole => return self.state(&cond.state),
            Amount::Count(number) => self.amount(number),
            Amount::Percent(number) => {
                self.amount(number);
                self.sign(Sign::Percent);
            }
        }
        self.word(Word::Of);
        self.state(&cond.state);
    }

    /// The amount of a condition, in brackets if it would not read as one: a name reads as a service.
    fn amount(&mut self, number: &Expr) {
        if begins_amount(number) {
            self.expr(number);
        } else {
            self.brackets(number);
        }
    }

    fn state(&mut self, state: &State) {
        self.name(&state.service.text);
        if state.stage != Stage::default() {
            self.sign(Sign::Dot);
            self.token(&TokenKind::Name, state.stage.word());
        }
    }
}

/// Whether an expression is a sum that begins with a number, SIZE or a bracket.
fn begins_amount(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Size(_) => true,
        ExprKind::Chain { first, rest } => {
            Rank::of(first) < Rank::of_chain(rest).tighter() || begins_amount(first)
        }
        _ => false,
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layout = Layout::default();
        layout.expr(self);
        f.write_str(&layout.finish_inline())
    }
}

impl fmt::Display for Cond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layout = Layout::default();
        layout.cond(self);
        f.write_str(&layout.finish_inline())
    }
}

impl fmt::Display for Program {
    /// A statement a line; an empty line between expressions and the order of starts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layout = Layout::default();
        for expr in &self.exprs {
            layout.statement();
            layout.expr(expr);
        }
        if !self.afters.is_empty() {
            layout.blank_line();
        }
        for after in &self.afters {
            layout.statement();
            layout.after(after);
        }
        f.write_str(&layout.finish())
    }
}
