//! The rules of the files of a target, without a node.

use std::collections::BTreeMap;

use crux_crdt::document::TargetError;
use crux_crdt::name::{Label, ServiceName};
use crux_khan::Checked;
use crux_khan::syntax::Span;

use super::{Document, Mistake, Mistakes, Site, Source};
use crate::services::{self, Owner};

/// The site that files are, if there is no error, and everything that is wrong or odd in them.
pub(super) fn check(
    program: &Source,
    documents: Vec<Source>,
    horde: &Label,
) -> (Option<Site>, Mistakes) {
    let mut wrong = Mistakes::default();
    let text = String::from_utf8_lossy(&program.bytes).into_owned();
    let compiled = crux_khan::compile(&program.bytes);
    for found in &compiled.diagnostics {
        wrong.push(Mistake::of_program(&program.name, &text, found));
    }
    let count = documents.len();
    let read = documents.into_iter().filter_map(|source| read(source, horde, &mut wrong));
    let read: Vec<_> = read.collect();
    // The name in a document that cannot be read is not known, so that services would be reported that are not missing.
    let is_whole = read.len() == count;
    let mut named = by_name(read, &mut wrong);
    let picked = compiled.checked.map(|checked| {
        let program = (program.name.as_str(), text.as_str());
        pick(&checked, program, &mut named, is_whole, &mut wrong)
    });
    // In the order of the files: of the program first.
    let documents = picked.filter(|_| !wrong.has_error());
    let site = documents.map(|documents| Site { program: with_line_feeds(&text), documents });
    (site, wrong)
}

/// A document, if it can be read and keeps the rules of targets.
fn read(source: Source, horde: &Label, wrong: &mut Mistakes) -> Option<Document> {
    let Source { name: file, bytes } = source;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let draft = match services::read(&bytes, Owner::Target) {
        Ok(draft) => draft,
        Err(error) => {
            for found in &error.mistakes {
                wrong.push(Mistake::of_document(&file, &text, found));
            }
            return None;
        }
    };
    let document = Document { file, text, draft };
    let draft = &document.draft;
    let name = draft.name.clone();
    if draft.count != 1 {
        let error = TargetError::Count(name.clone()).to_string();
        let mistake = document.mistake("count", "config", error);
        wrong.push(mistake.with_help("leave the key out"));
    }
    if draft.horde != *horde && draft.horde != Label::main_horde() {
        let (service, found, horde) = (name, draft.horde.clone(), horde.clone());
        let error = TargetError::Horde { service, found, horde }.to_string();
        let mistake = document.mistake("horde", "config", error);
        wrong.push(mistake.with_help("leave the key out"));
    }
    Some(document)
}

/// The documents by the names of their services, of which each is there once.
fn by_name(read: Vec<Document>, wrong: &mut Mistakes) -> BTreeMap<ServiceName, Document> {
    let mut named: BTreeMap<ServiceName, Document> = BTreeMap::new();
    for document in read {
        let name = document.draft.name.clone();
        match named.get(&name) {
            Some(first) => {
                let message = format!("`{name}` has another document, {}", first.file);
                wrong.push(document.mistake("name", "service_twice", message));
            }
            None => _ = named.insert(name, document),
        }
    }
    named
}

/// The documents of the services that a program picks, by name. Warns of the others.
fn pick(
    checked: &Checked,
    program: (&str, &str),
    named: &mut BTreeMap<ServiceName, Document>,
    is_whole: bool,
    wrong: &mut Mistakes,
) -> Vec<Document> {
    let mut picked = BTreeMap::new();
    for pick in checked.picks() {
        let name = &pick.service;
        match named.remove(name) {
            Some(document) => _ = picked.insert(name.clone(), document),
            None if is_whole => wrong.push(no_document(program, pick.span, name)),
            None => {}
        }
    }
    for (name, document) in named {
        let message = format!("the program does not pick `{name}`, so the target is without it");
        wrong.push(document.mistake("name", "not_picked", message).into_warning());
    }
    picked.into_values().collect()
}

fn no_document((file, text): (&str, &str), span: Span, name: &ServiceName) -> Mistake {
    let before = &text[..text.floor_char_boundary(span.start)];
    let begins = before.rfind('\n').map_or(0, |at| at + 1);
    let place = (before.matches('\n').count() + 1, before[begins..].chars().count() + 1);
    let message = format!("`{name}` has no document");
    Mistake::at((file, text), place, "no_document", message)
        .with_help(format!("add a .toml file that begins with `name = \"{name}\"`"))
}

/// The program with one kind of line end, since what is signed has no character that nobody sees.
fn with_line_feeds(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', " ")
}
