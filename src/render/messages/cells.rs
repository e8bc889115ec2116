//! A message as a row of a table.

use super::{Media, fingerprint_name, method, protocol, transaction_id};
use crate::event::{Body, Row};
use crate::net::Endpoint;
use crate::report::Address;
use crate::report::tables::Cell;
use crate::wire::stun::Class;

/// The cells of the table of messages, in the order of its columns.
#[must_use]
pub fn cells<'a>(capture_id: &'a str, row: &Row<'_>) -> Vec<Cell<'a>> {
    let event = row.event;
    let hop = event.hops.last();
    let address = |endpoint: Endpoint| Cell::from(Address(endpoint));
    let message = match &event.body {
        Body::Stun(message) => Some(message),
        _ => None,
    };
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut text = Vec::new();
        write(&mut text);
        Cell::from(String::from_utf8_lossy(&text).into_owned())
    };
    let (channel, length) = match &event.body {
        Body::ChannelData(data) => (Some(data.channel), Some(data.length)),
        _ => (None, None),
    };
    let media = Media::of(&event.body);
    let error = message.filter(|message| message.class() == Class::Error).and_then(|message| message.fields().error);
    vec![
        capture_id.into(),
        event.frame.into(),
        event.time.into(),
        address(event.src),
        address(event.dst),
        hop.and_then(|hop| hop.peer).map(|peer| address(peer.0)).into(),
        hop.and_then(|hop| hop.relayed).map(|relayed| address(relayed.0)).into(),
        protocol(event).into(),
        message.map(|message| message.class().name()).into(),
        message.map(|message| written(&|out| method(out, message.method()))).into(),
        message.map(|message| message.is_classic()).into(),
        message.map(|message| written(&|out| transaction_id(out, message))).into(),
        message.and_then(fingerprint_name).into(),
        row.request_frame.into(),
        row.rtt.map(|rtt| rtt.micros()).into(),
        row.retransmission_of.into(),
        channel.into(),
        length.into(),
        media.ssrc.into(),
        media.rtp.map(|(payload_type, _)| payload_type).into(),
        media.rtp.map(|(_, sequence)| sequence).into(),
        media.packet_type.map(|name| Cell::from(name.to_owned())).into(),
        error.map(|error| error.code).into(),
    ]
}
