//! One direction of a TCP connection put together again.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::GapCause;

/// Where a piece of a stream was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the packet.
    pub(super) frame: u64,
    /// Its time.
    pub(super) time: Duration,
}

/// What a stream gives, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Data(Bytes, Place),
    Gap(u64, GapCause, Place),
}

/// A segment that came before its turn.
#[derive(Debug)]
struct Waiting {
    data: Bytes,
    /// Length of the whole segment, of which only `data` may have been recorded.
    len: u64,
    place: Place,
}

/// One direction. Positions in the stream count from 2^32 at the first byte, so that sequence numbers
/// before it do not go below zero.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// Position of the next byte in order, once one is known.
    next: Option<u64>,
    waiting: BTreeMap<u64, Waiting>,
    /// Bytes in `waiting`.
    held: usize,
    /// Position up to which the other side has acknowledged.
    acked: u64,
    /// Position of the FIN.
    fin: Option<u64>,
    pub(super) retransmitted: u64,
    pub(super) reordered: u64,
}

const FIRST: u64 = 1 << 32;

/// A hole or an acknowledgement that reaches further than this is another connection's or damaged:
/// the largest window of TCP (RFC 7323).
const WINDOW_MAX: u64 = 1 << 30;

impl Half {
    /// The stream begins behind a SYN.
    pub(super) fn syn(&mut self, seq: u32) {
        if self.next.is_none() {
            self.next = Some(FIRST | u64::from(seq.wrapping_add(1)));
        }
    }

    /// Bytes waiting for those before them.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The position that a sequence number stands for, near the present one.
    fn position(&self, next: u64, seq: u32) -> u64 {
        let ahead = seq.wrapping_sub(next as u32).cast_signed();
        next.saturating_add_signed(i64::from(ahead))
    }

    /// Takes a segment; what is in order by now goes to `out`. `held_max` limits what may wait.
    #[expect(clippy::too_many_arguments, reason = "all of it is one segment")]
    pub(super) fn segment(
        &mut self,
        seq: u32,
        payload: &[u8],
        len: usize,
        fin: bool,
        place: Place,
        held_max: usize,
        out: &mut Vec<Piece>,
    ) {
        let next = *self.next.get_or_insert_with(|| FIRST | u64::from(seq));
        let mut start = self.position(next, seq);
        let end = start.saturating_add(len as u64);
        if fin {
            self.fin = Some(end);
        }
        if len == 0 {
            return;
        }
        if end <= next {
            // A keep-alive repeats one byte.
            if len > 1 {
                self.retransmitted += 1;
            }
            return;
        }
        if start.abs_diff(next) > WINDOW_MAX {
            return;
        }
        let mut data = payload;
        if start < next {
            self.retransmitted += 1;
            data = data.get((next - start) as usize..).unwrap_or(&[]);
            start = next;
        }
        if start == next {
            if !self.waiting.is_empty() {
                self.reordered += 1;
            }
            let data = Bytes::copy_from_slice(data);
            self.deliver(
                Waiting {
                    data,
                    len: end - start,
                    place,
                },
                start,
                out,
            );
            self.drain(out);
        } else {
            let known = self.waiting.get(&start);
            if known.is_none_or(|w| w.data.len() < data.len()) {
                let old = self.waiting.insert(
                    start,
                    Waiting {
                        data: Bytes::copy_from_slice(data),
                        len: end - start,
                        place,
                    },
                );
                self.held += data.len();
                self.held -= old.map_or(0, |w| w.data.len());
            } else {
                self.retransmitted += 1;
            }
        }
        self.give_up(place, out);
        while self.held > held_max && self.skip_hole(GapCause::Limit, place, out) {}
    }

    /// The other side has everything before `ack`.
    pub(super) fn ack(&mut self, ack: u32, place: Place, out: &mut Vec<Piece>) {
        let Some(next) = self.next else { return };
        let position = self.position(next, ack);
        if position.abs_diff(next) <= WINDOW_MAX {
            self.acked = self.acked.max(position);
        }
        self.give_up(place, out);
    }

    /// Passes over holes whose bytes were acknowledged: they were sent, so they will not come.
    fn give_up(&mut self, place: Place, out: &mut Vec<Piece>) {
        while let Some((start, _)) = self.waiting.first_key_value()
            && *start <= self.acked
            && self.skip_hole(GapCause::NotCaptured, place, out)
        {}
    }

    /// Passes over the hole in front of what waits; `false` if there is none.
    fn skip_hole(&mut self, cause: GapCause, place: Place, out: &mut Vec<Piece>) -> bool {
        let (Some(next), Some((start, _))) = (self.next, self.waiting.first_key_value()) else {
            return false;
        };
        if *start > next {
            out.push(Piece::Gap(*start - next, cause, place));
            self.next = Some(*start);
        }
        self.drain(out);
        true
    }

