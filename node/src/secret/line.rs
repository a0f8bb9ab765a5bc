//! A versioned line with a checksum and an end mark: `crux1-mfrggzdf…-end`.

use data_encoding::BASE32_NOPAD_NOCASE as BASE32;
use sha3::{Digest as _, Sha3_256};
use zeroize::Zeroizing;

use super::SecretError;

/// Bytes of SHA3-256 that follow the content: a slip passes once in 2^40.
const CHECKSUM_BYTES: usize = 5;

/// What closes a line, so that a cut shows.
const END: &str = "-end";

/// The longest line read, in bytes; the longest ever written is under 300.
pub(super) const LINE_MAX: usize = 1024;

/// A kind of line.
pub(crate) struct Format {
    /// What it starts with, before the version.
    pub(crate) prefix: &'static str,
    /// The version written and read.
    pub(crate) version: u32,
}

impl Format {
    /// The line of some content.
    pub(crate) fn encode(&self, content: &[u8]) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(content.len() + CHECKSUM_BYTES));
        bytes.extend_from_slice(content);
        bytes.extend_from_slice(&self.checksum(content));
        let mut text = Zeroizing::new(BASE32.encode(&bytes));
        text.make_ascii_lowercase();
        Zeroizing::new(format!("{}{}-{}{END}", self.prefix, self.version, text.as_str()))
    }

    /// The content of a line. White space around it does not count, nor does the case
    /// of what stands between prefix and end.
    pub(crate) fn decode(&self, line: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Err(SecretError::Empty);
        }
        if line.len() > LINE_MAX {
            return Err(SecretError::TooLong { max: LINE_MAX });
        }
        let body = self.strip_prefix(line)?;
        let start = line.len() - body.len();
        let text = body.strip_suffix(END).ok_or(SecretError::Truncated)?;
        let mut bytes =
            Zeroizing::new(BASE32.decode(text.as_bytes()).map_err(|err| match err.kind {
                data_encoding::DecodeKind::Symbol => {
                    SecretError::Character { at: start + err.position }
                }
                _ => SecretError::Checksum,
            })?);
        let content = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(SecretError::Checksum)?;
        if self.checksum(&bytes[..content]) != bytes[content..] {
            return Err(SecretError::Checksum);
        }
        bytes.truncate(content);
        Ok(bytes)
    }

    /// What follows the prefix, the version and a dash.
    fn strip_prefix<'a>(&self, line: &'a str) -> Result<&'a str, SecretError> {
        let wrong = SecretError::Prefix { expected: self.prefix };
        let rest = line.strip_prefix(self.prefix).ok_or(wrong)?;
        let (version, body) = match rest.split_once('-') {
            Some(parts) => parts,
            None if rest.bytes().all(|b| b.is_ascii_digit()) => return Err(SecretError::Truncated),
            None => return Err(wrong),
        };
        let version: u32 = version.parse().map_err(|_| wrong)?;
        if version != self.version {
            let expected = self.version;
            return Err(SecretError::Version { found: version, expected });
        }
        Ok(body)
    }

    /// Covers the kind and the version too, so that one kind of line never passes for another.
    fn checksum(&self, content: &[u8]) -> [u8; CHECKSUM_BYTES] {
        let mut hash = Sha3_256::new();
        hash.update(self.prefix.as_bytes());
        hash.update(self.version.to_be_bytes());
        hash.update(content);
        let hash = hash.finalize();
        std::array::from_fn(|i| hash[i])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORMAT: Format = Format { prefix: "crux", version: 1 };

    #[test]
    fn tells_what_happened_to_a_line() {
        let line = FORMAT.encode(&[7; 40]);
        let err = |line: &str| FORMAT.decode(line).map(drop).unwrap_err();
        assert_eq!(err(" \n"), SecretError::Empty);
        assert_eq!(err("correct horse battery"), SecretError::Prefix { expected: "crux" });
        assert_eq!(err("cruxual"), SecretError::Prefix { expected: "crux" });
        assert_eq!(err("crux1"), SecretError::Truncated);
        for cut in 6..line.len() {
            assert_eq!(err(&line[..cut]), SecretError::Truncated, "{cut}");
        }
        let newer = line.replacen('1', "2", 1);
        assert_eq!(err(&newer), SecretError::Version { found: 2, expected: 1 });
        assert_eq!(err(&line.replacen('a', "8", 1)), {
            SecretError::Character { at: line.find('a').unwrap() }
        });
        assert_eq!(err(&"x".repeat(2000)), SecretError::TooLong { max: LINE_MAX });
        assert_eq!(err("crux1--end"), SecretError::Checksum);
    }

    #[test]
    fn one_kind_never_passes_for_another() {
        let other = Format { prefix: "crux", version: 2 };
        let line = FORMAT.encode(b"content").replacen('1', "2", 1);
        assert_eq!(other.decode(&line).map(drop), Err(SecretError::Checksum));
    }

    proptest! {
        #[test]
        fn round_trip(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let line = FORMAT.encode(&content);
            let read = FORMAT.decode(&line).unwrap();
            prop_assert_eq!(read.as_slice(), content.as_slice());
            let body = &line["crux1-".len()..line.len() - END.len()];
            let loud = format!("  crux1-{}-end\n", body.to_uppercase());
            let read = FORMAT.decode(&loud).unwrap();
            prop_assert_eq!(read.as_slice(), content.as_slice());
        }

        #[test]
        fn a_slip_never_passes(
            content in proptest::collection::vec(any::<u8>(), 1..80),
            at in any::<prop::sample::Index>(),
            with in "[a-z2-7]",
        ) {
            let line = FORMAT.encode(&content);
            let at = 6 + at.index(line.len() - 10);
            let mut typed = line.to_string();
            typed.replace_range(at..=at, &with);
            let same = typed == *line;
            prop_assert_eq!(FORMAT.decode(&typed).is_ok(), same);
        }

        #[test]
        fn never_panics(line in any::<String>()) {
            prop_assert!(FORMAT.decode(&line).is_err());
            drop(FORMAT.decode(&format!("crux1-{line}-end")));
        }
    }
}
