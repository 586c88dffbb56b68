//! The packets of a world, as they pass the server's network card, for a capture file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use etherparse::PacketBuilder;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness};
use smb_engine::time::{Instant, Now};
use smb_proto::crypto::Key;
use smb_proto::id::SessionId;
use thiserror::Error;

use super::server::PASSWORD;
use crate::pair::BEGIN;

/// Longest payload of one packet.
const LONGEST: usize = 32_000;
/// Seconds between 1601 and 1970.
const EPOCH: u64 = 11_644_473_600;
const SERVER_PORT: u16 = 445;

/// A capture cannot be written.
#[derive(Debug, Error)]
pub enum TapeError {
    /// The file.
    #[error("{0}")]
    Pcap(#[from] pcap_file::PcapError),
    /// A packet that does not fit into IP.
    #[error("{0}")]
    Packet(#[from] std::io::Error),
}

/// What a packet is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Open,
    Data(Bytes),
    Fin,
    Rst,
}

#[derive(Debug, Clone)]
struct Packet {
    at: Instant,
    wire: usize,
    client: u8,
    from_server: bool,
    what: What,
}

/// Packets in order, and the keys with which encrypted ones can be read.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    packets: Vec<Packet>,
    keys: BTreeMap<SessionId, Key>,
}

/// Where the two directions of a connection are.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    client: u32,
    server: u32,
}

impl Tape {
    fn add(&mut self, now: Now, wire: usize, client: usize, from_server: bool, what: What) {
        self.packets.push(Packet {
            at: now.mono,
            wire,
            client: u8::try_from(client).unwrap_or(u8::MAX),
            from_server,
            what,
        });
    }

    pub(super) fn opened(&mut self, now: Now, wire: usize, client: usize) {
        self.add(now, wire, client, false, What::Open);
    }

    pub(super) fn data(&mut self, now: Now, wire: usize, client: usize, server: bool, b: &Bytes) {
        let mut rest = b.clone();
        while !rest.is_empty() {
            let part = rest.split_to(rest.len().min(LONGEST));
            self.add(now, wire, client, server, What::Data(part));
        }
    }

    pub(super) fn ended(&mut self, now: Now, wire: usize, client: usize, server: bool) {
        self.add(now, wire, client, server, What::Fin);
    }

    pub(super) fn reset(&mut self, now: Now, wire: usize, client: usize) {
        self.add(now, wire, client, false, What::Rst);
    }

    pub(super) fn key(&mut self, session: SessionId, key: Key) {
        self.keys.insert(session, key);
    }

    /// Packets so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Options with which Wireshark and tshark open what is encrypted: the password, from which all
    /// keys follow where the logon is in the capture, and the keys themselves. pcapng has no kind of
    /// block for keys of SMB sessions, so they cannot be where Wireshark finds them by itself.
    #[must_use]
    pub fn wireshark_options(&self) -> Vec<String> {
        let mut options = vec![format!("-o ntlmssp.nt_password:{PASSWORD}")];
        options.extend(self.keys.iter().map(|(id, key)| {
            let hex =
                |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
            format!(
                "-o 'uat:smb2_seskey_list:{},{},\"\",\"\"'",
                hex(&id.0.to_le_bytes()),
                hex(key.as_bytes())
            )
        }));
        options
    }

    /// Writes a pcapng file. The options for Wireshark are in the comment of its section.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, to: impl Write) -> Result<(), TapeError> {
        let comment = format!(
            "Written by smb-sim. To read what is encrypted: tshark -r FILE {}",
            self.wireshark_options().join(" ")
        );
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            major_version: 1,
            minor_version: 0,
            section_length: -1,
            options: vec![
                SectionHeaderOption::Comment(Cow::Owned(comment)),
                SectionHeaderOption::UserApplication(Cow::Borrowed("smb-sim")),
            ],
        };
        let mut file = PcapNgWriter::with_section_header(to, section)?;
        file.write_pcapng_block(InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed("sim0")),
                // Nanoseconds, which is what the writer counts in.
                InterfaceDescriptionOption::IfTsResol(9),
            ],
        })?;
        let mut numbers = BTreeMap::new();
        for packet in &self.packets {
            let n = numbers.entry(packet.wire).or_insert(Numbers {
                client: 1000,
                server: 5000,
            });
            for bytes in frames(packet, n)? {
                let since = packet.at - BEGIN.mono;
                let begin = Duration::from_nanos((BEGIN.wall.0 % 10_000_000) * 100)
                    + Duration::from_secs((BEGIN.wall.0 / 10_000_000).saturating_sub(EPOCH));
                file.write_pcapng_block(EnhancedPacketBlock {
                    interface_id: 0,
                    timestamp: begin + since,
                    original_len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
                    data: Cow::Owned(bytes),
                    options: Vec::new(),
                })?;
            }
        }
        Ok(())
    }
}

/// The frames of a packet: three for a new connection.
fn frames(packet: &Packet, n: &mut Numbers) -> Result<Vec<Vec<u8>>, TapeError> {
    let one = |n: Numbers, from_server, flags: &str, data: &[u8]| {
        frame(packet, n, from_server, flags, data)
    };
    Ok(match &packet.what {
        What::Open => {
            let syn = one(*n, false, "s", &[])?;
            n.client += 1;
            let answer = one(*n, true, "sa", &[])?;
            n.server += 1;
            vec![syn, answer, one(*n, false, "a", &[])?]
        }
        What::Data(bytes) => {
            let data = one(*n, packet.from_server, "ap", bytes)?;
            let counter = if packet.from_server {
                &mut n.server
            } else {
                &mut n.client
            };
            *counter = counter.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0));
            vec![data]
        }
        What::Fin => {
            let fin = one(*n, packet.from_server, "af", &[])?;
            if packet.from_server {
                n.server += 1;
            } else {
                n.client += 1;
            }
            vec![fin]
        }
        What::Rst => vec![one(*n, packet.from_server, "ar", &[])?],
    })
}

fn frame(
    packet: &Packet,
    n: Numbers,
    from_server: bool,
    flags: &str,
    data: &[u8],
) -> Result<Vec<u8>, TapeError> {
    let client = [10, 0, 0, packet.client.saturating_add(2)];
    let server = [10, 0, 0, 1];
    let mac = |ip: [u8; 4]| [2, 0, ip[0], ip[1], ip[2], ip[3]];
    let port = u16::try_from(40_000 + packet.wire % 20_000).unwrap_or(40_000);
    let (from, to, ports, (seq, ack)) = if from_server {
        (server, client, (SERVER_PORT, port), (n.server, n.client))
    } else {
        (client, server, (port, SERVER_PORT), (n.client, n.server))
    };
    let mut builder = PacketBuilder::ethernet2(mac(from), mac(to))
        .ipv4(from, to, 64)
        .tcp(ports.0, ports.1, seq, 65_535);
    for flag in flags.chars() {
        builder = match flag {
            's' => builder.syn(),
            'f' => builder.fin(),
            'r' => builder.rst(),
            'p' => builder.psh(),
            _ => builder.ack(ack),
        };
    }
    let mut bytes = Vec::with_capacity(builder.size(data.len()));
    builder
        .write(&mut bytes, data)
        .map_err(std::io::Error::other)?;
    Ok(bytes)
}
