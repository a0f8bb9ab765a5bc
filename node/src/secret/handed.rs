use crux_crdt::Principal;
use crux_protocol::genesis::{Genesis, JoinKey};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::FlockKeys;
use crate::error::{Error, Kind};

/// The keys as text, for another process of the same node, which gets it through a socket that only the two
/// have. The secret cannot be found from it, no more than from the keys.
#[derive(Serialize, Deserialize)]
struct Text {
    flock: String,
    operator: Option<String>,
    secret_hash: String,
    join: String,
    discovery: String,
}

impl FlockKeys {
    /// The keys for another process of this node.
    pub(crate) fn hand_over(&self) -> serde_json::Value {
        let Self { genesis: Genesis { flock, operator, secret_hash }, join, discovery } = self;
        serde_json::json!(Text {
            flock: flock.to_string(),
            operator: operator.map(|operator| operator.to_string()),
            secret_hash: secret_hash.to_string(),
            join: HEXLOWER.encode(join.expose()),
            discovery: HEXLOWER.encode(discovery),
        })
    }

    /// What [`FlockKeys::hand_over`] gave.
    ///
    /// # Errors
    /// [`Kind::Internal`]: it is something else.
    pub(crate) fn take_over(value: serde_json::Value) -> Result<Self, Error> {
        read(value).ok_or_else(|| {
            // Never what it is.
            Error::new(Kind::Internal, "the keys that the picket handed over are malformed")
        })
    }
}

fn read(value: serde_json::Value) -> Option<FlockKeys> {
    let text: Text = serde_json::from_value(value).ok()?;
    let operator: Option<Principal> = match text.operator {
        Some(operator) => Some(operator.parse().ok()?),
        None => None,
    };
    let secret_hash = text.secret_hash.parse().ok()?;
    let genesis = Genesis { flock: text.flock.parse().ok()?, operator, secret_hash };
    Some(FlockKeys {
        genesis,
        join: JoinKey::of_initial(bytes(&text.join)?),
        discovery: bytes(&text.discovery)?,
    })
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use crate::secret::SecretString;

    use super::*;

    #[test]
    fn the_keys_arrive_and_the_secret_does_not_travel() {
        for operator in [None, Some([7; 32])] {
            let secret = SecretString::generate("dev".parse().unwrap(), operator).unwrap();
            let line = secret.expose();
            let keys = FlockKeys::take(|| line.parse().map_err(Error::from)).unwrap();
            let handed = keys.hand_over();
            let bytes = HEXLOWER.encode(&*secret.parts().secret);
            assert!(!handed.to_string().contains(&bytes[..16]));
            let taken = FlockKeys::take_over(handed.clone()).unwrap();
            assert_eq!(taken.genesis, keys.genesis);
            assert_eq!(
                (taken.join.expose(), taken.discovery),
                (keys.join.expose(), keys.discovery)
            );
            let mut cut = handed;
            cut["join"] = "ab".into();
            assert!(FlockKeys::take_over(cut).is_err());
        }
    }
}
