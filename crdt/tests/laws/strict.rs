//! Signatures that a laxer verification takes and that must not count. Made by hand from the formulas of
//! RFC 8032, for the key with the seed 01…01.

use crux_crdt::Principal;
use crux_crdt::sign::{Ed25519, Identity, Verifier};
use data_encoding::HEXLOWER;

const MESSAGE: &[u8] = b"crux";
const GOOD: &str = "567861005145dffd137e22d86e8e640143589c9aac2d5dcf3e521dba37a82dd6\
                    9492a4ac0b1bf1ef48b9a5b8b5434948b534e2213e86490db789da29665d6d07";
/// The same with the order of the group added to the second half.
const MALLEABLE: &str = "567861005145dffd137e22d86e8e640143589c9aac2d5dcf3e521dba37a82dd6\
                         81669a09267e03481f569d5b943d285db534e2213e86490db789da29665d6d17";
/// The first half is the neutral element: whoever has the key signs so without a secret nonce.
const SMALL_POINT: &str = "0100000000000000000000000000000000000000000000000000000000000000\
                           7a72b2f9da1b69a829c0bc64c42ad9238d138d66211c00427dc1d9cf5dab9209";

fn holds(author: &Principal, message: &[u8], signature: &str) -> bool {
    let signature = HEXLOWER.decode(signature.as_bytes()).unwrap();
    Ed25519.verify(author, message, &signature.try_into().unwrap())
}

#[test]
fn one_signature_counts_and_its_variants_do_not() {
    let author = Identity::from_seed(&[1; 32]).principal();
    assert!(holds(&author, MESSAGE, GOOD));
    assert!(!holds(&author, b"crux!", GOOD));
    assert!(!holds(&author, MESSAGE, MALLEABLE));
    assert!(!holds(&author, MESSAGE, SMALL_POINT));
}

#[test]
fn a_weak_key_signs_nothing() {
    // Under these keys the same bytes are a signature of every message.
    let neutral = "0100000000000000000000000000000000000000000000000000000000000000\
                   0000000000000000000000000000000000000000000000000000000000000000";
    let mut one = [0; 32];
    one[0] = 1;
    // The neutral element, and the point of order two.
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    for key in [one, minus_one, [0; 32]] {
        for message in 0..16_u8 {
            assert!(!holds(&Principal(key), &[message], neutral), "{key:02x?}");
        }
    }
}
