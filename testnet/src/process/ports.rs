//! Ports that stay ours while a node is down.
//!
//! A node uses its own port and the next two. Each node gets a block of four: three for itself,
//! and the fourth is held open by the testnet as a reservation for as long as the block lives. Two
//! testnets on one machine therefore never pick the same block, and a node that was killed finds
//! its port free when it comes back. The range lies below the ports that nodes give to services (27200 and
//! up) and the ephemeral ports of Linux, so that nobody takes a port in between.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::Error;

/// Lowest base port tried.
const FIRST: u16 = 18_000;
/// One past the highest base port tried; where the ports of services begin.
const END: u16 = 27_200;
/// Ports a node may use.
const USABLE: u16 = 3;
/// Ports in a block: the usable ones and the reservation.
const BLOCK: u16 = USABLE + 1;

/// Three free ports in a row on 127.0.0.1, reserved against other testnets.
#[derive(Debug)]
pub struct PortBlock {
    base: u16,
    /// Held, never accepted from.
    _reservation: TcpListener,
}

impl PortBlock {
    /// Reserves a block, starting to look at a random place.
    ///
    /// # Errors
    ///
    /// [`Error::NoPorts`] when there is none.
    pub fn reserve() -> Result<Self, Error> {
        let blocks = (END - FIRST) / BLOCK;
        let start = rand::random_range(0..blocks);
        (0..blocks)
            .map(|step| FIRST + (start + step) % blocks * BLOCK)
            .find_map(Self::reserve_at)
            .ok_or(Error::NoPorts { needed: BLOCK, first: FIRST, last: END })
    }

    /// Reserves the block that starts at `base`, if it is free.
    #[must_use]
    pub fn reserve_at(base: u16) -> Option<Self> {
        let last = base.checked_add(USABLE)?;
        let reservation = TcpListener::bind((Ipv4Addr::LOCALHOST, last)).ok()?;
        (base..last).all(is_free).then_some(Self { base, _reservation: reservation })
    }

    /// The first port of the block.
    #[must_use]
    pub fn base(&self) -> u16 {
        self.base
    }

    /// The port that is reserved: free on every other address of this machine.
    #[must_use]
    pub fn reserved(&self) -> u16 {
        self.base + USABLE
    }

    /// The `offset`-th address of the block, counted from 0.
    #[must_use]
    pub fn addr(&self, offset: u16) -> SocketAddr {
        debug_assert!(offset < USABLE, "a block has {USABLE} usable ports");
        (Ipv4Addr::LOCALHOST, self.base + offset).into()
    }
}

/// Whether nobody holds the port, neither over TCP nor over UDP.
fn is_free(port: u16) -> bool {
    let addr = (Ipv4Addr::LOCALHOST, port);
    TcpListener::bind(addr).is_ok() && UdpSocket::bind(addr).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_block_is_not_given_twice() {
        let block = PortBlock::reserve().expect("a free block");
        assert!(PortBlock::reserve_at(block.base()).is_none());
    }

    #[test]
    fn a_dropped_block_can_be_had_again() {
        let block = PortBlock::reserve().expect("a free block");
        let base = block.base();
        drop(block);
        assert!(PortBlock::reserve_at(base).is_some());
    }

    #[test]
    fn a_block_with_a_taken_port_is_refused() {
        let block = PortBlock::reserve().expect("a free block");
        let base = block.base();
        let _taken = TcpListener::bind(block.addr(2)).expect("usable ports are free");
        drop(block);
        assert!(PortBlock::reserve_at(base).is_none());
    }
}
