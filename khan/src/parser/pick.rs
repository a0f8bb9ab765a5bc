//! Picks.

use super::{Failed, PICKS_MAX, Parser};
use crate::diagnostic::{Diagnostic, Kind, quoted};
use crate::lexer::{Sign, Word};
use crate::syntax::{Expr, ExprKind, Named, Pick, Span};

impl Parser<'_> {
    /// `('pick'|'pickh') '(' name ',' expr ',' expr { ',' option } ')'`
    pub(super) fn pick(&mut self) -> Result<Expr, Failed> {
        let pickh = self.is_word(Word::Pickh);
        let word = self.take().span;
        self.count_pick(word);
        if pickh {
            let warning = Diagnostic::new(Kind::Pickh, word, "`pickh` is read as `pick`");
            let help = "write `pick`; the meaning of `pickh` in the original was never found";
            self.warnings.push(warning.with_help(help));
        }
        let open = self.next().span;
        self.expect(Sign::Open, "after the word pick")?;
        let service = self.name("the name of a service")?;
        self.expect(Sign::Comma, "after the service")?;
        let count = self.deeper(Self::expr)?;
        self.expect(Sign::Comma, "after the number of instances")?;
        let set = self.deeper(Self::expr)?;
        let mut pick = Pick { pickh, service, count, set, spread: None, max: None };
        while self.eat(Sign::Comma) {
            self.option(&mut pick)?;
        }
        self.close(open, "an operator, `,` or `)` in the pick")?;
        Ok(Expr { kind: ExprKind::Pick(Box::new(pick)), span: word.to(self.last()) })
    }

    /// `'spread' '=' name | 'max' '=' expr`
    fn option(&mut self, pick: &mut Pick) -> Result<(), Failed> {
        let option = self.name("`spread = KEY` or `max = NUMBER`")?;
        match option.text.as_str() {
            "spread" | "max" => {}
            _ => return Err(self.no_option(&option)),
        }
        self.expect(Sign::Equal, &format!("after `{}`", option.text))?;
        if option.text == "max" {
            let max = self.deeper(Self::expr)?;
            self.only(&option, pick.max.replace(max).is_none());
        } else {
            let key = self.name("the key of a label")?;
            self.only(&option, pick.spread.replace(key).is_none());
        }
        Ok(())
    }

    fn no_option(&mut self, option: &Named) -> Failed {
        let message = format!("pick has no option {}", quoted(&option.text));
        let error = Diagnostic::new(Kind::Syntax, option.span, message);
        self.fail(error.with_help("the options are `spread = KEY` and `max = NUMBER`"))
    }

    /// Reports an option that is there a second time.
    fn only(&mut self, option: &Named, is_first: bool) {
        if !is_first {
            let message = format!("the option `{}` is there twice", option.text);
            self.errors.push(Diagnostic::new(Kind::Syntax, option.span, message));
        }
    }

    /// Counts a pick, and reports the first beyond the bound.
    fn count_pick(&mut self, word: Span) {
        self.picks += 1;
        if self.picks == PICKS_MAX + 1 {
            let message = format!("more than {PICKS_MAX} picks");
            let error = Diagnostic::new(Kind::TooManyPicks, word, message);
            self.errors.push(error.with_help("split the services over several hordes"));
        }
    }
}
