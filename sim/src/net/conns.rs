use super::{Conn, ConnId};

/// All connections, each at the place that its number says: a message looks its own up many times.
#[derive(Debug, Default)]
pub(crate) struct Conns(Vec<Option<Box<Conn>>>);

impl Conns {
    /// Takes a connection in.
    pub(crate) fn insert(&mut self, conn: Conn) -> ConnId {
        self.0.push(Some(Box::new(conn)));
        ConnId(self.0.len() - 1)
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<&Conn> {
        self.0.get(id.0)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.0.get_mut(id.0)?.as_deref_mut()
    }

    pub(crate) fn remove(&mut self, id: ConnId) {
        if let Some(place) = self.0.get_mut(id.0) {
            *place = None;
        }
    }

    /// Those that are not gone, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        let all = self.0.iter().enumerate();
        all.filter_map(|(id, conn)| Some((ConnId(id), conn.as_deref()?)))
    }
}
