//! The targets that people signed, and what of them a plan may be judged by.

use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::blob::BlobId;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Documents, Marker, Target};
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::service::{
    Config, Fields, Image, Moving, OnMinority, Port, ReplaceAfter, Rollout, SpecTag, Step,
};
use crux_crdt::{Principal, service};

use super::Content;
use crate::scenario::{Shape, Site};

/// The share of nodes that get a new version at a time: less than one of the few that there are.
const STEP: Step = Step::Percent(20);

/// A version of a service that somebody signed.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) name: ServiceName,
    pub(crate) spec: SpecTag,
    pub(crate) image: BlobId,
    pub(crate) step: Step,
    pub(crate) moving: Moving,
}

impl Service {
    fn of(config: &Config) -> Self {
        let Image::Blob(image) = config.image else { unreachable!("one image for all machines") };
        Self {
            name: config.name.clone(),
            spec: config.spec_tag(),
            image,
            step: config.rollout.step,
            moving: config.moving,
        }
    }

    /// Whether it gets ready.
    pub(crate) fn is_good(&self) -> bool {
        Content::of(self.image) == Content::Good
    }
}

/// Everything that was signed.
#[derive(Debug, Default)]
pub(crate) struct Signed {
    /// The contents of targets, by their blobs.
    contents: BTreeMap<BlobId, Vec<u8>>,
    services: BTreeMap<SpecTag, Service>,
    sites: BTreeMap<Marker, (Site, BTreeMap<ServiceName, Service>)>,
}

impl Signed {
    /// The content of the target that somebody signs who sees these documents.
    pub(crate) fn target(&mut self, site: Site, shown: &Documents, by: Principal) -> Target {
        let horde = Label::main_horde();
        let shelf = shown.get(&Target::key(&horde));
        let before = shelf.and_then(|shelf| {
            let winner = shelf.winner();
            let target = Target::of(winner).ok().flatten()?;
            Some(target.history(winner.generation(), winner.signer()))
        });
        let services = services(site);
        for service in services.iter().map(Service::of) {
            self.services.insert(service.spec, service);
        }
        let note = format!("{site}");
        let (program, earlier) = (program(site.shape).to_owned(), before.unwrap_or_default());
        let target = Target::new(&horde, program, services, note, earlier);
        let target = target.unwrap_or_else(|why| unreachable!("{site} by {by}: {why}"));
        self.contents.insert(target.blob(), target.to_canonical());
        target
    }

    /// It was signed as this document.
    pub(crate) fn note(&mut self, marker: Marker, site: Site, target: &Target) {
        let services = target.services().iter();
        let services = services.map(|(name, config)| (name.clone(), Service::of(config)));
        self.sites.insert(marker, (site, services.collect()));
    }

    /// The bytes of an earlier generation.
    pub(crate) fn content(&self, blob: &BlobId) -> Option<&Vec<u8>> {
        self.contents.get(blob)
    }

    /// A version, if somebody signed it.
    pub(crate) fn service(&self, spec: SpecTag) -> Option<&Service> {
        self.services.get(&spec)
    }

    /// Whether anything was signed.
    pub(crate) fn is_any(&self) -> bool {
        !self.sites.is_empty()
    }

    /// A target, and its services.
    pub(crate) fn site(&self, marker: Marker) -> Option<&(Site, BTreeMap<ServiceName, Service>)> {
        self.sites.get(&marker)
    }
}

const fn program(shape: Shape) -> &'static str {
    match shape {
        Shape::Plain => "pick(web, 3, ALL)\npick(db, 2, ALL)\n",
        Shape::Few => "pick(web, 1, ALL)\npick(db, 2, ALL)\n",
        Shape::After => "pick(web, 3, ALL)\npick(db, 2, ALL)\nstart web after 2 of db\n",
        Shape::Waits => "pick(web, 1, ALL)\npick(db, 2, ALL)\nstart web after 3 of db\n",
        Shape::Chain => {
            "web := pick(web, SIZE(ALL) / 2, ALL)\npick(cache, SIZE(web), web)\npick(log, 1, !web)\n"
        }
        Shape::Stuck => "pick(web, 2, (\"n0\") & (\"n1\"))\n",
        Shape::Pair => "pick(web, 2, (\"n0\", \"n1\", \"n2\"), max = 1)\n",
    }
}

/// The services of a shape, and how many instances of each it wants, where so many nodes may run some.
pub(crate) fn wanted(shape: Shape, nodes: u32) -> BTreeMap<&'static str, u32> {
    let half = nodes.div_ceil(2);
    match shape {
        Shape::Plain | Shape::After => BTreeMap::from([("web", 3), ("db", 2)]),
        Shape::Few | Shape::Waits => BTreeMap::from([("web", 1), ("db", 2)]),
        Shape::Chain => BTreeMap::from([("web", half), ("cache", half), ("log", 1)]),
        Shape::Pair | Shape::Stuck => BTreeMap::from([("web", 2)]),
    }
}

fn services(site: Site) -> Vec<Config> {
    let bad = if site.version.is_multiple_of(2) { Content::Crashes } else { Content::NeverUp };
    let of_web = if site.is_bad { bad } else { Content::Good };
    let names = wanted(site.shape, 1);
    let config = |name: &&str| {
        let is_web = *name == "web";
        let (content, version) = if is_web { (of_web, site.version) } else { (Content::Good, 0) };
        config(name, content.image(version), version, site.replaces)
    };
    names.keys().map(config).collect()
}

fn config(name: &str, image: BlobId, version: u8, replaces: bool) -> Config {
    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }
    let name: ServiceName = name.parse().expect("small letters make a name");
    let mut fields = Fields::new(name, service::Image::Blob(image));
    fields.rev = format!("v{version}").parse().expect("a letter and digits make a name");
    fields.start_timeout = secs(5);
    fields.quit_timeout = secs(2);
    fields.drain = Duration::from_millis(200);
    fields.backoff_max = secs(2);
    fields.rollout = Rollout { step: STEP, deadline: secs(15) };
    let on_minority = if replaces { OnMinority::Replace } else { OnMinority::Hold };
    fields.moving = Moving { replace_after: ReplaceAfter::Time(secs(6)), on_minority };
    let port = "http".parse().expect("small letters make a name");
    fields.ports.push(port, Port::Auto).expect("the first one");
    fields.try_into().expect("a valid config")
}
