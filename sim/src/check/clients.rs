use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::path::Endpoint;
use crux_protocol::author::ServiceKey;
use crux_protocol::flock::{Answer, Control, ControlError, ControlId};
use crux_protocol::time::Instant;

use crate::invariant::{Excuse, Writes, excused};

/// What clients may rely on about one registration of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was acknowledged, and is there.
    Present(Endpoint),
    /// Its removal was acknowledged.
    Absent,
    /// Something about it was never answered.
    Unknown,
}

#[derive(Debug)]
struct Asked {
    host: usize,
    request: Control,
    at: Instant,
    /// Whether it is a write, and the node could make it when it was asked.
    owed: bool,
    /// What could be relied on before.
    before: Option<Fate>,
}

/// What clients asked and were told.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    next: u64,
    open: BTreeMap<ControlId, Asked>,
    fates: BTreeMap<(usize, ServiceKey), Fate>,
    /// The newest request about each registration: only its answer says what there is.
    newest: BTreeMap<(usize, ServiceKey), ControlId>,
    /// Hosts that are to leave, and did not yet.
    leaving: BTreeSet<usize>,
    /// Hosts whose promises are on the disks of others only.
    lent: BTreeSet<usize>,
    /// Of hosts whose identity runs elsewhere, too: what of their promises came along.
    copied: BTreeMap<usize, BTreeMap<ServiceKey, Fate>>,
    /// Hosts that have one identity.
    twins: BTreeSet<usize>,
    pub(crate) answered: u64,
    pub(crate) writes: Writes,
    /// What came of the last ping.
    pub(crate) pinged: Option<Result<Answer, ControlError>>,
}

impl Clients {
    /// A client asks a node, which is healthy if it is neither stopped nor without room. Returns the
    /// request's number.
    pub(crate) fn asks(
        &mut self,
        host: usize,
        request: Control,
        at: Instant,
        healthy: bool,
    ) -> u64 {
        self.next += 1;
        match request {
            Control::LeaderPing => self.pinged = None,
            Control::Leave => _ = self.leaving.insert(host),
            _ => {}
        }
        let key = key_of(&request).map(|key| (host, key));
        let owed = healthy && key.is_some();
        self.writes.owed += u64::from(owed);
        let before = key.and_then(|key| {
            self.newest.insert(key.clone(), ControlId(self.next));
            self.fates.insert(key, Fate::Unknown)
        });
        self.open.insert(ControlId(self.next), Asked { host, request, at, owed, before });
        self.next
    }

