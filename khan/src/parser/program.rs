//! Statements, and how the parser continues after a mistake.

use super::{Failed, Parser};
use crate::diagnostic::{Diagnostic, Kind};
use crate::lexer::{Sign, TokenKind, Word};
use crate::syntax::Program;

impl Parser<'_> {
    /// `{ expr } { after }`
    pub(super) fn program(&mut self) -> Program {
        let mut program = Program::default();
        while self.next().kind != TokenKind::End && !self.errors.is_full() {
            let first = self.at;
            self.statements.push(self.next().span.start);
            if self.statement(&mut program) == Err(Failed) {
                self.recover(first);
            }
        }
        program
    }

    fn statement(&mut self, program: &mut Program) -> Result<(), Failed> {
        if self.is_word(Word::Start) {
            program.afters.push(self.after()?);
            return Ok(());
        }
        self.begin()?;
        let expr = self.expr()?;
        if let Some(after) = program.afters.first() {
            let message = "a statement that picks or binds belongs above the first `start … after`";
            let error = Diagnostic::new(Kind::Syntax, expr.span, message);
            self.errors.push(error.with_context(after.span, "the first one"));
        }
        program.exprs.push(expr);
        Ok(())
    }

    /// Reports a token with which nothing begins, and other ways to bind a name.
    fn begin(&mut self) -> Result<(), Failed> {
        let (first, second) = (self.next().clone(), self.ahead(1).clone());
        match (&first.kind, &second.kind) {
            (TokenKind::Name, TokenKind::Sign(Sign::Equal)) => {
                let error = Diagnostic::new(Kind::Syntax, second.span, "expected `:=`, found `=`");
                Err(self.fail(error.with_help(format!("bind the name with `{} := …`", first.text))))
            }
            (TokenKind::Text(_) | TokenKind::Word(_), TokenKind::Sign(Sign::Bind)) => {
                let error =
                    Diagnostic::new(Kind::Syntax, first.span, "expected a name before `:=`");
                let help = "a bound name has no quotes and is not a word of the language";
                Err(self.fail(error.with_help(help)))
            }
            (TokenKind::Sign(Sign::Open | Sign::Not), _) => Ok(()),
            (TokenKind::Sign(_) | TokenKind::Word(Word::After | Word::Of), _) => {
                Err(self.unexpected("`name := …`, `pick(…)` or `start … after …`"))
            }
            _ => Ok(()),
        }
    }

    /// Skips to the next statement: at least one token since `first`, with which the broken one begins.
    fn recover(&mut self, first: usize) {
        let column = self.column(self.tokens[first].span.start);
        if self.at == first {
            self.take();
        }
        while !self.begins_statement(column) {
            self.take();
        }
    }

    /// Whether a statement begins at the next token, no further to the right than the column.
    fn begins_statement(&self, column: usize) -> bool {
        let token = self.next();
        let begins = match token.kind {
            TokenKind::End => return true,
            TokenKind::Word(Word::Start) => true,
            TokenKind::Word(Word::Pick | Word::Pickh) => self.is_second(Sign::Open),
            TokenKind::Name => {
                // A misspelled function, written as a call.
                let is_call =
                    self.is_second(Sign::Open) && self.ahead(1).span.start == token.span.end;
                is_call || self.is_second(Sign::Bind) || self.is_second(Sign::Equal)
            }
            _ => false,
        };
        begins && self.is_first_on_line() && self.column(token.span.start) <= column
    }

    /// Whether only blanks are before the next token on its line.
    fn is_first_on_line(&self) -> bool {
        let start = self.next().span.start;
        let line = &self.text[start - self.column(start)..start];
        line.bytes().all(|byte| byte.is_ascii_whitespace())
    }

    /// How many bytes of its line are before a byte.
    fn column(&self, at: usize) -> usize {
        at - self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }
}
