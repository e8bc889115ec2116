//! Allocations that follow their client to another flow by a ticket (RFC 8016): what goes through them there goes the same way as before.

use super::story::{Story, learn};
use crate::wire::stun::{Class, Fields, Message, Method};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many tickets are remembered, and of how many bytes at most.
const MAX: usize = 1024;
const BYTES: usize = 256;

/// The tickets that servers gave, and on which flow each.
#[derive(Debug, Default)]
pub(super) struct Tickets(BTreeMap<Vec<u8>, usize>);

impl Tickets {
    /// A message on a flow: a success that brings a ticket, or a Refresh that shows one from elsewhere. What is known of the other flow's relay then holds
    /// for this one, and the label says whence it came.
    pub(super) fn take(
        &mut self,
        told: usize,
        (message, fields): (&Message<'_>, &Fields<'_>),
        stories: &mut [Story],
        label: &mut String,
    ) {
        let Some(ticket) = fields.mobility_ticket.filter(|ticket| (1..=BYTES).contains(&ticket.len())) else { return };
        match message.class() {
            Class::Success if self.0.len() < MAX => _ = self.0.insert(ticket.to_vec(), told),
            Class::Request if message.method() == Method::REFRESH => {
                let Some(old) = self.0.get(ticket).filter(|&&old| old != told).and_then(|&old| stories.get(old)) else {
                    return;
                };
                let client = old.turn_by.and_then(|side| old.ends.get(side)).copied();
                let (relayed, channels) = (old.relayed.clone(), old.channels.clone());
                if let Some(client) = client {
                    let _ = write!(label, ", moves the allocation of {client} here"); // writing to a String cannot fail
                }
                if let Some(story) = stories.get_mut(told) {
                    relayed.into_iter().for_each(|relayed| learn(&mut story.relayed, relayed));
                    channels.into_iter().for_each(|(channel, peer)| story.learn_channel(channel, peer));
                }
            }
            _ => {}
        }
    }
}
