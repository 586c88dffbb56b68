//! What is counted of a file as a whole, and said about it.

use std::collections::BTreeMap;

/// What is counted of a file.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) fragments: u64,
    pub(super) cut_headers: u64,
    pub(super) cut_packets: u64,
    pub(super) unknown_links: BTreeMap<u32, u64>,
    pub(super) tcp: u64,
    pub(super) other: u64,
    pub(super) beyond: u64,
    pub(super) forgotten: u64,
}

impl Counts {
    /// One sentence for each thing that is out of the ordinary.
    pub(super) fn notes(&self) -> Vec<String> {
        let c = self;
        let mut notes = Vec::new();
        let mut say = |n: u64, one: &str, many: &str| {
            if n > 0 {
                notes.push(format!("{n} {}", if n == 1 { one } else { many }));
            }
        };
        say(
            c.cut_packets,
            "packet was recorded only in part (snaplen)",
            "packets were recorded only in part (snaplen)",
        );
        say(
            c.fragments,
            "IP fragment, which is not put together: its bytes count as missing",
            "IP fragments, which are not put together: their bytes count as missing",
        );
        say(
            c.cut_headers,
            "packet is cut within its TCP header",
            "packets are cut within their TCP headers",
        );
        say(
            c.beyond,
            "packet of connections beyond the most that are looked at",
            "packets of connections beyond the most that are looked at",
        );
        say(
            c.forgotten,
            "connection was given up for the sake of newer ones",
            "connections were given up for the sake of newer ones",
        );
        for (link, n) in &c.unknown_links {
            say(
                *n,
                &format!("packet has the link type {link}, which is not known here"),
                &format!("packets have the link type {link}, which is not known here"),
            );
        }
        notes
    }
}
