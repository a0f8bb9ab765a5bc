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
//! Only live services are candidates. Of these the ones with the best status stay, and the number
//! that the caller hands in picks one, so that callers spread and tests repeat.

use crux_client::model::Service;
use crux_client::parse;
use crux_crdt::path::Query;

use super::View;
use crate::error::{Error, Kind};

impl View {
    /// Picks one live instance for a name; see the module's text for the steps.
    ///
    /// `random` breaks ties: any number, a different one for each call.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when nothing live matches, [`Kind::InvalidPath`] when a query is malformed.
    pub fn resolve(&self, name: &str, random: u64) -> Result<&Service, Error> {
        let candidates = self.candidates(name)?;
        let best = candidates.iter().map(|service| service.status).min();
        let best: Vec<_> = candidates.into_iter().filter(|s| Some(s.status) == best).collect();
        let at = random.checked_rem(best.len() as u64).ok_or_else(|| not_found(name))?;
        Ok(best[usize::try_from(at).expect("less than a length")])
    }

    /// The live services of the first step that finds any, ordered by path.
    fn candidates(&self, name: &str) -> Result<Vec<&Service>, Error> {
        if name.contains(['/', '*']) {
            let query = parse::query(name)?;
            return Ok(self.services(&query, false));
        }
        let live = self.services(&Query::default(), false);
        let steps: [fn(&Service, &str) -> bool; 3] = [
            |service, name| service.instance == name,
            |service, name| service.path.service.as_str() == name,
            |service, name| is_generic(name, service.path.service.as_str()),
        ];
        let step = |step: fn(&Service, &str) -> bool| -> Vec<&Service> {
            live.iter().copied().filter(|service| step(service, name)).collect()
        };
        Ok(steps.into_iter().map(step).find(|found| !found.is_empty()).unwrap_or_default())
    }
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

/// The error that says what to look at.
fn not_found(name: &str) -> Error {
    let name: String = name.chars().take(128).collect();
    Error::new(Kind::NotFound, format!("no live service answers to {name:?}"))
        .with_hint("`services --all` also shows what is registered on nodes that are not alive.")
        .with_field("name", name)
}

#[cfg(test)]
mod tests {
    use crux_client::model::ServiceStatus;

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
    fn the_number_breaks_ties() {
        let view = with(vec![service("n2", "ntp3", "r1"), service("n1", "ntp3", "r1")]);
        assert_eq!(found(&view, "ntp", 0), "/dev/main/n1/ntp3/r1");
        assert_eq!(found(&view, "ntp", 1), "/dev/main/n2/ntp3/r1");
        assert_eq!(found(&view, "ntp", u64::MAX), "/dev/main/n2/ntp3/r1");
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
