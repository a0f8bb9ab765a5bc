//! The control API as generated code: messages, client and server.
//!
//! Generated at build time from `proto/`; see the comments in the `.proto` files for units, limits
//! and what *unset* means.

/// Version 1 of the control API.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    tonic::include_proto!("crux.v1");
}

/// The encoded `FileDescriptorSet` of everything in this crate, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("crux_descriptor");
