use crate::canon::{DecodeError, Decoder, Encoder};

/// How many tagged fields a profile may have.
const FIELDS_MAX: usize = 64;
/// How long their bodies may be together, in bytes. With it the longest profile fits
/// [`super::PROFILE_BYTES_MAX`].
pub const FIELDS_BYTES_MAX: usize = 3 * 1024;

/// The tagged fields of a profile, or of an order to a node, that this version does not know: `(tag, bytes)`,
/// ascending.
///
/// They came after this version. They are kept and passed on as they are, so that the profile keeps its
/// hash and its record is shown; they mean nothing here. Only decoding makes them: a node never signs a
/// field that it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaterFields(Vec<(u8, Box<[u8]>)>);

impl LaterFields {
    /// The tags of the fields.
    pub fn tags(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().map(|(tag, _)| *tag)
    }

    /// Writes the known fields and these, in the order of their tags.
    pub(crate) fn encode_with(&self, known: &[(u8, Vec<u8>)], out: &mut Encoder) {
        let later = self.0.iter().map(|(tag, body)| (*tag, &**body));
        let mut all: Vec<_> =
            known.iter().map(|(tag, body)| (*tag, &**body)).chain(later).collect();
        all.sort_unstable();
        out.count(all.len());
        for (tag, body) in all {
            out.u8(tag).bytes(body);
        }
    }

    /// Reads all fields. Each is offered to `known` first, which returns whether it knows the tag.
    pub(crate) fn decode_without(
        input: &mut Decoder<'_>,
        mut known: impl FnMut(u8, &[u8]) -> Result<bool, DecodeError>,
    ) -> Result<Self, DecodeError> {
        let count = input.count(FIELDS_MAX, "tagged fields")?;
        let (mut later, mut last, mut room) = (Vec::new(), 0, FIELDS_BYTES_MAX);
        for _ in 0..count {
            let tag = input.u8("tagged field")?;
            if tag <= last {
                return Err(DecodeError::Invalid("order of tagged fields"));
            }
            let body = input.bytes(room, "bytes of tagged fields")?;
            (last, room) = (tag, room - body.len());
            if !known(tag, body)? {
                later.push((tag, body.into()));
            }
        }
        Ok(Self(later))
    }
}
