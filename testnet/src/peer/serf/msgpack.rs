//! The little of `MessagePack` that serf's RPC protocol needs to be asked things.
//!
//! Only requests are encoded. Answers are searched for names of a fixed width rather than decoded:
//! see [`super::Rpc`].

/// A value in a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// A text of at most 31 bytes.
    Text(&'a str),
    /// A number below 128.
    Small(u8),
    /// A truth value.
    Bool(bool),
}

/// A map of at most 15 entries.
pub(super) fn map(entries: &[(&str, Value<'_>)]) -> Vec<u8> {
    let mut out = vec![0x80 | short_length(entries.len(), 0x0f)];
    for (key, value) in entries {
        text(&mut out, key);
        match *value {
            Value::Text(value) => text(&mut out, value),
            Value::Small(number) => out.push(number & 0x7f),
            Value::Bool(value) => out.push(if value { 0xc3 } else { 0xc2 }),
        }
    }
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(0xa0 | short_length(text.len(), 0x1f));
    out.extend_from_slice(text.as_bytes());
}

/// A length that fits into the low bits of a type byte; every request in this crate has such.
fn short_length(length: usize, max: u8) -> u8 {
    debug_assert!(length <= usize::from(max), "longer than the short form holds");
    u8::try_from(length).map_or(max, |length| length.min(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_header_is_encoded_as_the_format_says() {
        let bytes = map(&[("Seq", Value::Small(5)), ("Ok", Value::Bool(true))]);
        assert_eq!(bytes, b"\x82\xa3Seq\x05\xa2Ok\xc3");
        assert_eq!(map(&[("A", Value::Text("b"))]), b"\x81\xa1A\xa1b");
    }
}
