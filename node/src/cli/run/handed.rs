//! The picket hands this to each fulcrum besides the words of the command line: settings that were read once.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Given;
use crate::error::{Error, Kind};
use crate::secret::FlockKeys;

#[derive(Serialize, Deserialize)]
struct Written {
    file: Option<String>,
    keys: Value,
    rejoin: bool,
}

/// The settings that were read, and whether a node that left comes back, as one value.
pub(super) fn write(file: Option<String>, keys: &FlockKeys, rejoin: bool) -> Value {
    serde_json::json!(Written { file, keys: keys.hand_over(), rejoin })
}

/// Reads the value that [`write`] made.
///
/// # Errors
/// [`Kind::Internal`]: it is something else.
pub(in crate::cli) fn read(value: Value) -> Result<(Given, bool), Error> {
    // Never what it is: it holds keys.
    let wrong =
        |_| Error::new(Kind::Internal, "the settings that the picket handed over are malformed");
    let Written { file, keys, rejoin } = serde_json::from_value(value).map_err(wrong)?;
    Ok((Given { file, keys: FlockKeys::take_over(keys)? }, rejoin))
}
