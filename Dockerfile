# Builds crux-node from these sources, for who has a registry to take the Rust image from. Who has a
# static binary already uses Dockerfile.static, which takes nothing from anywhere.

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# Static, so that it runs in an empty root. That needs a target of its own, or build scripts and macros
# would be static too.
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
    && RUSTFLAGS="-C target-feature=+crt-static" \
       cargo build --release --locked -p crux-node --target "$target" \
    && mkdir -p /rootfs/data /rootfs/secret \
    && cp "target/$target/release/crux-node" /rootfs/crux-node

FROM scratch
# Volumes made for these directories take their owner over.
COPY --from=build --chown=65532:65532 /rootfs/ /
USER 65532:65532
ENV CRUX_DATA_DIR=/data
ENTRYPOINT ["/crux-node"]
