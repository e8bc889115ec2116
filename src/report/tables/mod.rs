//! A report as flat tables: one row a capture, transaction, allocation, finding, handshake, pair, stream, credential,
//! server, statement of the deployment, line of a log. What data frames and databases read.
//!
//! Columns are in snake case and do not change; more may be added behind. The first column of each table is `capture_id`, which joins them.

mod cell;
mod columns;

pub use cell::{Cell, Kind};

use super::{Report, Summary};
use columns::Column;

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// One row a capture, those that could not be read among them.
    Captures,
    /// One row a message, in the order of the capture: the scalar fields of `messages`.
    Messages,
    /// One row a STUN or TURN transaction, as far as reports list them.
    Transactions,
    /// One row a TURN allocation.
    Allocations,
    /// One row a finding.
    Findings,
    /// One row a DTLS handshake.
    Dtls,
    /// One row a TLS connection of TURN.
    Tls,
    /// One row a candidate pair.
    IcePairs,
    /// One row an RTP stream.
    Media,
    /// One row a credential that was given.
    Credentials,
    /// One row a server and transport over which it was asked.
    Servers,
    /// One row a statement of the deployment.
    Deployment,
    /// One row a line of a log that is about a capture.
    Logs,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 13] = [
        Table::Captures,
        Table::Messages,
        Table::Transactions,
        Table::Allocations,
        Table::Findings,
        Table::Dtls,
        Table::Tls,
        Table::IcePairs,
        Table::Media,
        Table::Credentials,
        Table::Servers,
        Table::Deployment,
        Table::Logs,
    ];

    /// Its name, which is that of its file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Table::Captures => "captures",
            Table::Messages => "messages",
            Table::Transactions => "transactions",
            Table::Allocations => "allocations",
            Table::Findings => "findings",
            Table::Dtls => "dtls",
            Table::Tls => "tls",
            Table::IcePairs => "ice_pairs",
            Table::Media => "media",
            Table::Credentials => "credentials",
            Table::Servers => "servers",
            Table::Deployment => "deployment",
            Table::Logs => "logs",
        }
    }

    /// Its columns, in order.
    #[must_use]
    pub fn columns(self) -> Vec<(&'static str, Kind)> {
        fn of<P, T>(columns: &[Column<P, T>]) -> Vec<(&'static str, Kind)> {
            columns.iter().map(|column| (column.name, column.kind)).collect()
        }
        let mut all = vec![("capture_id", Kind::Text)];
        all.extend(match self {
            Table::Captures => of(columns::CAPTURES),
            Table::Messages => columns::MESSAGES.to_vec(),
            Table::Transactions => of(columns::TRANSACTIONS),
            Table::Allocations => of(columns::ALLOCATIONS),
            Table::Findings => of(columns::FINDINGS),
            Table::Dtls => of(columns::DTLS),
            Table::Tls => of(columns::TLS),
            Table::IcePairs => of(columns::ICE_PAIRS),
            Table::Media => of(columns::MEDIA),
            Table::Credentials => of(columns::CREDENTIALS),
            Table::Servers => of(columns::SERVERS),
            Table::Deployment => of(columns::DEPLOYMENT),
            Table::Logs => of(columns::LOGS),
        });
        all
    }
}

/// Gives the rows of a report, table by table, each in the report's order, without those of captures and messages.
pub fn rows(capture_id: &str, report: &Report, sink: &mut dyn FnMut(Table, &[Cell<'_>])) {
    let mut each = Rows { capture_id, cells: Vec::new(), sink };
    each.rows(Table::Transactions, columns::TRANSACTIONS, &report.transactions.items);
    each.rows(Table::Allocations, columns::ALLOCATIONS, &report.allocations);
    each.rows(Table::Findings, columns::FINDINGS, &report.findings);
    each.rows(Table::Dtls, columns::DTLS, &report.dtls);
    each.rows(Table::Tls, columns::TLS, &report.tls);
    for session in &report.ice {
        for pair in &session.pairs {
            each.row(Table::IcePairs, columns::ICE_PAIRS, session, pair);
        }
    }
    each.rows(Table::Media, columns::MEDIA, &report.media.items);
    each.rows(Table::Credentials, columns::CREDENTIALS, &report.credentials);
    for server in &report.servers {
        for transport in &server.transports {
            each.row(Table::Servers, columns::SERVERS, server, transport);
        }
    }
    each.rows(Table::Deployment, columns::DEPLOYMENT, &report.deployment);
    each.rows(Table::Logs, columns::LOGS, &report.logs);
}

/// Gives the row of a capture.
pub fn capture_row(summary: &Summary, sink: &mut dyn FnMut(Table, &[Cell<'_>])) {
    let mut each = Rows { capture_id: &summary.capture_id, cells: Vec::new(), sink };
    each.row(Table::Captures, columns::CAPTURES, &(), summary);
}

struct Rows<'a, 's> {
    capture_id: &'a str,
    cells: Vec<Cell<'a>>,
    sink: &'s mut dyn FnMut(Table, &[Cell<'_>]),
}

impl<'a> Rows<'a, '_> {
    fn rows<T>(&mut self, table: Table, columns: &[Column<(), T>], items: &'a [T]) {
        for item in items {
            self.row(table, columns, &(), item);
        }
    }

    fn row<P, T>(&mut self, table: Table, columns: &[Column<P, T>], parent: &'a P, item: &'a T) {
        self.cells.clear();
        self.cells.push(self.capture_id.into());
        self.cells.extend(columns.iter().map(|column| (column.get)(parent, item)));
        (self.sink)(table, &self.cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_of_columns_are_snake_case_and_occur_once() {
        for table in Table::ALL {
            let columns = table.columns();
            let names: BTreeSet<_> = columns.iter().map(|(name, _)| *name).collect();
            assert_eq!(names.len(), columns.len(), "{table:?}");
            for name in names {
                assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
            }
        }
    }

    #[test]
    fn a_row_has_the_kinds_of_its_columns() {
        let summary = Summary { first_time_ns: Some(1), sha256: Some("00".into()), ..Summary::of(&Report::default()) };
        capture_row(&summary, &mut |table, cells| {
            let columns = table.columns();
            assert_eq!(columns.len(), cells.len());
            for ((name, kind), cell) in columns.iter().zip(cells) {
                assert!(cell.kind().is_none_or(|is| is == *kind), "{name}");
            }
        });
    }
}
