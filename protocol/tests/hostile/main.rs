//! A node with a disk that is full, a member that lies and a stranger that knocks: the
//! engine by itself, with every event written out.

mod alone;
mod away;
mod departed;
mod disk;
mod documents;
mod fences;
mod join_by_hand;
mod kinds;
mod lies;
mod past;
mod provisional;
mod restart;
mod rig;
mod room;
mod rubbish;
#[path = "../shared/signed.rs"]
mod signed;
mod stores;
mod tomorrow;
mod twins;
