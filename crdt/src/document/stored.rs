//! The bytes that a disk has under a key: the envelopes of a shelf, by author, each winner before its rival.
//!
//! They are the node's own, so [`keep`] and [`without`] check no signature. [`restore`] checks all of them.

use std::sync::Arc;

use super::shown::pick;
use super::{Body, DOCUMENTS_MAX, Document, DocumentError, Marker};
use crate::Principal;
use crate::canon::{Canonical as _, DecodeError, Decoder, Encoder};
use crate::sign::{OpenError, Terms};

/// How many documents there may be under a key: two of the operator, and of each user that may have one.
const SHELF_MAX: usize = 2 * (DOCUMENTS_MAX + 1);

/// One of the envelopes.
#[derive(Clone, Copy)]
struct Stored<'a> {
    author: Principal,
    marker: Marker,
    sealed: &'a [u8],
}

/// The bytes to store in place of these once a document with the same key is merged. None: the same.
///
/// # Errors
/// The stored bytes are damaged.
pub fn keep(stored: Option<&[u8]>, document: &Document) -> Result<Option<Vec<u8>>, DecodeError> {
    let (author, marker) = (document.signer(), document.marker());
    let all = stored.map(decode).transpose()?.unwrap_or_default();
    if all.iter().any(|it| it.marker == marker) {
        return Ok(None);
    }
    let (mut own, mut kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.author == author);
    let sealed = document.sealed();
    own.push(Stored { author, marker, sealed: &sealed });
    let markers: Vec<_> = own.iter().map(|it| it.marker).collect();
    let places = pick(&markers).into_iter().flat_map(|(winner, rival)| [Some(winner), rival]);
    kept.extend(places.flatten().filter_map(|at| own.get(at)));
    let is_kept = kept.iter().any(|it| it.marker == marker);
    Ok(is_kept.then(|| encode(kept)))
}

/// The bytes to store in place of these once the documents of an author are gone. None: nothing is left.
///
/// # Errors
/// The stored bytes are damaged.
pub fn without(stored: &[u8], author: &Principal) -> Result<Option<Vec<u8>>, DecodeError> {
    let mut kept = decode(stored)?;
    kept.retain(|it| it.author != *author);
    Ok((!kept.is_empty()).then(|| encode(kept)))
}

/// Verifies and decodes all documents that are stored under a key.
///
/// # Errors
/// [`DocumentError`]: the stored bytes are damaged, or another flock's.
pub fn restore(stored: &[u8], terms: &Terms<'_>) -> Result<Vec<Arc<Document>>, DocumentError> {
    let envelope = |error| DocumentError::Open(OpenError::Envelope(error));
    let mut input = Decoder::new(stored);
    let count = input.count(SHELF_MAX, "documents").map_err(envelope)?;
    let documents = (0..count).map(|_| Document::open(&mut input, terms).map(Arc::new));
    let documents = documents.collect::<Result<_, _>>()?;
    input.finish().map_err(envelope)?;
    Ok(documents)
}

fn encode(mut kept: Vec<Stored<'_>>) -> Vec<u8> {
    // A winner stays before its rival.
    kept.sort_by_key(|it| it.author);
    let mut out = Encoder::default();
    out.count(kept.len());
    kept.iter().for_each(|it| _ = out.fixed(it.sealed));
    out.finish()
}

fn decode(stored: &[u8]) -> Result<Vec<Stored<'_>>, DecodeError> {
    let mut input = Decoder::new(stored);
    let count = input.count(SHELF_MAX, "documents")?;
    let all = (0..count).map(|_| decode_one(&mut input)).collect::<Result<_, _>>()?;
    input.finish()?;
    Ok(all)
}

fn decode_one<'a>(input: &mut Decoder<'a>) -> Result<Stored<'a>, DecodeError> {
    let mut ahead = input.clone();
    let (author, id, body) = super::signed::split(&mut ahead)?;
    let marker = Body::from_canonical(body)?.marker(id);
    let sealed = input.take(input.remaining() - ahead.remaining(), "document")?;
    Ok(Stored { author, marker, sealed })
}
