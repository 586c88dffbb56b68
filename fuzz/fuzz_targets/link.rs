//! Bytes of a connection, cut into pieces of a size that the first byte chooses.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use smb_engine::link::Link;
use smb_engine::output::KeyUpdate;

fuzz_target!(|data: &[u8]| {
    let Some((&size, bytes)) = data.split_first() else { return };
    let mut link = Link::new(64 << 10);
    link.apply(KeyUpdate::Negotiated { encryption: size & 1 == 1 });
    for piece in bytes.chunks(usize::from(size) + 1) {
        link.feed(BytesMut::from(piece));
        while let Some(message) = link.next() {
            if message.is_err() {
                return;
            }
        }
    }
});