    /// A node answered; its disk took no writes then.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub(crate) fn answered(
        &mut self,
        id: ControlId,
        result: Result<Answer, ControlError>,
        full_at: Option<Instant>,
    ) -> Result<(), String> {
        let Some(asked) = self.open.remove(&id) else {
            return Err(format!("request {} was answered again", id.0));
        };
        self.answered += 1;
        let key = key_of(&asked.request).map(|key| (asked.host, key));
        let newest = key.filter(|key| self.newest.get(key) == Some(&id));
        self.judge(&asked, newest.is_some(), &result, full_at)?;
        let Asked { host, request, before, .. } = asked;
        if let Some(key) = newest {
            match fate_after(&request, &result, before) {
                Some(fate) => _ = self.fates.insert(key, fate),
                None => _ = self.fates.remove(&key),
            }
        }
        match request {
            Control::LeaderPing => self.pinged = Some(result),
            Control::Leave if result.is_err() => _ = self.leaving.remove(&host),
            _ => {}
        }
        Ok(())
    }

    /// Counts a write. What was not done must have a reason, and what was is what was asked for, unless
    /// something newer was by then.
    fn judge(
        &mut self,
        asked: &Asked,
        newest: bool,
        result: &Result<Answer, ControlError>,
        full_at: Option<Instant>,
    ) -> Result<(), String> {
        let (host, request) = (asked.host, &asked.request);
        let write = is_write(request);
        match (request, result) {
            (Control::Register { endpoint, .. }, Ok(Answer::Registered(found)))
                if newest && found.endpoint != *endpoint =>
            {
                return Err(format!("n{host} registered {found:?} instead of {request:?}"));
            }
            (_, Ok(_)) | (_, Err(ControlError::NotStored { .. })) => {
                self.writes.acknowledged += u64::from(write);
            }
            (_, Err(_)) => {
                self.writes.refused += u64::from(write);
                self.writes.owed -= u64::from(asked.owed);
            }
        }
        let promised = matches!(asked.before, Some(Fate::Present(_))) && !self.lent.contains(&host);
        let full = full_at.is_some_and(|at| at >= asked.at);
        let twin = self.twins.contains(&host);
        let excuse = Excuse { full, unknown: !promised, twin };
        let Err(error) = result else { return Ok(()) };
        excused(request, error, excuse).map_err(|why| format!("n{host} {why}"))
    }

    /// A process ended: what it did not answer, it will not.
    pub(crate) fn on_end(&mut self, host: usize) {
        let unanswered = self.open.extract_if(.., |_, asked| asked.host == host);
        for (_, asked) in unanswered {
            self.writes.unanswered += u64::from(is_write(&asked.request));
            self.writes.owed -= u64::from(asked.owed);
        }
        self.leaving.remove(&host);
    }

    /// A disk was lost, or a node left or was forgotten: nothing it promised can be relied on.
    pub(crate) fn on_loss(&mut self, host: usize) {
        let here = self.fates.iter_mut().filter(|((where_, _), _)| *where_ == host);
        here.for_each(|(_, fate)| *fate = Fate::Unknown);
        // What is on its way counts no more.
        self.newest.retain(|(where_, _), _| *where_ != host);
        self.lent.remove(&host);
    }

    /// A disk was lost of which everybody else holds what was promised.
    pub(crate) fn on_lent(&mut self, host: usize) {
        self.lent.insert(host);
    }

    /// The identity of a host is given to another one, with or without what is promised by now.
    pub(crate) fn on_copied(&mut self, host: usize, to: usize, along: bool) {
        self.twins.extend([host, to]);
        let here = self.fates.iter().filter(|((where_, _), _)| along && *where_ == host);
        let here = here.map(|((_, key), fate)| (key.clone(), fate.clone())).collect();
        self.copied.insert(host, here);
    }

    /// The process of a host stopped because its identity goes on elsewhere: what it promised since is
    /// on its disk only, and nobody takes that from there.
    pub(crate) fn on_outlived(&mut self, host: usize) {
        let Some(along) = self.copied.remove(&host) else { return };
        for ((_, key), fate) in self.fates.iter_mut().filter(|((where_, _), _)| *where_ == host) {
            if along.get(key) != Some(&*fate) {
                *fate = Fate::Unknown;
            }
        }
    }

    /// Everyone who runs holds the same: what was on the disks of others is on everybody's.
    pub(crate) fn on_one_flock(&mut self) {
        self.lent.clear();
    }

    /// Whether what a host promised is on the disks of others only.
    pub(crate) fn is_lent(&self, host: usize) -> bool {
        self.lent.contains(&host)
    }

    /// Whether a process was told to leave.
    pub(crate) fn told_to_leave(&self, host: usize) -> bool {
        self.leaving.contains(&host)
    }

    /// How many requests wait for an answer.
    pub(crate) fn waiting(&self) -> usize {
        self.open.len()
    }

    /// What can be relied on, by host and registration.
    pub(crate) fn fates(&self) -> impl Iterator<Item = (usize, &ServiceKey, &Fate)> {
        self.fates.iter().map(|((host, key), fate)| (*host, key, fate))
    }
}

/// What an answer says of the registration it is about.
fn fate_after(
    request: &Control,
    result: &Result<Answer, ControlError>,
    before: Option<Fate>,
) -> Option<Fate> {
    match (request, result) {
        (Control::Register { endpoint, .. }, Ok(_) | Err(ControlError::NotStored { .. })) => {
            Some(Fate::Present(endpoint.clone()))
        }
        // A node that lost its disk does not know of it yet, and will remove it when it does, or not if it
        // is killed before.
        (Control::Deregister { .. }, Err(ControlError::Rejected(_))) => match before {
            Some(Fate::Present(_) | Fate::Unknown) => Some(Fate::Unknown),
            Some(Fate::Absent) | None => Some(Fate::Absent),
        },
        (Control::Deregister { .. }, Ok(_)) => Some(Fate::Absent),
        (_, Err(ControlError::DiskFailed)) => Some(Fate::Unknown),
        _ => before,
    }
}

fn is_write(request: &Control) -> bool {
    key_of(request).is_some() || matches!(request, Control::State { .. })
}

