//! Expressions, by rank of their operators.

use super::{Failed, Parser};
use crate::diagnostic::{Diagnostic, Found, Kind, quoted};
use crate::lexer::{Sign, TokenKind, Word};
use crate::similar::similar;
use crate::syntax::{Expr, ExprKind, Named, Operator, Span};

/// The names of functions, for those who misspell one.
const FUNCTIONS: [&str; 3] = ["pick", "LABEL", "SIZE"];

/// Places at which `!` is followed by an operator behind its operand. The original language, in which `!` bound
/// loosest, took that operator and all behind it into the operand.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// From the `!` to the end of its operand in the original.
    spans: Vec<Span>,
}

impl Marks {
    /// The marks as diagnostics.
    pub(super) fn finish(self, text: &str) -> Vec<Diagnostic> {
        let mut found = Found::default();
        for span in self.spans {
            let operand = &text[span.start + 1..span.end];
            let message = "`!` binds tightest here; in the original it bound loosest";
            let help = format!("the original read {}", quoted(&format!("!({})", operand.trim())));
            let mark = Span { start: span.start, end: span.start + 1 };
            found.push(Diagnostic::new(Kind::Original, mark, message).with_help(help));
        }
        found.finish()
    }
}

impl Parser<'_> {
    /// `NAME ':=' expr | or`
    pub(super) fn expr(&mut self) -> Result<Expr, Failed> {
        if self.next().kind != TokenKind::Name || !self.is_second(Sign::Bind) {
            return self.or();
        }
        let name = self.name("a name")?;
        self.take();
        let value = Box::new(self.deeper(Self::expr)?);
        let span = name.span.to(value.span);
        Ok(Expr { kind: ExprKind::Bind { name, value }, span })
    }

    /// `and { '|' and }`
    fn or(&mut self) -> Result<Expr, Failed> {
        self.marked(|parser| parser.list(Sign::Or, Self::and, ExprKind::Or))
    }

    /// Runs a rule at whose end, in the original, the operand of every `!` within ended.
    pub(super) fn marked(
        &mut self,
        rule: impl FnOnce(&mut Self) -> Result<Expr, Failed>,
    ) -> Result<Expr, Failed> {
        let first = self.marks.spans.len();
        let result = rule(self);
        match &result {
            Ok(expr) => {
                let open = self.marks.spans.iter_mut().skip(first).filter(|it| it.end == 0);
                open.for_each(|mark| mark.end = expr.span.end);
            }
            Err(Failed) => self.marks.spans.truncate(first),
        }
        result
    }

    /// `sum { '&' sum }`
    fn and(&mut self) -> Result<Expr, Failed> {
        self.list(Sign::And, Self::sum, ExprKind::And)
    }

    /// Operands with one sign between them.
    fn list(
        &mut self,
        sign: Sign,
        operand: impl Fn(&mut Self) -> Result<Expr, Failed>,
        kind: impl FnOnce(Vec<Expr>) -> ExprKind,
    ) -> Result<Expr, Failed> {
        let first = operand(self)?;
        if !self.is(sign) {
            return Ok(first);
        }
        let start = first.span;
        let mut operands = vec![first];
        while self.eat(sign) {
            operands.push(operand(self)?);
        }
        Ok(Expr { kind: kind(operands), span: start.to(self.last()) })
    }

    /// `product { ('+'|'-') product }`
    pub(super) fn sum(&mut self) -> Result<Expr, Failed> {
        let operator = |sign| match sign {
            Sign::Plus => Some(Operator::Add),
            Sign::Minus => Some(Operator::Subtract),
            _ => None,
        };
        self.chain(operator, Self::product)
    }

    /// `unary { ('*'|'/') unary }`
    fn product(&mut self) -> Result<Expr, Failed> {
        let operator = |sign| match sign {
            Sign::Times => Some(Operator::Multiply),
            Sign::Divide => Some(Operator::Divide),
            _ => None,
        };
        self.chain(operator, Self::operand)
    }

    /// Operands with operators of one rank between them.
    fn chain(
        &mut self,
        operator: impl Fn(Sign) -> Option<Operator>,
        operand: impl Fn(&mut Self) -> Result<Expr, Failed>,
    ) -> Result<Expr, Failed> {
        let first = operand(self)?;
        let mut rest = Vec::new();
        while let TokenKind::Sign(sign) = self.next().kind
            && let Some(operator) = operator(sign)
        {
            self.take();
            rest.push((operator, operand(self)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let span = first.span.to(self.last());
        Ok(Expr { kind: ExprKind::Chain { first: Box::new(first), rest }, span })
    }

    /// A unary, with a mark if it is one that the original read in another way.
    fn operand(&mut self) -> Result<Expr, Failed> {
        let (is_not, start) = (self.is(Sign::Not), self.next().span.start);
        let operand = self.unary()?;
        let binary = matches!(self.next().kind, TokenKind::Sign(sign) if sign.is_binary());
        if is_not && binary {
            self.marks.spans.push(Span { start, end: 0 });
        }
        Ok(operand)
    }

    /// `'!' unary | atom`
    fn unary(&mut self) -> Result<Expr, Failed> {
        if !self.is(Sign::Not) {
            return self.atom();
        }
        let sign = self.take();
        let operand = Box::new(self.deeper(Self::unary)?);
        let span = sign.span.to(operand.span);
        Ok(Expr { kind: ExprKind::Not(operand), span })
    }

    fn atom(&mut self) -> Result<Expr, Failed> {
        let token = self.next().clone();
        let kind = match token.kind {
            TokenKind::Number(number) => ExprKind::Number(number),
            TokenKind::Word(Word::All) => ExprKind::All,
            TokenKind::Name if self.is_second(Sign::Bind) => return Err(self.bind_within()),
            TokenKind::Name if !self.is_call() => ExprKind::Name(token.text.to_owned()),
            TokenKind::Name => return Err(self.unknown_function()),
            TokenKind::Sign(Sign::Open) if matches!(self.ahead(1).kind, TokenKind::Text(_)) => {
                return self.nodes();
            }
            TokenKind::Sign(Sign::Open) => return self.brackets(),
            TokenKind::Word(Word::Label) => return self.label(),
            TokenKind::Word(Word::Size) => return self.size(),
            TokenKind::Word(Word::Pick | Word::Pickh) => return self.pick(),
            _ => return Err(self.no_operand()),
        };
        self.take();
        Ok(Expr { kind, span: token.span })
    }

    /// Whether a bracket follows the next token on its line.
    fn is_call(&self) -> bool {
        self.is_second(Sign::Open) && self.ahead(1).breaks == 0
    }

    /// Reports a bind where an operand belongs: often, the operand is missing and the next statement follows.
    fn bind_within(&mut self) -> Failed {
        let name = self.next();
        let bind = format!("{} {}", name.text, Sign::Bind.text());
        let message = format!("expected a set or a number, found {}", quoted(&bind));
        let error = Diagnostic::new(Kind::Syntax, name.span.to(self.ahead(1).span), message);
        self.fail(error.with_help("a bind within an expression goes in brackets: `(name := …)`"))
    }

    fn unknown_function(&mut self) -> Failed {
        let token = self.take();
        let message = format!("there is no function {}", quoted(token.text));
        let error = Diagnostic::new(Kind::Syntax, token.span, message);
        self.fail(match similar(token.text, FUNCTIONS.into_iter()) {
            Some(known) => error.with_help(format!("did you mean `{known}`?")),
            None => error.with_help("the functions are `pick`, `LABEL` and `SIZE`"),
        })
    }

    /// Reports that a set or a number is missing.
    fn no_operand(&mut self) -> Failed {
        let Some(error) = self.unexpected_error("a set or a number") else { return Failed };
        let help = match self.next().kind {
            TokenKind::Text(_) => "nodes by name are a list in brackets: (\"n1\", \"n2\")",
            TokenKind::Sign(Sign::Minus) => "there are no negative numbers: write `0 - …`",
            TokenKind::Sign(Sign::And) => "the sign for nodes that are in both sets is one `&`",
            TokenKind::Sign(Sign::Or) => {
                "the sign for nodes that are in one of the sets is one `|`"
            }
            TokenKind::Sign(Sign::Divide) => "a comment begins with `#`",
            _ => return self.fail(error),
        };
        self.fail(error.with_help(help))
    }

    /// `'(' STRING {',' STRING} ')'`
    fn nodes(&mut self) -> Result<Expr, Failed> {
        let open = self.take().span;
        let mut nodes = Vec::new();
        loop {
            let TokenKind::Text(node) = self.next().kind.clone() else {
                return Err(self.unexpected("the name of a node in quotes"));
            };
            self.take();
            nodes.push(node);
            if !self.eat(Sign::Comma) {
                break;
            }
        }
        self.close(open, "`,` or `)` after the name of a node")?;
        Ok(Expr { kind: ExprKind::Nodes(nodes), span: open.to(self.last()) })
    }

    /// `'(' expr ')'`
    fn brackets(&mut self) -> Result<Expr, Failed> {
        let open = self.take().span;
        let inner = self.deeper(Self::expr)?;
        self.close(open, "an operator or `)`")?;
        Ok(Expr { kind: inner.kind, span: open.to(self.last()) })
    }

    /// `'LABEL' '(' name [ '=' ( name | NUMBER ) ] ')'`
    fn label(&mut self) -> Result<Expr, Failed> {
        let word = self.take().span;
        let open = self.next().span;
        self.expect(Sign::Open, "after LABEL")?;
        let Named { text: key, .. } = self.name("the key of a label")?;
        let value = if self.eat(Sign::Equal) { Some(self.label_value()?) } else { None };
        let wanted =
            if value.is_some() { "`)` after the label" } else { "`=` or `)` after the key" };
        self.close(open, wanted)?;
        Ok(Expr { kind: ExprKind::Label { key, value }, span: word.to(self.last()) })
    }

    fn label_value(&mut self) -> Result<String, Failed> {
        // As written: `LABEL(rack = 07)` is not rack 7.
        if matches!(self.next().kind, TokenKind::Number(_)) {
            return Ok(self.take().text.to_owned());
        }
        self.name("the value of the label").map(|name| name.text)
    }

    /// `'SIZE' '(' expr ')'`
    fn size(&mut self) -> Result<Expr, Failed> {
        let word = self.take().span;
        let open = self.next().span;
        self.expect(Sign::Open, "after SIZE")?;
        let set = Box::new(self.deeper(Self::expr)?);
        self.close(open, "an operator or `)` after the set")?;
        Ok(Expr { kind: ExprKind::Size(set), span: word.to(self.last()) })
    }
}
