//! Labels of nodes and of registrations: one encoding, one set of rules.

use std::collections::BTreeMap;

use crate::canon::{DecodeError, Decoder, Encoder};
use crate::name::ServiceName;

/// How long a label's key may be, in bytes.
pub const LABEL_KEY_BYTES_MAX: usize = 63;
/// How long a label's value may be, in bytes.
pub const LABEL_VALUE_BYTES_MAX: usize = 255;

/// Writes labels in the order of their keys.
pub(super) fn encode(labels: &BTreeMap<String, String>, out: &mut Encoder) {
    out.count(labels.len());
    for (key, value) in labels {
        out.str(key).str(value);
    }
}

/// Reads at most `most` labels, which MUST be in the order of their keys.
pub(super) fn decode(
    input: &mut Decoder<'_>,
    most: usize,
) -> Result<BTreeMap<String, String>, DecodeError> {
    let count = input.count(most, "labels")?;
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..count {
        // As in the configuration: a key with a space or a `=` reads like several labels.
        let key: ServiceName = input.parse(LABEL_KEY_BYTES_MAX, "label key")?;
        let (key, value) = (key.as_str(), input.text(LABEL_VALUE_BYTES_MAX, "label value")?);
        if labels.last_key_value().is_some_and(|(last, _)| last.as_str() >= key) {
            return Err(DecodeError::Invalid("order of labels"));
        }
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(labels)
}
