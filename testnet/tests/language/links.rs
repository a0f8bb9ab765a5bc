//! Links between pages.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{pages, read, root};

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        for target in targets(&read(&page)) {
            let (file, anchor) = target.split_once('#').unwrap_or((target.as_str(), ""));
            let file = if file.is_empty() { page.clone() } else { beside(&page, file) };
            let there = root().join(&file).exists();
            let found = anchor.is_empty() || there && anchors(&read(&file)).contains(anchor);
            if !there || !found {
                broken.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn each_page_is_in_an_index() {
    let linked = |index: &str| -> BTreeSet<String> {
        let text = read(index);
        targets(&text).iter().map(|target| beside(index, target)).collect()
    };
    let linked: BTreeSet<String> =
        ["docs/README.md", "docs/decisions/README.md", "docs/results/README.md"]
            .into_iter()
            .flat_map(linked)
            .collect();
    let pages = pages().into_iter().filter(|page| page.starts_with("docs/"));
    let lost: Vec<String> =
        pages.filter(|page| page != "docs/README.md" && !linked.contains(page)).collect();
    assert!(lost.is_empty(), "no index has {lost:?}");
}

/// The targets of links within the repository.
fn targets(page: &str) -> Vec<String> {
    let parts = page.split("](").skip(1).filter_map(|part| part.split_once(')'));
    let targets = parts.map(|(target, _)| target.to_owned());
    targets.filter(|target| !target.contains("://")).collect()
}

/// A path as a page names it, from the top of the repository.
fn beside(page: &str, target: &str) -> String {
    let target = target.split('#').next().unwrap_or(target);
    let mut path = PathBuf::from(page);
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => _ = path.pop(),
            part => path.push(part),
        }
    }
    path.to_str().unwrap().to_owned()
}

/// The names of a page's headings, as forges make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let name = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(name).collect()
}