    fn deliver(&mut self, segment: Waiting, start: u64, out: &mut Vec<Piece>) {
        let missing = segment.len.saturating_sub(segment.data.len() as u64);
        self.next = Some(start.saturating_add(segment.len));
        if !segment.data.is_empty() {
            out.push(Piece::Data(segment.data, segment.place));
        }
        if missing > 0 {
            out.push(Piece::Gap(missing, GapCause::Cut, segment.place));
        }
    }

    /// Delivers what waited for the present position.
    fn drain(&mut self, out: &mut Vec<Piece>) {
        while let Some(next) = self.next
            && let Some(entry) = self.waiting.first_entry()
            && *entry.key() <= next
        {
            let start = *entry.key();
            let mut segment = entry.remove();
            self.held -= segment.data.len();
            let overlap = next - start;
            if segment.len <= overlap {
                self.retransmitted += 1;
                continue;
            }
            segment.len -= overlap;
            let known = (overlap as usize).min(segment.data.len());
            segment.data = segment.data.slice(known..);
            self.deliver(segment, next, out);
        }
    }

    /// The connection or the capture ends: whatever waits is given, with the holes before it.
    pub(super) fn end(&mut self, place: Place, out: &mut Vec<Piece>) {
        while self.skip_hole(GapCause::End, place, out) {}
        if let Some(next) = self.next {
            let end = self.fin.unwrap_or(self.acked).min(self.acked);
            if end > next {
                out.push(Piece::Gap(end - next, GapCause::NotCaptured, place));
                self.next = Some(end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        frame: 7,
        time: Duration::ZERO,
    };

    fn feed(half: &mut Half, seq: u32, data: &[u8], out: &mut Vec<Piece>) {
        half.segment(seq, data, data.len(), false, PLACE, 1000, out);
    }

    /// All data in order, with gaps as their length in brackets.
    fn text(pieces: &[Piece]) -> String {
        pieces
            .iter()
            .map(|p| match p {
                Piece::Data(d, _) => String::from_utf8_lossy(d).into_owned(),
                Piece::Gap(n, cause, _) => format!("[{n} {cause:?}]"),
            })
            .collect()
    }

    #[test]
    fn order_overlap_and_wrap() {
        let mut half = Half::default();
        let mut out = Vec::new();
        half.syn(u32::MAX - 4);
        let base = u32::MAX - 3;
        feed(&mut half, base, b"abc", &mut out);
        feed(&mut half, base.wrapping_add(6), b"ghi", &mut out);
        feed(&mut half, base.wrapping_add(5), b"fghij", &mut out);
        assert_eq!(text(&out), "abc");
        feed(&mut half, base.wrapping_add(2), b"cdef", &mut out);
        assert_eq!(text(&out), "abcdefghij");
        feed(&mut half, base, b"abcdefghijkl", &mut out);
        assert_eq!(text(&out), "abcdefghijkl");
        feed(&mut half, base, b"abc", &mut out);
        assert_eq!(text(&out), "abcdefghijkl");
        assert!(half.retransmitted >= 2 && half.reordered >= 1);
        assert_eq!(half.held(), 0);
    }

    #[test]
    fn holes() {
        let mut half = Half::default();
        let mut out = Vec::new();
        feed(&mut half, 100, b"ab", &mut out);
        feed(&mut half, 105, b"fg", &mut out);
        assert_eq!(text(&out), "ab");
        // Not acknowledged so far: it may be sent again.
        half.ack(102, PLACE, &mut out);
        assert_eq!(text(&out), "ab");
        half.ack(107, PLACE, &mut out);
        assert_eq!(text(&out), "ab[3 NotCaptured]fg");
        // Recorded in part.
        half.segment(107, b"h", 4, false, PLACE, 1000, &mut out);
        feed(&mut half, 111, b"l", &mut out);
        assert_eq!(text(&out), "ab[3 NotCaptured]fgh[3 Cut]l");
        feed(&mut half, 114, b"o", &mut out);
        half.end(PLACE, &mut out);
        assert_eq!(text(&out), "ab[3 NotCaptured]fgh[3 Cut]l[2 End]o");
    }

    #[test]
    fn what_waits_is_limited() {
        let mut half = Half::default();
        let mut out = Vec::new();
        feed(&mut half, 0, b"a", &mut out);
        for i in 0..100 {
            half.segment(2 + 10 * i, b"0123456789", 10, false, PLACE, 50, &mut out);
            assert!(half.held() <= 60);
        }
        assert!(text(&out).starts_with("a[1 Limit]0123456789"));
    }

    #[test]
    fn acknowledged_but_never_seen() {
        let mut half = Half::default();
        let mut out = Vec::new();
        feed(&mut half, 0, b"a", &mut out);
        half.ack(11, PLACE, &mut out);
        assert_eq!(text(&out), "a");
        half.end(PLACE, &mut out);
        assert_eq!(text(&out), "a[10 NotCaptured]");
    }
}
