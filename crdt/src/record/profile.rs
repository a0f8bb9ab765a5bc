use std::collections::BTreeMap;

use super::{LaterFields, Yields, labels};
use crate::Digest;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::hash::sha3;
use crate::name::NodeName;
use crate::path::Endpoint;

/// How many labels a node may carry.
pub const LABELS_MAX: usize = 32;

const ADDRESSES_MAX: usize = 8;
const VERSION_BYTES_MAX: usize = 32;
/// An endpoint is a DNS name of at most 253 bytes, a colon and a port.
const ENDPOINT_BYTES_MAX: usize = 260;

/// How long an encoded profile may be, in bytes. Every profile within its other bounds is shorter.
pub const PROFILE_BYTES_MAX: usize = 16 * 1024;

/// The version that this build writes and reads.
const VERSION: u8 = 2;
/// The tag of [`Profile::provisional`]; the field has no bytes, and is left out where it is `false`.
const PROVISIONAL: u8 = 1;
/// The tag of [`Profile::yields`].
const YIELDS: u8 = 2;

/// What a node says of itself, apart from its services.
///
/// After the fields of version 1 comes a list of tagged ones. A field that a build does not know is kept and
/// covered by the hash, so that nodes of two versions show the same state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// The name it claims; who holds a name is decided by [`crate::strew`].
    pub name: Option<NodeName>,
    /// Where it is reached, best first; at most eight.
    pub addresses: Vec<Endpoint>,
    /// Free labels, `key=value`; at most [`LABELS_MAX`]. Keys are like names of services, values plain
    /// text ([`crate::text`]).
    pub labels: BTreeMap<String, String>,
    /// The X25519 key to which secrets for this node are sealed.
    pub agreement_key: [u8; 32],
    /// Its claim to lead; 0 is none. Below 2^48.
    pub claim: u64,
    /// Whether it is on its way out and may not lead.
    pub draining: bool,
    /// The version of Crux it runs; plain text.
    pub version: String,
    /// Whether its name yields to those of nodes that do not say so, because it was to join others and
    /// has reached none of them ([`crate::strew::Names`]).
    pub provisional: bool,
    /// Set in the last record of a run that stops because its identity runs elsewhere.
    pub yields: Option<Yields>,
    /// Tagged fields that came after this version.
    pub later: LaterFields,
}

impl Profile {
    /// The hash that a header covers.
    pub fn hash(&self) -> Digest {
        sha3("crux/profile/2", &[&self.to_canonical()])
    }

    /// Whether every bound holds. What is decoded always does; what a node makes of its
    /// configuration is checked here before it is signed.
    pub fn is_within_bounds(&self) -> bool {
        Self::from_canonical(&self.to_canonical()).is_ok()
    }
}

impl Canonical for Profile {
    fn encode(&self, out: &mut Encoder) {
        out.u8(VERSION);
        out.str(self.name.as_ref().map_or("", NodeName::as_str));
        out.count(self.addresses.len());
        for address in &self.addresses {
            out.str(&address.to_string());
        }
        labels::encode(&self.labels, out);
        out.fixed(&self.agreement_key).u64(self.claim).u8(u8::from(self.draining));
        out.str(&self.version);
        let mut known = Vec::new();
        known.extend(self.provisional.then(|| (PROVISIONAL, Vec::new())));
        known.extend(self.yields.as_ref().map(|yields| (YIELDS, yields.to_bytes())));
        self.later.encode_with(&known, out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("profile version", VERSION)?;
        let name = decode_name(input)?;
        let count = input.count(ADDRESSES_MAX, "addresses")?;
        let addresses = (0..count)
            .map(|_| input.parse(ENDPOINT_BYTES_MAX, "address"))
            .collect::<Result<_, _>>()?;
        let mut profile = Self {
            name,
            addresses,
            labels: labels::decode(input, LABELS_MAX)?,
            agreement_key: input.array("agreement key")?,
            claim: decode_claim(input)?,
            draining: input.bool("draining")?,
            version: input.text(VERSION_BYTES_MAX, "version")?.to_owned(),
            provisional: false,
            yields: None,
            later: LaterFields::default(),
        };
        profile.later = LaterFields::decode_without(input, |tag, body| match (tag, body) {
            (PROVISIONAL, []) => {
                profile.provisional = true;
                Ok(true)
            }
            (PROVISIONAL, _) => Err(DecodeError::Invalid("provisional")),
            (YIELDS, body) => {
                profile.yields = Some(Yields::from_bytes(body)?);
                Ok(true)
            }
            _ => Ok(false),
        })?;
        Ok(profile)
    }
}

fn decode_name(input: &mut Decoder<'_>) -> Result<Option<NodeName>, DecodeError> {
    match input.str(NodeName::MAX, "node name")? {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| DecodeError::Invalid("node name")),
    }
}

fn decode_claim(input: &mut Decoder<'_>) -> Result<u64, DecodeError> {
    match input.u64("claim")? {
        claim if claim < 1 << 48 => Ok(claim),
        _ => Err(DecodeError::Invalid("claim")),
    }
}
