mod crash;
mod damage;
mod evict;
mod fixture;
mod hostile;
mod pieces;
mod refuse;
mod round_trip;
