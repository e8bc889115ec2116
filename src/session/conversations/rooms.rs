//! Memory that conversations which are over leave, used again for the next ones: giving it back and asking for it anew would cost more than most
//! of what happens in a conversation.

use super::conversation::Conversation;
use super::exchange::Exchange;
use crate::bounded::BoundedList;
use crate::session::flow::{Flow, FlowId};
use std::collections::VecDeque;

/// How many conversations, and how many lists of exchanges, are kept ready.
const MAX_ROOMS: usize = 512;
/// Lists with more room than this are given back: few conversations need it.
const ORDINARY: usize = 4;

/// What is ready to be used again, and what is in use.
#[derive(Debug, Default)]
pub(in crate::session) struct Rooms {
    /// The conversations that keep exchanges, the first to do so first.
    pub(in crate::session) keeping: VecDeque<FlowId>,
    /// How many exchanges they keep.
    pub(in crate::session) kept: usize,
    #[expect(clippy::vec_box, reason = "the boxes themselves are what is used again")]
    conversations: Vec<Box<Conversation>>,
    exchanges: Vec<Vec<Exchange>>,
}

impl Rooms {
    /// A place for a conversation.
    pub(in crate::session) fn conversation(&mut self, new: Conversation) -> Box<Conversation> {
        match self.conversations.pop() {
            Some(mut room) => {
                *room = new;
                room
            }
            None => Box::new(new),
        }
    }

    /// Keeps an exchange in the conversation of a flow.
    pub(in crate::session) fn keep(
        &mut self,
        conversation: &mut Conversation,
        exchange: Exchange,
        flow: FlowId,
    ) -> Option<u32> {
        let before = conversation.exchanges.len();
        if conversation.exchanges.capacity() == 0 {
            conversation.exchanges = self.exchanges.pop().unwrap_or_default();
        }
        let at = conversation.keep(exchange);
        if before == 0 && at.is_some() {
            self.keeping.push_back(flow);
        }
        self.kept += conversation.exchanges.len() - before;
        at
    }

    /// A list that is needed no longer.
    pub(in crate::session) fn take_exchanges(&mut self, mut list: Vec<Exchange>) {
        if (1..=ORDINARY).contains(&list.capacity()) && self.exchanges.len() < MAX_ROOMS {
            list.clear();
            self.exchanges.push(list);
        }
    }

    /// A flow that is needed no longer.
    pub(in crate::session) fn take(&mut self, flow: Flow) {
        let Some(mut conversation) = flow.conversation else { return };
        self.take_exchanges(std::mem::take(&mut conversation.exchanges));
        self.conversations.push_up_to(MAX_ROOMS, conversation);
    }
}