fn key_of(request: &Control) -> Option<ServiceKey> {
    match request {
        Control::Register { key, .. } | Control::Deregister(key) => Some(key.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::invariant::testing::{endpoint, service};
    use crux_crdt::record::Registration;
    use crux_protocol::author::Rejection;

    fn register(port: u16) -> Control {
        let (key, endpoint, labels) = (service("web"), endpoint(port), BTreeMap::new());
        let (lease, patience) = (None, Duration::ZERO);
        Control::Register { key, endpoint, labels, lease, sync: 0, patience }
    }

    fn deregister() -> Control {
        Control::Deregister(service("web"))
    }

    fn registered(port: u16) -> Answer {
        let (key, instance, endpoint) = (service("web"), "svc-1".to_owned(), endpoint(port));
        let (labels, lease) = (BTreeMap::new(), None);
        Answer::Registered(Registration { key, endpoint, instance, labels, lease })
    }

    fn ask(clients: &mut Clients, request: Control) -> ControlId {
        ControlId(clients.asks(1, request, Instant::ORIGIN, true))
    }

    fn fate(clients: &Clients) -> Option<Fate> {
        clients.fates().next().map(|(_, _, fate)| fate.clone())
    }

    #[test]
    fn the_last_answer_says_what_is_promised() {
        let mut clients = Clients::default();
        let first = ask(&mut clients, register(80));
        let second = ask(&mut clients, register(81));
        assert_eq!(clients.answered(second, Ok(registered(81)), None), Ok(()));
        assert_eq!(clients.answered(first, Ok(registered(80)), None), Ok(()));
        assert_eq!(fate(&clients), Some(Fate::Present(endpoint(81))));
        let gone = ask(&mut clients, deregister());
        assert_eq!(fate(&clients), Some(Fate::Unknown));
        assert_eq!(clients.answered(gone, Ok(Answer::Done), None), Ok(()));
        assert_eq!(fate(&clients), Some(Fate::Absent));
        assert_eq!(clients.writes, Writes { acknowledged: 3, owed: 3, ..Writes::default() });
        assert!(clients.answered(gone, Ok(Answer::Done), None).is_err(), "it was answered");
    }

    #[test]
    fn an_answer_about_something_else_is_wrong() {
        let mut clients = Clients::default();
        let id = ask(&mut clients, register(81));
        assert!(clients.answered(id, Ok(registered(80)), None).is_err());
        // What stands may be what was asked for after it.
        let mut clients = Clients::default();
        let (older, newer) = (ask(&mut clients, register(80)), ask(&mut clients, register(81)));
        assert_eq!(clients.answered(older, Ok(registered(81)), None), Ok(()));
        assert_eq!(clients.answered(newer, Ok(registered(81)), None), Ok(()));
    }

    #[test]
    fn who_denies_what_is_on_its_disk_is_seen() {
        let denied = || Err(ControlError::Rejected(Rejection::NotRegistered));
        let promised = || {
            let mut clients = Clients::default();
            let id = ask(&mut clients, register(80));
            assert_eq!(clients.answered(id, Ok(registered(80)), None), Ok(()));
            clients
        };
        let mut clients = promised();
        let id = ask(&mut clients, deregister());
        assert!(clients.answered(id, denied(), None).is_err());
        let mut clients = promised();
        clients.on_lent(1);
        let id = ask(&mut clients, deregister());
        assert_eq!(clients.answered(id, denied(), None), Ok(()));
        assert_eq!(fate(&clients), Some(Fate::Unknown));
    }

    #[test]
    fn a_denial_says_nothing_of_what_may_come_back() {
        let mut clients = Clients::default();
        ask(&mut clients, register(80));
        clients.on_end(1);
        let id = ask(&mut clients, deregister());
        let denied = Err(ControlError::Rejected(Rejection::NotRegistered));
        assert_eq!(clients.answered(id, denied, None), Ok(()));
        assert_eq!(fate(&clients), Some(Fate::Unknown));
    }

    #[test]
    fn what_was_promised_beside_a_clone_is_not_relied_on() {
        let promise = |clients: &mut Clients, port| {
            let id = ask(clients, register(port));
            assert_eq!(clients.answered(id, Ok(registered(port)), None), Ok(()));
        };
        let mut clients = Clients::default();
        promise(&mut clients, 80);
        clients.on_copied(1, 2, true);
        clients.on_outlived(1);
        assert_eq!(fate(&clients), Some(Fate::Present(endpoint(80))), "it came along");
        clients.on_copied(1, 2, true);
        promise(&mut clients, 81);
        clients.on_outlived(1);
        assert_eq!(fate(&clients), Some(Fate::Unknown));
        promise(&mut clients, 82);
        clients.on_copied(1, 2, false);
        clients.on_outlived(1);
        assert_eq!(fate(&clients), Some(Fate::Unknown));
    }

    #[test]
    fn only_a_disk_that_was_full_since_is_a_reason() {
        let after = |seconds| Instant::ORIGIN + core::time::Duration::from_secs(seconds);
        let refused = |full_at| {
            let mut clients = Clients::default();
            let id = ControlId(clients.asks(1, register(80), after(5), true));
            let result = clients.answered(id, Err(ControlError::DiskFull), full_at);
            (result.is_ok(), clients.writes.refused, clients.writes.owed)
        };
        assert_eq!(refused(Some(after(5))), (true, 1, 0));
        assert_eq!(refused(Some(after(4))), (false, 1, 0));
        assert_eq!(refused(None), (false, 1, 0));
    }

    #[test]
    fn what_ends_with_its_process_is_owed_no_more() {
        let mut clients = Clients::default();
        ask(&mut clients, register(80));
        ask(&mut clients, Control::Leave);
        assert!(clients.told_to_leave(1) && !clients.told_to_leave(0));
        clients.on_end(1);
        assert!(!clients.told_to_leave(1), "that was another process");
        assert_eq!(clients.writes, Writes { unanswered: 1, ..Writes::default() });
        assert_eq!(clients.waiting(), 0);
    }
}
