use std::fs;
use std::path::Path;

use super::Engine;
use crate::Error;

/// The recipe, as it is in the sources.
const DOCKERFILE: &str = include_str!("../../../Dockerfile.static");

/// Builds an image from a static binary with `Dockerfile.static`.
///
/// # Errors
/// [`Error::Io`] when the binary cannot be copied, [`Error::Tool`] with what the engine said.
pub async fn build(engine: &Engine, binary: &Path, tag: &str) -> Result<(), Error> {
    let context = tempfile::tempdir().map_err(Error::io("make a directory for the image"))?;
    let root = context.path();
    for empty in ["data", "secret"] {
        fs::create_dir(root.join(empty)).map_err(Error::io(format!("make {empty}")))?;
    }
    fs::copy(binary, root.join("crux-node"))
        .map_err(Error::io(format!("copy {}", binary.display())))?;
    let recipe = tempfile::NamedTempFile::new().map_err(Error::io("make a Dockerfile"))?;
    fs::write(recipe.path(), DOCKERFILE).map_err(Error::io("write the Dockerfile"))?;
    let recipe = recipe.path().display().to_string();
    let root = root.display().to_string();
    engine.docker(["build", "--quiet", "--tag", tag, "--file", &recipe, &root]).await?;
    Ok(())
}
