//! Host names.

use std::net::SocketAddr;

use tokio::net::lookup_host;
use tokio::time::timeout;

use super::super::limits::{DIAL_ADDRS_MAX, HANDSHAKE_TIMEOUT};

/// Returns every address that the given ones mean now, in their order, each once.
///
/// What does not resolve is left out. Addresses that need no look-up cost none.
pub(in super::super) async fn resolve(addrs: &[String]) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = Vec::new();
    for addr in addrs {
        let resolved = match addr.parse() {
            Ok(addr) => vec![addr],
            Err(_) => look_up(addr).await,
        };
        for addr in resolved {
            if !found.contains(&addr) && found.len() < DIAL_ADDRS_MAX {
                found.push(addr);
            }
        }
    }
    found
}

async fn look_up(addr: &str) -> Vec<SocketAddr> {
    match timeout(HANDSHAKE_TIMEOUT, lookup_host(addr)).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => {
            tracing::debug!(addr, %error, "name not resolved");
            Vec::new()
        }
        Err(_) => {
            tracing::debug!(addr, "name not resolved in time");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_mean_all_their_addresses_and_literals_need_no_look_up() {
        let given = ["localhost:70", "127.0.0.1:71", "127.0.0.1:71", "[::1]:72", "no port"];
        let found = resolve(&given.map(String::from)).await;
        assert!(found.iter().any(|addr| addr.port() == 70), "{found:?}");
        let literal = found.iter().filter(|addr| addr.port() == 71).count();
        assert_eq!(literal, 1);
        assert_eq!(found.last(), Some(&"[::1]:72".parse().expect("an address")));
    }
}
