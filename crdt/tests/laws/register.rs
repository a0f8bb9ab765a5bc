use crux_crdt::Digest;
use crux_crdt::hash::sha3;
use crux_crdt::laws::check_merge;
use crux_crdt::lww::Register;
use proptest::prelude::*;

/// Markers that end in the hash of the value, as the register demands.
fn registers() -> impl Strategy<Value = Register<u8, (u8, Digest)>> {
    (0..4_u8, 0..3_u8).prop_map(|(value, n)| Register::new(value, (n, sha3("test", &[&[value]]))))
}

proptest! {
    #[test]
    fn keeps_the_laws(a in registers(), b in registers(), c in registers()) {
        check_merge(&a, &b, &c, |register| (*register.value(), *register.marker()));
    }
}
