//! The lanes of a drawing: one for each participant while there is room, then one for several of a role.

use crate::report::ladder::{Participant, Role, Session, Shown, Step};

/// One lane.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// Whose it is, by index into the session's participants.
    pub members: Vec<usize>,
    pub role: Role,
}

/// The lanes of a session, left to right.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    pub lanes: Vec<Lane>,
    /// The lane of each participant; `None` for those that nothing drawn touches.
    of: Vec<Option<usize>>,
}

impl Lanes {
    /// Lanes for what is drawn, at most `most` of them (and one for each role at least).
    pub(super) fn new(session: &Session, shown: &[Shown<'_>], most: usize) -> Self {
        let mut used = vec![false; session.participants.len()];
        let mut touch = |index: usize| {
            if let Some(flag) = used.get_mut(index) {
                *flag = true;
            }
        };
        for row in shown {
            let Shown::Step(step) = row else { continue };
            touch(step.from);
            touch(step.to);
            if let Some(passage) = &step.through {
                touch(passage.server);
                passage.relay.iter().for_each(|relay| touch(*relay));
            }
        }
        // nobody sends to a NAT: it stands in the way
        for (index, participant) in session.participants.iter().enumerate() {
            if matches!(participant.role(), Role::Client | Role::Nat) {
                touch(index);
            }
        }
        let mut lanes: Vec<Lane> = session
            .participants
            .iter()
            .enumerate()
            .filter(|(index, _)| used.get(*index) == Some(&true))
            .map(|(index, participant)| Lane { members: vec![index], role: participant.role() })
            .collect();
        fold(&mut lanes, Role::Client);
        // the ends of a path are told apart the longest
        for role in [Role::Nat, Role::Relay, Role::Peer, Role::Server] {
            if lanes.len() > most {
                fold(&mut lanes, role);
            }
        }
        let mut of = vec![None; session.participants.len()];
        for (lane, members) in lanes.iter().enumerate() {
            for member in &members.members {
                if let Some(slot) = of.get_mut(*member) {
                    *slot = Some(lane);
                }
            }
        }
        Lanes { lanes, of }
    }

    /// The lane of a participant.
    pub(super) fn of(&self, participant: usize) -> usize {
        self.of.get(participant).copied().flatten().unwrap_or(0)
    }

    /// Addresses of a step that its lanes do not tell, since they have several; as short as they are plain.
    pub(super) fn untold(&self, session: &Session, step: &Step) -> Option<String> {
        let mut texts: Vec<String> = Vec::new();
        let server = step.through.as_ref().map(|passage| passage.server);
        for index in [Some(step.from), server, Some(step.to)].into_iter().flatten() {
            let Some(lane) = self.lanes.get(self.of(index)).filter(|lane| lane.members.len() > 1) else { continue };
            let Some(participant) = session.participants.get(index) else { continue };
            // many labels name it already
            if !step.label.contains(&participant.address()) && participant.role() != Role::Client {
                texts.push(lane.short(session, participant));
            }
        }
        (!texts.is_empty()).then(|| texts.join(", "))
    }
}

impl Lane {
    /// `client`, `NAT`, `TURN`; `peers` of several.
    pub(super) fn title(&self, session: &Session) -> String {
        let of = |index: &usize| session.participants.get(*index).map(Participant::title);
        let first = self.members.first().and_then(of).unwrap_or("?");
        match self.role {
            Role::Server if self.members.iter().any(|index| of(index) != Some(first)) => "servers".to_owned(),
            Role::Client | Role::Nat | Role::Server => first.to_owned(),
            _ if self.members.len() > 1 => format!("{first}s"),
            _ => first.to_owned(),
        }
    }

    /// The address of a member, without the port where that tells it from the others.
    fn short(&self, session: &Session, member: &Participant) -> String {
        let ip = |known: &Participant| known.endpoint().map(|end| end.ip());
        let same = |index: &&usize| session.participants.get(**index).is_some_and(|known| ip(known) == ip(member));
        match ip(member) {
            Some(ip) if self.members.iter().filter(same).count() == 1 => ip.to_string(),
            _ => member.address(),
        }
    }

    /// The addresses, of many the first ones and how many more.
    pub(super) fn addresses(&self, session: &Session, most: usize) -> String {
        let named = self.members.iter().filter_map(|index| session.participants.get(*index)).map(Participant::address);
        let mut text = named.take(most).collect::<Vec<_>>().join(", ");
        if self.members.len() > most {
            text.push_str(&format!(" … {} more", self.members.len() - most));
        }
        text
    }
}

/// Makes one lane of all of a role.
fn fold(lanes: &mut Vec<Lane>, role: Role) {
    let members: Vec<usize> =
        lanes.iter().filter(|lane| lane.role == role).flat_map(|lane| lane.members.iter().copied()).collect();
    if members.len() < 2 {
        return;
    }
    let at = lanes.iter().position(|lane| lane.role == role).unwrap_or(0);
    lanes.retain(|lane| lane.role != role);
    lanes.insert(at.min(lanes.len()), Lane { members, role });
}
