use proptest::prelude::*;

use super::*;
use crate::ratio::Ratio;

fn tokens(text: &str) -> Vec<TokenKind> {
    let mut found = Found::default();
    let tokens = lex(text, &mut found);
    assert!(found.is_empty(), "{text}: {found:?}");
    tokens.into_iter().map(|token| token.kind).collect()
}

fn mistakes(text: &str) -> Vec<(Kind, usize, usize, String)> {
    let mut found = Found::default();
    lex(text, &mut found);
    let each = |it: Diagnostic| (it.kind, it.span.start, it.span.end, it.message);
    found.finish().into_iter().map(each).collect()
}

#[test]
fn a_hyphen_within_a_name_belongs_to_it() {
    use TokenKind::{End, Name};
    let minus = || TokenKind::Sign(Sign::Minus);
    let one = || TokenKind::Number(Ratio::integer(1));
    assert_eq!(tokens("n-1"), [Name, End]);
    assert_eq!(tokens("n--a_b"), [Name, End]);
    assert_eq!(tokens("n - 1"), [Name, minus(), one(), End]);
    assert_eq!(tokens("n- 1"), [Name, minus(), one(), End]);
    assert_eq!(tokens("1-n"), [one(), minus(), Name, End]);
}

#[test]
fn strings_have_two_escapes() {
    let text = |it: &str| TokenKind::Text(it.to_owned());
    assert_eq!(
        tokens(r#""" "a b" "a\"\\b" "é""#)[..4],
        [text(""), text("a b"), text(r#"a"\b"#), text("é")]
    );
    let cases = [
        (r#"x "ab"#, Kind::String, 2, 5),
        ("\"a\nb", Kind::String, 0, 2),
        (r#""a\nb" c"#, Kind::String, 2, 4),
        (r#""a\\\nb" c"#, Kind::String, 4, 6),
        (r#""a\" c"#, Kind::String, 0, 6),
        ("\"a\tb\"", Kind::Character, 2, 3),
        ("# a\u{202e}b", Kind::Character, 3, 6),
        ("a\u{0}b", Kind::Character, 1, 2),
        ("éé x", Kind::Character, 0, 4),
        ("a ; b", Kind::Character, 2, 3),
        ("1234567890123456789 x", Kind::Number, 0, 19),
        ("a [1] 1.", Kind::Character, 2, 3),
        ("1. x", Kind::Number, 0, 2),
    ];
    for (source, kind, start, end) in cases {
        let found = mistakes(source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        assert_eq!((found[0].0, found[0].1, found[0].2), (kind, start, end), "{source}");
    }
}

#[test]
fn mistakes_leave_what_follows() {
    use TokenKind::{Bad, End, Name};
    let mut found = Found::default();
    let kinds: Vec<TokenKind> =
        lex("a ; \"x\\y\" b", &mut found).into_iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Name, Bad, Bad, Name, End]);
}

proptest! {
    #[test]
    fn tokens_cover_all_but_blanks(text in "[a-z0-9 \\-:=.\"\\\\#é\n\r\t;]{0,60}") {
        let mut at = 0;
        for token in lex(&text, &mut Found::default()) {
            let blank = &text[at..token.span.start];
            prop_assert!(blank.bytes().all(|byte| b" \t\r\n".contains(&byte)), "{:?}", blank);
            prop_assert_eq!(blank.matches('\n').count(), token.breaks);
            prop_assert_eq!(&text[token.span.start..token.span.end], token.text);
            prop_assert_eq!(token.text.is_empty(), token.kind == TokenKind::End);
            at = token.span.end;
        }
        prop_assert_eq!(at, text.len());
    }
}
