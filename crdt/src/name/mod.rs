//! Names that people give: to services and revisions, to nodes, hordes and flocks.
//!
//! Two alphabets. A [`ServiceName`] is what programmers write (`ntp_2.3`); a [`Label`] follows DNS
//! label rules, because names of nodes, hordes and flocks appear in DNS. A [`NodeName`] is a label
//! short enough to be shown with a suffix when two nodes claim it.
//!
//! A value of these types always keeps its rules: the only way in is parsing.

mod error;
mod label;
mod node;
mod service;

pub use error::NameError;
pub use label::Label;
pub use node::NodeName;
pub use service::ServiceName;
