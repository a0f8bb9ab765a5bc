//! The one form of a text.

use proptest::prelude::*;

use super::*;
use crate::diagnostic::Found;
use crate::lexer::{TokenKind, lex};
use crate::parser::parse;
use crate::syntax::arbitrary::program;

/// Tokens and comments as written.
fn tokens(text: &str) -> Vec<String> {
    let tokens = lex(text, &mut Found::default()).into_iter();
    let written = tokens.map(|token| match token.kind {
        TokenKind::Comment => token.text.trim_end().to_owned(),
        _ => token.text.to_owned(),
    });
    written.collect()
}

#[test]
fn blanks_are_as_in_the_pages() {
    let text = "web:=pick( web ,SIZE(ALL)/2 , ! LABEL( db=1.50 )|(\"n1\",\"n2\"),spread=zone,max=2)pickh(x,1,web)\
                start  cache . start after 50 % of web . done(n+1)of \"x\"web\n";
    let formatted = "web := pick(web, SIZE(ALL) / 2, !LABEL(db = 1.50) | (\"n1\", \"n2\"), spread = zone, max = 2)\n\
                     pickh(x, 1, web)\n\
                     start cache.start after 50% of web.done (n + 1) of \"x\" web\n";
    assert_eq!(format(text).as_deref(), Ok(formatted));
}

#[test]
fn comments_and_line_breaks_stay() {
    let text = "\n\n# two lines\n   # of a comment   \r\n\n\n\nweb := pick(   # web\n web,\n\n # half\n    SIZE(ALL)/2,\
                \n ALL )  # end\ndb := ALL |\n LABEL(x) b := (1 + # one\n 2\n)\n# last\n\n";
    let formatted = "# two lines\n# of a comment\n\nweb := pick( # web\n    web,\n    # half\n    SIZE(ALL) / 2,\n    \
                     ALL) # end\ndb := ALL |\n    LABEL(x)\nb := (1 + # one\n    2\n)\n# last\n";
    assert_eq!(format(text).as_deref(), Ok(formatted));
    assert_eq!(format("").as_deref(), Ok(""));
    assert_eq!(format(" # only\n").as_deref(), Ok("# only\n"));
}

#[test]
fn a_text_that_is_not_a_program_has_no_form() {
    let errors = format("web := pick(web, 2 ALL)").unwrap_err();
    assert_eq!(errors.len(), 1);
    // The checker is not asked: what is well-formed has a form.
    assert_eq!(format("x:=y").as_deref(), Ok("x := y\n"));
}

#[test]
fn a_form_too_large_to_be_a_program_is_refused() {
    let deep = format!("x := {}1{}", "(".repeat(60), ")".repeat(60));
    let text = deep.replace("1)", &format!("1{})", "\n+ 1".repeat(6000)));
    assert!(crate::parse(&text).errors.is_empty());
    let errors = crate::format(&text).unwrap_err();
    assert_eq!(errors[0].kind, crate::diagnostic::Kind::TooLarge);
}

/// Text of tokens with blanks, line breaks and comments between them.
fn loose_text() -> impl Strategy<Value = String> {
    let gap = prop_oneof![8 => Just(" "), 1 => Just("\n"), 1 => Just("\n \n\n"), 1 => Just(" # c \n"), 1 => Just("\n# d\n\n"), 1 => Just("\t\r\n")];
    (program(), prop::collection::vec(gap, 1..40)).prop_map(|(program, gaps)| {
        let text = program.to_string();
        let tokens = lex(&text, &mut Found::default());
        let mut loose = String::new();
        for (token, gap) in tokens.iter().zip(gaps.iter().cycle()) {
            loose.push_str(gap);
            loose.push_str(token.text);
        }
        loose
    })
}

proptest! {
    #[test]
    fn formatting_keeps_every_token_and_comment(text in loose_text()) {
        prop_assume!(parse(&text).errors.is_empty());
        let formatted = format(&text).unwrap();
        prop_assert_eq!(tokens(&formatted), tokens(&text), "{}", formatted);
        let (before, after) = (parse(&text).program.erased(), parse(&formatted).program.erased());
        prop_assert_eq!(before, after, "{}", formatted);
    }

    #[test]
    fn formatting_twice_is_formatting_once(text in loose_text()) {
        prop_assume!(parse(&text).errors.is_empty());
        let formatted = format(&text).unwrap();
        prop_assert_eq!(format(&formatted), Ok(formatted.clone()));
        for line in formatted.lines() {
            prop_assert_eq!(line, line.trim_end());
        }
        prop_assert!(!formatted.contains("\n\n\n") && !formatted.starts_with('\n'));
    }

    #[test]
    fn what_is_printed_has_the_one_form(program in program()) {
        let text = program.to_string();
        prop_assert_eq!(format(&text), Ok(text));
    }
}
