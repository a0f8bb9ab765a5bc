/// Colours that are told apart; of nodes, by number.
const HOSTS: [&str; 10] = [
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22",
    "#17becf", "#444444",
];

/// How many colours digests have.
pub(super) const DIGESTS: usize = 18;

/// The colour of a node.
pub(super) fn of_host(host: usize) -> &'static str {
    HOSTS[host % HOSTS.len()]
}

/// The colour of a digest, by number: around the circle.
pub(super) fn of_digest(number: usize) -> String {
    format!(
        "hsl({},62%,{}%)",
        number * 360 / DIGESTS,
        if number.is_multiple_of(2) { 45 } else { 65 }
    )
}

/// Which colour a digest has.
pub(super) fn digest_number(digest: &str) -> usize {
    let sum = digest
        .bytes()
        .fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    sum % DIGESTS
}
