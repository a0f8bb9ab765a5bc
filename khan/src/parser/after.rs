//! The order of starts.

use super::{Failed, Parser};
use crate::diagnostic::{Diagnostic, Kind, quoted, shortened};
use crate::lexer::{Sign, TokenKind, Word};
use crate::syntax::{After, Amount, Cond, Expr, Span, Stage, State};

impl Parser<'_> {
    /// `'start' state 'after' cond { cond }`
    pub(super) fn after(&mut self) -> Result<After, Failed> {
        let word = self.take().span;
        let what = self.state()?;
        if !self.is_word(Word::After) {
            return Err(self.unexpected("`after`"));
        }
        self.take();
        let mut conds = vec![self.cond()?];
        while self.begins_cond() {
            conds.push(self.cond()?);
        }
        self.no_sign_between()?;
        Ok(After { what, conds, span: word.to(self.last()) })
    }

    /// Reports a sign behind a condition.
    fn no_sign_between(&mut self) -> Result<(), Failed> {
        if !matches!(self.next().kind, TokenKind::Sign(Sign::And | Sign::Or | Sign::Comma)) {
            return Ok(());
        }
        let message = format!("unexpected {} behind a condition", quoted(self.next().text));
        let error = Diagnostic::new(Kind::Syntax, self.next().span, message);
        Err(self
            .fail(error.with_help("write the conditions one after another: all of them must hold")))
    }

    /// Whether another condition follows. A statement that binds begins with a name too.
    fn begins_cond(&self) -> bool {
        let is_bind = self.is_second(Sign::Bind);
        self.begins_number()
            || matches!(self.next().kind, TokenKind::Name | TokenKind::Text(_)) && !is_bind
    }

    /// Whether a sum follows: one that begins with a name reads as a state, and has brackets for that.
    fn begins_number(&self) -> bool {
        matches!(
            self.next().kind,
            TokenKind::Number(_) | TokenKind::Sign(Sign::Open) | TokenKind::Word(Word::Size)
        )
    }

    /// `state | sum ['%'] 'of' state`
    fn cond(&mut self) -> Result<Cond, Failed> {
        if self.begins_number() {
            return self.amount();
        }
        let (first, is_name) = (self.at, self.next().kind == TokenKind::Name);
        let state = self.state()?;
        if !self.continues_sum() {
            return Ok(Cond { amount: Amount::Whole, state });
        }
        if is_name && self.at == first + 1 {
            return self.bare_sum(first);
        }
        Err(self.unexpected("another condition, or another statement"))
    }

    /// `sum ['%'] 'of' state`
    fn amount(&mut self) -> Result<Cond, Failed> {
        let number = self.marked(Self::sum)?;
        let percent = self.eat(Sign::Percent);
        if !self.is_word(Word::Of) {
            return Err(self.unexpected(if percent { "`of`" } else { "`%` or `of`" }));
        }
        self.take();
        let amount = if percent { Amount::Percent(number) } else { Amount::Count(number) };
        Ok(Cond { amount, state: self.state()? })
    }

    /// Whether the next token continues a sum, of which the state just read is then the beginning.
    fn continues_sum(&self) -> bool {
        use Sign::{Divide, Minus, Percent, Plus, Times};
        match self.next().kind {
            TokenKind::Word(word) => word == Word::Of,
            TokenKind::Sign(sign) => matches!(sign, Plus | Minus | Times | Divide | Percent),
            _ => false,
        }
    }

    /// Reports a sum that begins with a name, and reads it as if it had its brackets.
    fn bare_sum(&mut self, first: usize) -> Result<Cond, Failed> {
        self.at = first;
        let cond = self.amount()?;
        if let Amount::Count(number) | Amount::Percent(number) = &cond.amount {
            let error = self.brackets_missing(number);
            self.errors.push(error);
        }
        Ok(cond)
    }

    fn brackets_missing(&self, number: &Expr) -> Diagnostic {
        let Span { start, end } = number.span;
        let sum = shortened(&self.text[start..end]);
        let message = "an amount that begins with a name belongs in brackets";
        let error = Diagnostic::new(Kind::Syntax, number.span, message);
        error.with_help(format!("write `({sum})`: without brackets, the name reads as a service"))
    }

    /// `name [ '.' stage ]`
    fn state(&mut self) -> Result<State, Failed> {
        let service = self.name("the name of a service")?;
        let stage = if self.eat(Sign::Dot) { self.stage()? } else { Stage::default() };
        let span = service.span.to(self.last());
        Ok(State { service, stage, span })
    }

    fn stage(&mut self) -> Result<Stage, Failed> {
        let token = self.next().clone();
        if !matches!(token.kind, TokenKind::Name | TokenKind::Word(_)) {
            return Err(self.unexpected("a stage: start, ready, done or unknown"));
        }
        let Some(stage) = Stage::ALL.into_iter().find(|stage| stage.word() == token.text) else {
            let message = format!("there is no stage {}", quoted(token.text));
            let error = Diagnostic::new(Kind::Syntax, token.span, message);
            let help = "the stages are start, ready, done and unknown; a service with a point in its \
                        name is written in quotes";
            return Err(self.fail(error.with_help(help)));
        };
        self.take();
        Ok(stage)
    }
}
