use super::SLOT_BYTES_MAX;
use crate::Digest;
use crate::canon::{DecodeError, Decoder, Encoder};
use crate::hash::sha3;

/// Makes of a table of slot kinds, one row each:
///
/// * the enum [`Slot`](super::Slot) with its codec, and the enum [`SlotKey`](super::SlotKey);
/// * [`SlotKind`](super::SlotKind) for each value;
/// * the list [`ROWS`](super::ROWS), and the check that the bounds of all kinds fit
///   [`SLOTS_MAX`](super::SLOTS_MAX).
macro_rules! slot_kinds {
    ($(
        $(#[$doc:meta])+
        $number:literal => $kind:ident keyed $key:ty;
        $name:literal, at most $most:literal, owner $owner:ident, shown $shown:ident.
    )+) => {
        /// One content-addressed statement of a node, covered by its header.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Slot {
            $($(#[$doc])+ $kind($kind),)+
            /// Of a kind that this version does not know.
            Later(Later),
        }

        /// Tells the slots of one author apart.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub enum SlotKey {
            $($(#[$doc])+ $kind($key),)+
        }

        /// Every kind of slot, by number.
        pub const ROWS: &[&Row] = &[$(<$kind as SlotKind>::ROW),+];

        $(impl SlotKind for $kind {
            const ROW: &'static Row = &Row {
                number: $number,
                name: $name,
                most: $most,
                owner: Owner::$owner,
                shown: Shown::$shown,
            };

            fn of(slot: &Slot) -> Option<&Self> {
                if let Slot::$kind(value) = slot { Some(value) } else { None }
            }

            fn into_slot(self) -> Slot {
                Slot::$kind(self)
            }

            fn slot_key(key: Self::Key) -> SlotKey {
                SlotKey::$kind(key)
            }
        })+

        impl Slot {
            /// The row of its kind; `None` if this version does not know it.
            pub const fn row(&self) -> Option<&'static Row> {
                match self {
                    $(Self::$kind(_) => Some(<$kind as SlotKind>::ROW),)+
                    Self::Later(_) => None,
                }
            }

            /// Tells it from the other slots of its author. `None` if this version does not know its kind:
            /// then only its id does.
            pub fn key(&self) -> Option<SlotKey> {
                match self {
                    $(Self::$kind(value) => Some(SlotKey::$kind(value.key())),)+
                    Self::Later(_) => None,
                }
            }

            /// What it takes in memory beside its encoding and what any slot takes, in bytes.
            pub(super) fn overhead(&self) -> usize {
                match self {
                    $(Self::$kind(value) => value.overhead(),)+
                    Self::Later(_) => 0,
                }
            }
        }

        impl Canonical for Slot {
            fn encode(&self, out: &mut Encoder) {
                match self {
                    $(Self::$kind(value) => {
                        out.u8($number);
                        value.encode(out);
                    })+
                    Self::Later(later) => later.encode(out),
                }
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                match input.u8("slot kind")? {
                    $($number => <$kind>::decode(input).map(Self::$kind),)+
                    kind => Later::decode(kind, input).map(Self::Later),
                }
            }
        }

        /// How many slots there may be of all kinds.
        const MOST: usize = 0 $(+ $most)+;
        const _: () = assert!(MOST <= super::SLOTS_MAX, "the kinds fit a record");
    };
}
pub(super) use slot_kinds;

/// A slot of a kind that came after this version. It is kept and passed on as it is, so that the rest of
/// its record is shown; it means nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    kind: u8,
    body: Vec<u8>,
}

impl Later {
    /// What kind it is, by number.
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.u8(self.kind).fixed(&self.body);
    }

    /// Reads what follows the number of a kind that has no row.
    pub(super) fn decode(kind: u8, input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if kind == 0 {
            return Err(DecodeError::Invalid("slot kind"));
        }
        // A slot stands alone wherever it is kept or sent, so what is left is all of it.
        let body = input.take(input.remaining(), "slot")?.to_vec();
        if body.len() < SLOT_BYTES_MAX {
            Ok(Self { kind, body })
        } else {
            Err(DecodeError::Invalid("slot"))
        }
    }
}

/// The id of the slot with this encoding: a header covers the slot under it.
pub(super) fn id_of(bytes: &[u8]) -> Digest {
    sha3("crux/slot/2", &[bytes])
}

/// The root over slot ids in ascending order. The ids MUST be sorted and unique.
pub fn slots_root<'a>(ids: impl ExactSizeIterator<Item = &'a Digest>) -> Digest {
    let mut out = Encoder::default();
    out.count(ids.len());
    for id in ids {
        out.digest(id);
    }
    sha3("crux/slots/1", &[&out.finish()])
}
