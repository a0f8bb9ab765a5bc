//! The next tokens, and the errors that they cause.

use super::{Failed, LEVELS_MAX, Parser};
use crate::diagnostic::{Diagnostic, Kind, quoted, shortened};
use crate::lexer::{Sign, Token, TokenKind, Word};
use crate::syntax::{Named, Span};

impl<'a> Parser<'a> {
    /// The next token.
    pub(super) fn next(&self) -> &Token<'a> {
        self.ahead(0)
    }

    /// A token after the next; behind the last, the end.
    pub(super) fn ahead(&self, by: usize) -> &Token<'a> {
        // The lexer ends every text with a token of its own.
        &self.tokens[(self.at + by).min(self.tokens.len() - 1)]
    }

    /// Takes the next token; the end stays.
    pub(super) fn take(&mut self) -> Token<'a> {
        let token = self.next().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// Where the token before the next one is.
    pub(super) fn last(&self) -> Span {
        self.at.checked_sub(1).map_or(Span::default(), |at| self.tokens[at].span)
    }

    /// Whether the next token is this sign.
    pub(super) fn is(&self, sign: Sign) -> bool {
        self.next().kind == TokenKind::Sign(sign)
    }

    /// Whether the token after the next is this sign.
    pub(super) fn is_second(&self, sign: Sign) -> bool {
        self.ahead(1).kind == TokenKind::Sign(sign)
    }

    /// Whether the next token is this word.
    pub(super) fn is_word(&self, word: Word) -> bool {
        self.next().kind == TokenKind::Word(word)
    }

    /// Takes this sign if it is next.
    pub(super) fn eat(&mut self, sign: Sign) -> bool {
        let is_next = self.is(sign);
        if is_next {
            self.take();
        }
        is_next
    }

    /// Takes this sign; `place` says where it belongs.
    pub(super) fn expect(&mut self, sign: Sign, place: &str) -> Result<(), Failed> {
        if self.eat(sign) {
            return Ok(());
        }
        Err(self.unexpected(&format!("{} {place}", quoted(sign.text()))))
    }

    /// Takes the bracket that closes one at `open`.
    pub(super) fn close(&mut self, open: Span, wanted: &str) -> Result<(), Failed> {
        if self.eat(Sign::Close) {
            return Ok(());
        }
        let Some(error) = self.unexpected_error(wanted) else { return Err(Failed) };
        Err(self.fail(error.with_context(open, "opened here")))
    }

    /// Takes a name, with or without quotes.
    pub(super) fn name(&mut self, what: &str) -> Result<Named, Failed> {
        let token = self.next().clone();
        let text = match token.kind {
            TokenKind::Name => token.text.to_owned(),
            TokenKind::Text(text) => text,
            TokenKind::Word(word) => {
                let word = word.text();
                let message = format!("expected {what}, found the word `{word}` of the language");
                let error = Diagnostic::new(Kind::Syntax, token.span, message);
                return Err(self.fail(error.with_help(format!(
                    "a name that is a word of the language is written in quotes: \"{word}\""
                ))));
            }
            _ => return Err(self.unexpected(what)),
        };
        self.take();
        Ok(Named { text, span: token.span })
    }

    /// Reports that the next token is not what belongs there.
    pub(super) fn unexpected(&mut self, wanted: &str) -> Failed {
        match self.unexpected_error(wanted) {
            Some(error) => self.fail(error),
            None => Failed,
        }
    }

    /// The error that the next token is not what belongs there; `None` if the lexer has one already.
    pub(super) fn unexpected_error(&self, wanted: &str) -> Option<Diagnostic> {
        let token = self.next();
        // The end is behind the last token, not behind blanks and comments that follow it.
        let is_end = token.kind == TokenKind::End;
        let end = self.last().end;
        let span = if is_end { Span { start: end, end } } else { token.span };
        let found = match &token.kind {
            TokenKind::Bad => return None,
            TokenKind::End => "the end of the program".to_owned(),
            TokenKind::Text(text) => format!("the string \"{}\"", shortened(text)),
            _ => quoted(token.text),
        };
        let message = format!("expected {wanted}, found {found}");
        let error = Diagnostic::new(Kind::Syntax, span, message);
        Some(error.with_label(format!("expected {wanted}")))
    }

    /// Reports an error of the statement.
    pub(super) fn fail(&mut self, error: Diagnostic) -> Failed {
        self.errors.push(error);
        Failed
    }

    /// Runs a rule one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        rule: impl FnOnce(&mut Self) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        if self.levels == LEVELS_MAX {
            let message =
                format!("more than {LEVELS_MAX} levels of brackets, arguments, `!` and `:=`");
            let error = Diagnostic::new(Kind::TooDeep, self.next().span, message);
            return Err(self.fail(error.with_help("bind a part to a name: `part := …`")));
        }
        self.levels += 1;
        let result = rule(self);
        self.levels -= 1;
        result
    }
}
