use crux_crdt::Digest;
use crux_crdt::act::Act;
use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};
use crux_crdt::record::Header;
use crux_crdt::sign::{Ed25519, OpenError, Signable, Signed};
use proptest::prelude::*;

use crate::flock::{FLOCK, identity};
use crate::values::{acts, descriptors, headers};

fn seal<T: Signable>(signed: &Signed<T>) -> Vec<u8> {
    let mut out = Encoder::default();
    signed.seal(&mut out);
    out.finish()
}

fn open<T: Signable>(bytes: &[u8], flock: &Digest) -> Result<Signed<T>, OpenError> {
    let mut input = Decoder::new(bytes);
    let signed = Signed::open(&mut input, flock, &Ed25519)?;
    input.finish().map_err(OpenError::Envelope)?;
    Ok(signed)
}

/// A header's bytes under another domain.
#[derive(Debug)]
struct Stranger(Header);

impl Signable for Stranger {
    const DOMAIN: &'static str = "crux/stranger/1";
}

impl Canonical for Stranger {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Header::decode(input).map(Self)
    }
}

fn check<T: Signable + PartialEq + std::fmt::Debug>(signed: &Signed<T>, flips: &[(usize, u8)]) {
    let bytes = seal(signed);
    let opened = open::<T>(&bytes, &FLOCK).unwrap();
    assert_eq!((opened.id(), opened.author()), (signed.id(), signed.author()));
    assert_eq!(opened.value(), signed.value());
    assert_eq!(seal(&opened), bytes);
    assert_eq!(open::<T>(&bytes, &Digest([8; 32])).unwrap_err(), OpenError::Signature);
    for (at, bit) in flips {
        let mut flipped = bytes.clone();
        let at = at % flipped.len();
        flipped[at] ^= 1 << (bit % 8);
        assert!(open::<T>(&flipped, &FLOCK).is_err(), "a flip at byte {at} opens");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn header_opens_to_itself_or_not_at_all(
        value in headers(),
        flips in prop::collection::vec(any::<(usize, u8)>(), 8),
    ) {
        check(&Signed::sign(value, &FLOCK, identity(0)), &flips);
    }

    #[test]
    fn act_opens_to_itself_or_not_at_all(
        value in acts(),
        flips in prop::collection::vec(any::<(usize, u8)>(), 8),
    ) {
        check(&Signed::sign(value, &FLOCK, identity(1)), &flips);
    }

    #[test]
    fn descriptor_opens_to_itself_or_not_at_all(
        value in descriptors(),
        flips in prop::collection::vec(any::<(usize, u8)>(), 8),
    ) {
        check(&Signed::sign(value, &FLOCK, identity(2)), &flips);
    }

    #[test]
    fn a_record_of_one_kind_is_none_of_another(value in headers()) {
        let header = seal(&Signed::sign(value.clone(), &FLOCK, identity(0)));
        let stranger = seal(&Signed::sign(Stranger(value), &FLOCK, identity(0)));
        prop_assert_eq!(open::<Stranger>(&header, &FLOCK).unwrap_err(), OpenError::Signature);
        prop_assert_eq!(open::<Header>(&stranger, &FLOCK).unwrap_err(), OpenError::Signature);
        prop_assert_eq!(open::<Act>(&header, &FLOCK).unwrap_err(), OpenError::Signature);
    }
}

/// Every bit of one envelope, so that no position is left to chance.
#[test]
fn every_bit_counts() {
    let act = Act {
        number: 1,
        previous: Digest::default(),
        statement: crux_crdt::act::Statement::Leave { incarnation: 5 },
    };
    let signed = Signed::sign(act, &FLOCK, identity(2));
    let flips: Vec<_> =
        (0..seal(&signed).len()).flat_map(|at| (0..8).map(move |bit| (at, bit))).collect();
    check(&signed, &flips);
}

#[test]
fn another_authors_name_does_not_fit() {
    let act = Act {
        number: 1,
        previous: Digest::default(),
        statement: crux_crdt::act::Statement::Leave { incarnation: 5 },
    };
    let mut bytes = seal(&Signed::sign(act, &FLOCK, identity(2)));
    bytes[..32].copy_from_slice(&identity(3).principal().0);
    assert_eq!(open::<Act>(&bytes, &FLOCK).unwrap_err(), OpenError::Signature);
}
