//! From a name to one instance.
//!
//! A caller asks for `ntp` and means any service that offers it. The steps, first match wins:
//!
//! 1. A name with a `/` or a `*` is a query; every service that it matches is a candidate.
//! 2. The **instance** of exactly that name.
//! 3. **Services** of exactly that name.
//! 4. Services for which it is the **generic** name: `ntp` stands for `ntp3`, `ntp_2.3` and
//!    `ntp-edge`, but not for `ntpd`: after the generic name comes a digit or a separator. A digit
//!    counts only if the generic name ends in none, so `ntp2` stands for `ntp2.3` and not for
//!    `ntp23`.
//!
//! Only live services that are not *down* are candidates. Of these the ones with the best status stay (*up*, then
//! *degraded*, then *unknown*), and the number that the caller hands in picks one, so that callers spread and tests
//! repeat.

use crux_client::model::{NodeRef, Service, ServiceStatus};
use crux_client::parse;
use crux_crdt::name::Label;
use crux_crdt::path::Query;

use super::View;
use crate::error::{Error, Kind};

impl View {
    /// Picks one live instance that is not down for a name; see the module's text for the steps.
    ///
    /// `random` breaks ties: any number, a different one for each call.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when nothing of that kind matches, [`Kind::InvalidPath`] when a query is malformed.
    pub fn resolve(&self, name: &str, random: u64) -> Result<&Service, Error> {
        self.choose(name, None, random)
    }

    /// The same, of the instances on one node.
    ///
    /// # Errors
    /// Those of [`View::resolve`]; [`Kind::NotFound`] and [`Kind::InvalidArgument`] of [`NodeRef::pick`].
    pub fn resolve_on(&self, name: &str, on: &NodeRef, random: u64) -> Result<&Service, Error> {
        let members: Vec<_> =
            self.members.iter().map(|it| (it.node.clone(), it.principal)).collect();
        let (node, _) = on.pick(&members).map_err(|err| err.augment(format!("the node {on}")))?;
        self.choose(name, Some(node), random).map_err(|err| err.augment(format!("on {node}")))
    }

    /// One of the best, on a node if one is given.
    fn choose(&self, name: &str, on: Option<&Label>, random: u64) -> Result<&Service, Error> {
        let candidates = self.candidates(name, on)?;
        let best = candidates.iter().map(|service| service.status).min();
        let best: Vec<_> = candidates.into_iter().filter(|s| Some(s.status) == best).collect();
        let at = random.checked_rem(best.len() as u64).ok_or_else(|| self.not_found(name, on))?;
        Ok(best[usize::try_from(at).expect("less than a length")])
    }

    /// The services of the first step that finds any, ordered by path.
    fn candidates(&self, name: &str, on: Option<&Label>) -> Result<Vec<&Service>, Error> {
        let is_usable = |service: &&Service| service.status != ServiceStatus::Down;
        if name.contains(['/', '*']) {
            let query = parse::query(name)?;
            return Ok(self.live(&query, on).filter(is_usable).collect());
        }
        let usable: Vec<_> = self.live(&Query::default(), on).filter(is_usable).collect();
        let steps: [fn(&Service, &str) -> bool; 3] = [
            |service, name| service.instance == name,
            |service, name| service.path.service.as_str() == name,
            |service, name| is_generic(name, service.path.service.as_str()),
        ];
        let step = |step: fn(&Service, &str) -> bool| -> Vec<&Service> {
            usable.iter().copied().filter(|service| step(service, name)).collect()
        };
        Ok(steps.into_iter().map(step).find(|found| !found.is_empty()).unwrap_or_default())
    }

    /// The live services that a query matches, on a node if one is given.
    fn live(&self, query: &Query, on: Option<&Label>) -> impl Iterator<Item = &Service> {
        let is_there = move |it: &&Service| on.is_none_or(|node| it.path.node == *node);
        self.services(query, false).into_iter().filter(is_there)
    }

