use super::*;

const ID: DialId = DialId(7);

fn addr(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn connection(n: usize) -> ConnectionId {
    ConnectionId::new_unchecked(n)
}

/// Dials with one dial of so many addresses, the first of which is under way.
fn dials(addrs: u16, now: Instant) -> Dials {
    let mut dials = Dials::default();
    assert!(dials.start(ID, None));
    dials.resolved(ID, (1..=addrs).map(addr).collect());
    try_next(&mut dials, 1, now);
    dials
}

fn try_next(dials: &mut Dials, n: u16, now: Instant) {
    let step = Step::Try { addr: addr(n), expect: None };
    assert_eq!(dials.next(ID), step);
    dials.attempted(ID, connection(n.into()), now);
}

#[test]
fn the_most_telling_failure_is_told_once() {
    let mut dials = dials(3, Instant::now());
    assert_eq!(dials.failed(connection(1), DialFailure::Refused), Some(ID));
    try_next(&mut dials, 2, Instant::now());
    let failed = dials.failed(connection(2), DialFailure::OtherFlock);
    assert_eq!(failed, Some(ID));
    try_next(&mut dials, 3, Instant::now());
    assert_eq!(dials.next(ID), Step::Wait);
    let failed = dials.failed(connection(3), DialFailure::Unreachable);
    assert_eq!(failed, Some(ID));
    assert_eq!(dials.next(ID), Step::Fail(DialFailure::OtherFlock));
    assert_eq!(dials.next(ID), Step::Wait);
    assert_eq!(dials.failed(connection(3), DialFailure::Refused), None);
    assert_eq!(dials.next_due(), None);
}

#[test]
fn the_first_connection_answers_and_the_others_are_abandoned() {
    let now = Instant::now();
    let mut dials = dials(3, now);
    assert_eq!(dials.pop_due(now), None);
    assert_eq!(dials.next_due(), Some(now + DIAL_STAGGER));
    assert_eq!(dials.pop_due(now + DIAL_STAGGER), Some(ID));
    try_next(&mut dials, 2, now + DIAL_STAGGER);
    let established = dials.established(connection(2));
    assert_eq!(established, Some((ID, vec![connection(1)])));
    assert_eq!(dials.failed(connection(1), DialFailure::Refused), None);
    assert_eq!(dials.established(connection(1)), None);
    assert_eq!(dials.next_due(), None);
    assert_eq!(dials.next(ID), Step::Wait);
}

#[test]
fn a_dial_without_addresses_fails() {
    let mut dials = Dials::default();
    assert!(dials.start(ID, None));
    dials.resolved(ID, vec![]);
    assert_eq!(dials.next(ID), Step::Fail(DialFailure::Unreachable));
}

#[test]
fn dials_are_bounded() {
    let mut dials = Dials::default();
    for n in 0..DIALS_MAX {
        assert!(dials.start(DialId(n as u64), None));
    }
    assert!(!dials.start(DialId(DIALS_MAX as u64), None));
}
