//! The database under kill, damage, a full disk and a second owner.

mod actor;
mod crash;
mod damage;
mod documents;
mod fixture;
mod full;
mod memory;
mod migrate;
mod refuse;
mod round_trip;