    /// The error that says what to look at.
    fn not_found(&self, name: &str, on: Option<&Label>) -> Error {
        let is_meant = |it: &&Service| it.status == ServiceStatus::Down && answers_to(it, name);
        let down = self.live(&Query::default(), on).filter(is_meant).count();
        let name: String = name.chars().take(128).collect();
        let (message, hint) = match down {
            0 => (
                format!("no live service answers to {name:?}"),
                "`services --all` also shows what is registered on nodes that are not alive.",
            ),
            1 => (
                format!("the only live service that answers to {name:?} is down"),
                "Its node says so; `services` shows which one it is.",
            ),
            _ => (
                format!("all {down} live services that answer to {name:?} are down"),
                "Their nodes say so; `services` shows which ones they are.",
            ),
        };
        Error::new(Kind::NotFound, message).with_hint(hint).with_field("name", name)
    }
}

/// Whether any of the steps finds the service by this name.
fn answers_to(service: &Service, name: &str) -> bool {
    if name.contains(['/', '*']) {
        return parse::query(name).is_ok_and(|query| query.matches(&service.path));
    }
    let called = service.path.service.as_str();
    service.instance == name || called == name || is_generic(name, called)
}

/// Whether `generic` stands for the service: see step 4.
fn is_generic(generic: &str, service: &str) -> bool {
    let Some(rest) = service.strip_prefix(generic).filter(|_| !generic.is_empty()) else {
        return false;
    };
    let ends_in_digit = generic.ends_with(|c: char| c.is_ascii_digit());
    rest.starts_with(['_', '-', '.'])
        || (!ends_in_digit && rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{service, view};
    use super::*;

    fn with(services: Vec<Service>) -> View {
        View { services, ..view() }
    }

    fn found(view: &View, name: &str, random: u64) -> String {
        view.resolve(name, random).unwrap().path.to_string()
    }

    #[test]
    fn a_generic_name_ends_before_a_digit_or_a_separator() {
        for yes in ["ntp3", "ntp_2.3", "ntp-edge", "ntp.4"] {
            assert!(is_generic("ntp", yes), "{yes}");
        }
        for no in ["ntp", "ntpd", "sntp3", "nt", "NTP3"] {
            assert!(!is_generic("ntp", no), "{no}");
        }
        assert!(is_generic("ntp2", "ntp2.3"));
        assert!(!is_generic("ntp2", "ntp23"));
        assert!(!is_generic("", "ntp3"));
    }

    #[test]
    fn instance_before_service_before_generic() {
        let mut named = service("n1", "other", "r1");
        named.instance = "ntp".to_owned();
        let exact = service("n2", "ntp", "r1");
        let generic = service("n3", "ntp3", "r1");
        let mut all = vec![generic, exact, named];
        assert_eq!(found(&with(all.clone()), "ntp", 7), "/dev/main/n1/other/r1");
        all.pop();
        assert_eq!(found(&with(all.clone()), "ntp", 7), "/dev/main/n2/ntp/r1");
        all.pop();
        assert_eq!(found(&with(all), "ntp", 7), "/dev/main/n3/ntp3/r1");
    }

    #[test]
    fn prefers_live_and_up() {
        let mut services = vec![service("n1", "ntp3", "r1"), service("n2", "ntp4", "r1")];
        services[0].status = ServiceStatus::Degraded;
        for random in 0..4 {
            assert_eq!(found(&with(services.clone()), "ntp", random), "/dev/main/n2/ntp4/r1");
        }
        services[1].live = false;
        assert_eq!(found(&with(services.clone()), "ntp", 0), "/dev/main/n1/ntp3/r1");
        services[0].live = false;
        let err = with(services).resolve("ntp", 0).unwrap_err();
        assert_eq!(err.kind(), Kind::NotFound);
    }

    #[test]
    fn prefers_degraded_to_unknown_and_skips_down() {
        let statuses = [ServiceStatus::Down, ServiceStatus::Unknown, ServiceStatus::Degraded];
        let mut services: Vec<_> = statuses
            .iter()
            .zip(["n1", "n2", "n3"])
            .map(|(status, node)| Service { status: *status, ..service(node, "web", "r1") })
            .collect();
        let all = |services: &[Service]| {
            (0..3).map(|it| found(&with(services.to_vec()), "web", it)).collect::<Vec<_>>()
        };
        assert_eq!(all(&services), ["/dev/main/n3/web/r1"; 3]);
        services.pop();
        assert_eq!(all(&services), ["/dev/main/n2/web/r1"; 3]);
        services.pop();
        for name in ["web", "svc-n1web", "*/*/n1", "we*"] {
            let err = with(services.clone()).resolve(name, 0).unwrap_err();
            if name == "we*" {
                assert_eq!(err.kind(), Kind::InvalidPath);
            } else {
                assert_eq!(err.kind(), Kind::NotFound, "{name}");
                assert!(err.to_string().ends_with("is down"), "{err}");
            }
        }
        services.push(Service { status: ServiceStatus::Down, ..service("n2", "web", "r1") });
        let err = with(services.clone()).resolve("web", 0).unwrap_err();
        assert!(err.to_string().starts_with("all 2 live services"), "{err}");
        // One that the name is generic for comes next, as where the first is not live.
        services.push(service("n3", "web2", "r1"));
        assert_eq!(found(&with(services), "web", 0), "/dev/main/n3/web2/r1");
    }

    #[test]
    fn the_number_breaks_ties() {
        let view = with(vec![service("n2", "ntp3", "r1"), service("n1", "ntp3", "r1")]);
        assert_eq!(found(&view, "ntp", 0), "/dev/main/n1/ntp3/r1");
        assert_eq!(found(&view, "ntp", 1), "/dev/main/n2/ntp3/r1");
        assert_eq!(found(&view, "ntp", u64::MAX), "/dev/main/n2/ntp3/r1");
    }

    #[test]
    fn on_one_node_only_its_instances_are_candidates() {
        let mut down = service("n1", "ntp", "r1");
        down.status = ServiceStatus::Degraded;
        let view = with(vec![service("n2", "ntp3", "r1"), down, service("n2", "web", "r1")]);
        let on = |name: &str, node: &str| {
            let node = crux_client::parse::node(node).unwrap();
            view.resolve_on(name, &node, 0).map(|found| found.path.to_string())
        };
        assert_eq!(on("ntp", "n1").as_deref(), Ok("/dev/main/n1/ntp/r1"));
        assert_eq!(on("ntp", "n2").as_deref(), Ok("/dev/main/n2/ntp3/r1"), "a generic name");
        let principal = super::super::testing::principal("n2").to_string();
        for digits in [&principal, &principal[..8]] {
            assert_eq!(on("*/*/*/web", digits).as_deref(), Ok("/dev/main/n2/web/r1"));
        }
        for (name, node) in [("web", "n1"), ("*/*/n2", "n1"), ("ntp", "n3"), ("ntp", "n99")] {
            let err = on(name, node).unwrap_err();
            assert_eq!(err.kind(), Kind::NotFound, "{name} {node}");
            assert!(err.to_string().contains(node), "{err}");
        }
    }

    #[test]
    fn a_path_is_a_query() {
        let view = with(vec![service("n2", "ntp3", "r1"), service("n1", "ntp3", "r1")]);
        assert_eq!(found(&view, "/dev/main/n2/ntp3/r1", 0), "/dev/main/n2/ntp3/r1");
        assert_eq!(found(&view, "*/*/*/ntp3", 0), "/dev/main/n1/ntp3/r1");
        assert_eq!(view.resolve("/x/y*", 0).unwrap_err().kind(), Kind::InvalidPath);
        assert_eq!(view.resolve("", 0).unwrap_err().kind(), Kind::NotFound);
    }
}
