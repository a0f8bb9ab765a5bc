//! Compiles the .proto files in pure Rust, so that nobody needs `protoc`.

use std::path::PathBuf;

use prost::Message as _;

const FILES: [&str; 5] = [
    "crux/v1/control.proto",
    "crux/v1/blobs.proto",
    "crux/v1/documents.proto",
    "crux/v1/proctor.proto",
    "crux/v1/services.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("crux_descriptor.bin"), files.encode_to_vec())?;
    // The bytes of a chunk are handed on without a copy.
    tonic_prost_build::configure()
        .bytes(".crux.v1.PutRequest")
        .bytes(".crux.v1.GetResponse")
        .server_mod_attribute("crux.v1", "#[cfg(feature = \"server\")]")
        .compile_fds(files)?;
    Ok(())
}
