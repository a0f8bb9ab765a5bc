//! Blobs that members offer.

use crux_client::model::MemberState;
use crux_crdt::blob::BlobId;
use crux_crdt::record::Offer;

use super::View;

impl View {
    /// Whether a member that is alive, or only suspected, offers a blob. A member that left, is dead or is unknown here
    /// gives it to nobody.
    pub fn is_offered(&self, id: &BlobId) -> bool {
        let mut by = self.said.of::<Offer>(id).map(|(by, _)| by);
        by.any(|by| {
            let live = |state| matches!(state, MemberState::Alive | MemberState::Suspect);
            self.members.iter().any(|member| member.principal == by && live(member.state))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crux_crdt::blob::{Descriptor, Root};
    use crux_crdt::record::SlotKind as _;

    use super::super::Said;
    use super::super::testing::{principal, view};
    use super::*;

    #[test]
    fn an_offer_counts_while_its_member_lives() {
        let blob = BlobId([7; 32]);
        let offer = Offer(Descriptor { blob, root: Root([1; 32]), size: 1 });
        let of = |by: &str, state: Option<MemberState>| {
            let mut view = view();
            view.said = Said::default();
            view.said.add(principal(by), &Arc::new(offer.into_slot()));
            for member in view.members.iter_mut().filter(|it| it.principal == principal(by)) {
                member.state = state.expect("a member");
            }
            view
        };
        for state in MemberState::ALL {
            let live = matches!(state, MemberState::Alive | MemberState::Suspect);
            assert_eq!(of("n2", Some(state)).is_offered(&blob), live, "{state}");
        }
        assert!(!of("n99", None).is_offered(&blob), "a stranger");
        let live = of("n2", Some(MemberState::Alive));
        assert!(!live.is_offered(&BlobId([8; 32])));
    }
}
