//! The body of one message in either direction. The first byte chooses the command, so that the
//! fuzzer need not find a header first. What parses must encode to something that parses equal.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use smb_proto::id::MessageId;
use smb_proto::msg::{self, compound};
use smb_proto::wire::Writer;
use smb_proto::{Command, Header, NtStatus};

fn element(header: &Header, body: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    header.encode(&mut w);
    body(&mut w);
    w.into_inner().freeze()
}

fuzz_target!(|data: &[u8]| {
    let _ = compound::split(&Bytes::copy_from_slice(data));
    let Some((&choice, body)) = data.split_first() else { return };
    let command = Command::ALL[usize::from(choice) % Command::ALL.len()];
    let mut header = Header::request(command, MessageId(1));
    let message = element(&header, |w| w.bytes(body));
    if let Ok(request) = msg::Request::parse(command, &message) {
        let again = element(&header, |w| request.encode(w));
        assert_eq!(msg::Request::parse(command, &again), Ok(request));
    }
    for status in [NtStatus::SUCCESS, NtStatus::BUFFER_OVERFLOW, NtStatus::STOPPED_ON_SYMLINK] {
        header.status = status;
        let _ = msg::Response::parse(&header, &message);
    }
});
