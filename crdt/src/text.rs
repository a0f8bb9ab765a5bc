//! Text of others: which characters a person sees as what they are.
//!
//! **Invariant**: no string that a member can make another one show moves the cursor, ends a line,
//! reorders what is around it, or is there without being seen. Whatever is decoded from a peer or a disk
//! keeps to it ([`crate::canon::Decoder::text`]); names and addresses are narrower, and ASCII.

/// Whether a character is shown as itself.
///
/// Left out are the control characters (C0, DEL and C1, with which terminals are commanded), separators of
/// lines and paragraphs, marks and overrides of the writing direction, whatever has no width or no ink, and
/// code points that are no characters.
pub const fn is_plain(c: char) -> bool {
    let hidden = matches!(c,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
    );
    // The last two code points of each plane.
    !hidden && (c as u32) & 0xfffe != 0xfffe
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_commands_a_terminal_or_hides_is_not_plain() {
        let hidden = [
            '\0',
            '\t',
            '\n',
            '\r',
            '\x1b',
            '\x7f',
            '\u{85}',
            '\u{9b}',
            '\u{9d}', // control
            '\u{2028}',
            '\u{2029}', // ends of lines
            '\u{200e}',
            '\u{200f}',
            '\u{61c}',
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}', // direction
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{2060}',
            '\u{feff}',
            '\u{ad}',
            '\u{3164}', // no ink
            '\u{e0041}',
            '\u{fe0f}',
            '\u{ffff}',
            '\u{10fffe}',
            '\u{fdd0}',
        ];
        for c in hidden {
            assert!(!is_plain(c), "{c:?}");
        }
    }

    #[test]
    fn what_people_write_is_plain() {
        let text = "~ rack 7, Köln–Süd «б» 東京 ראשון الأول हिन्दी 🐑";
        assert!(text.chars().all(is_plain));
        assert!((' '..='~').all(is_plain));
    }
}
