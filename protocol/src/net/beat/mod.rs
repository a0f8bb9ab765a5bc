//! Beats, `/crux/beat/1`: one way, on streams that stay open.
//!
//! ```text
//!   observer                                    subject
//!   Observe{subject} ── opens one stream ─────▶ remembers it, if it is the only one
//!   Event::Beat ◀────── 16 bytes ────────────── Command::Beat
//! ```
//!
//! A beat is worth something only now. It is written to the streams that can take it; one that
//! still holds the beat before misses this one. The observer sends nothing on the stream, ever,
//! and a subject that reads anything from it closes it. Nothing here ticks: the only timer is that
//! of the back-off before a broken stream is opened again.
//!
//! Invariants. At most one frame waits per stream. A connection has at most one stream in each
//! direction. An observer has at most one per subject, whatever the number of connections.

mod behaviour;
mod codec;
mod handler;
mod stream;

pub(super) use behaviour::{Behaviour, Event};
pub(super) use codec::Frame;
