use std::collections::BTreeMap;

use crux_protocol::author::ServiceKey;
use crux_protocol::flock::{Answer, Control, ControlError, ControlId};

/// What clients may rely on about one registration of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Fate {
    /// It was acknowledged.
    Present,
    /// Its removal was acknowledged.
    Absent,
    /// Something about it was never answered.
    Unknown,
}

#[derive(Debug)]
struct Asked {
    host: usize,
    request: Control,
    /// What could be relied on before.
    before: Option<Fate>,
}

/// What clients asked and were told.
#[derive(Debug, Default)]
pub(in crate::sim) struct Clients {
    next: u64,
    open: BTreeMap<ControlId, Asked>,
    fates: BTreeMap<(usize, ServiceKey), Fate>,
    /// The newest request about each registration: only its answer says what there is.
    newest: BTreeMap<(usize, ServiceKey), ControlId>,
    pub(in crate::sim) refused: Vec<(Control, ControlError)>,
    pub(in crate::sim) answered: u64,
    /// What came of the last ping.
    pub(in crate::sim) pinged: Option<Result<Answer, ControlError>>,
}

impl Clients {
    /// A client asks a node. Returns the request's number.
    pub(in crate::sim) fn asks(&mut self, host: usize, request: Control) -> u64 {
        self.next += 1;
        if request == Control::LeaderPing {
            self.pinged = None;
        }
        let key = key_of(&request).map(|key| (host, key));
        let before = key.and_then(|key| {
            self.newest.insert(key.clone(), ControlId(self.next));
            self.fates.insert(key, Fate::Unknown)
        });
        self.open.insert(ControlId(self.next), Asked { host, request, before });
        self.next
    }

    /// A node answered.
    pub(in crate::sim) fn answered(
        &mut self,
        id: ControlId,
        result: Result<Answer, ControlError>,
    ) -> Result<(), String> {
        let asked = self.open.remove(&id);
        let Some(Asked { host, request, before }) = asked else {
            return Err(format!("request {} was answered again", id.0));
        };
        self.answered += 1;
        if let Some(key) = key_of(&request)
            && self.newest.get(&(host, key.clone())) == Some(&id)
        {
            match fate_after(&request, &result, before) {
                Some(fate) => _ = self.fates.insert((host, key), fate),
                None => _ = self.fates.remove(&(host, key)),
            }
        }
        if request == Control::LeaderPing {
            self.pinged = Some(result.clone());
        }
        if let Err(error) = result {
            self.refused.push((request, error));
        }
        Ok(())
    }

    /// A process ended: what it did not answer, it will not.
    pub(in crate::sim) fn on_end(&mut self, host: usize) {
        self.open.retain(|_, asked| asked.host != host);
    }

    /// A disk was lost, or a node left or was forgotten: nothing it promised can be relied on.
    pub(in crate::sim) fn on_loss(&mut self, host: usize) {
        let here = self.fates.iter_mut().filter(|((where_, _), _)| *where_ == host);
        here.for_each(|(_, fate)| *fate = Fate::Unknown);
        // What is on its way counts no more.
        self.newest.retain(|(where_, _), _| *where_ != host);
    }

    /// How many requests wait for an answer.
    pub(in crate::sim) fn waiting(&self) -> usize {
        self.open.len()
    }

    /// What can be relied on, by host and registration.
    pub(in crate::sim) fn fates(&self) -> impl Iterator<Item = (usize, &ServiceKey, Fate)> {
        self.fates.iter().map(|((host, key), fate)| (*host, key, *fate))
    }
}

/// What an answer says of the registration it is about.
fn fate_after(
    request: &Control,
    result: &Result<Answer, ControlError>,
    before: Option<Fate>,
) -> Option<Fate> {
    match (request, result) {
        (Control::Register { .. }, Ok(_) | Err(ControlError::NotStored { .. })) => {
            Some(Fate::Present)
        }
        // A node that lost its disk does not know of it yet, and will remove it when it does, or not.
        (Control::Deregister { .. }, Err(ControlError::Rejected(_))) => match before {
            Some(Fate::Present) => Some(Fate::Unknown),
            _ => Some(Fate::Absent),
        },
        (Control::Deregister { .. }, Ok(_)) => Some(Fate::Absent),
        (_, Err(ControlError::DiskFailed)) => Some(Fate::Unknown),
        _ => before,
    }
}

fn key_of(request: &Control) -> Option<ServiceKey> {
    match request {
        Control::Register { horde, service, rev, .. }
        | Control::Deregister { horde, service, rev } => {
            Some((horde.clone(), service.clone(), rev.clone()))
        }
        _ => None,
    }
}
