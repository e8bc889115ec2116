//! Which flows are DTLS, and how long the connection ids on them are: what the records of DTLS 1.3 cannot be read without.

use crate::bounded::Generations;
use crate::event::Event;
use crate::session::path::Path;
use crate::wire::dtls::{Fragment, Record};
use crate::wire::handshake::{ContentType, ExtensionType, Message, Protocol, Value};

/// How many flows are remembered, in each of two generations: as the younger one fills up, the older is forgotten.
/// It is what fits a hash table whose size is a power of 2.
const MAX_FLOWS: usize = 14_336;

/// The flows on which DTLS was recognised.
#[derive(Debug, Default)]
pub(in crate::session) struct DtlsFlows(Generations<Path, Known, MAX_FLOWS>);

/// What is known of a flow.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Bytes of the connection ids in records to the lower and to the higher end, as that end asked for.
    connection_ids: [Option<u8>; 2],
}

impl DtlsFlows {
    /// Whether DTLS was recognised on the way of a datagram; if so, how long the connection ids are that its records may have.
    #[must_use]
    pub(super) fn connection_id(&self, event: &Event<'_>) -> Option<Option<u8>> {
        let path = Path::of_event(event);
        let known = self.0.get(&path)?;
        let [to_low, to_high] = known.connection_ids;
        Some(if event.dst == path.ends.low { to_low } else { to_high })
    }

    /// Takes a record that was recognised.
    pub(super) fn learn(&mut self, event: &Event<'_>, record: &Record<'_>) {
        if record.content_type == ContentType::APPLICATION_DATA {
            return; // most of all records, and a flow that has only these needs nothing to be known
        }
        let hello = record.fragments().find_map(|fragment| connection_id(&fragment));
        if hello.is_none() && self.connection_id(event).is_some() {
            return;
        }
        let path = Path::of_event(event);
        let known = self.0.renew(path);
        if let Some(length) = hello {
            let [to_low, to_high] = &mut known.connection_ids;
            *if event.src == path.ends.low { to_low } else { to_high } = length;
        }
    }
}

/// The length of the connection id that the sender of a hello asks for; the inner `None` where it asks for none. A hello in several
/// fragments is not read: what is guessed of its records then shows.
fn connection_id(fragment: &Fragment<'_>) -> Option<Option<u8>> {
    if !fragment.is_whole() {
        return None;
    }
    let extensions = match Message::parse(fragment.kind, fragment.data, Protocol::Dtls, None).ok()? {
        Message::ClientHello(hello) => hello.extensions,
        Message::ServerHello(hello) => hello.extensions,
        _ => return None,
    };
    Some(match extensions.value(ExtensionType::CONNECTION_ID) {
        Some(Value::ConnectionId(id)) => u8::try_from(id.len()).ok(),
        _ => None,
    })
}
