//! Messages in a few words.

use smb_proto::header::{HeaderFlags, Route};
use smb_proto::{Header, NtStatus, ParseError, msg};

/// How a message was protected.
pub(super) fn protection(sealed: bool, header: &Header) -> &'static str {
    match (sealed, header.flags.contains(HeaderFlags::SIGNED)) {
        (true, _) => " [sealed]",
        (false, true) => " [signed]",
        (false, false) => "",
    }
}

fn begin(header: &Header) -> String {
    let command = match header.command() {
        Some(c) => c.to_string(),
        None => format!("command {:#06x}", header.command_code),
    };
    let related = if header.flags.contains(HeaderFlags::RELATED_OPERATIONS) {
        " related"
    } else {
        ""
    };
    format!("{command} #{}{related}", header.message_id.0)
}

/// A request.
pub(super) fn request(header: &Header, body: Result<&msg::Request, &ParseError>) -> String {
    use msg::Request as R;
    let rest = match body {
        Err(error) => format!("malformed: {error}"),
        Ok(R::Create(r)) => format!(
            "{:?} disposition {} access {:#x} share {} options {:#x}",
            r.name,
            r.create_disposition,
            r.desired_access.bits(),
            r.share_access.bits(),
            r.create_options.bits()
        ),
        Ok(R::Close(r)) => format!("{}", r.file_id),
        Ok(R::Flush(r)) => format!("{}", r.file_id),
        Ok(R::Read(r)) => format!("{} {}+{}", r.file_id, r.offset, r.length),
        Ok(R::Write(r)) => format!("{} {}+{}", r.file_id, r.offset, r.data.len()),
        Ok(R::Lock(r)) => {
            let locks = r.locks.iter();
            let locks: Vec<String> = locks
                .map(|l| format!("{}+{} flags {:#x}", l.offset, l.length, l.flags.bits()))
                .collect();
            format!("{} {}", r.file_id, locks.join(", "))
        }
        Ok(R::Ioctl(r)) => match r.ctl_code.name() {
            Some(name) => format!("{} {name}", r.file_id),
            None => format!("{} {:#x}", r.file_id, r.ctl_code.0),
        },
        Ok(R::QueryDirectory(r)) => format!(
            "{} class {} {:?} {} bytes",
            r.file_id, r.file_information_class, r.file_name, r.output_buffer_length
        ),
        Ok(R::ChangeNotify(r)) => {
            format!("{} filter {:#x}", r.file_id, r.completion_filter.bits())
        }
        Ok(R::QueryInfo(r)) => format!(
            "{} type {} class {} {} bytes",
            r.file_id, r.info_type, r.file_info_class, r.output_buffer_length
        ),
        Ok(R::SetInfo(r)) => format!(
            "{} type {} class {} {} bytes",
            r.file_id,
            r.info_type,
            r.file_info_class,
            r.buffer.len()
        ),
        Ok(R::TreeConnect(r)) => format!("{:?}", r.path),
        Ok(R::Negotiate(r)) => format!("dialects {:x?}", r.dialects),
        Ok(R::Cancel(_)) => match header.route {
            Route::Async(id) => format!("async {id}"),
            Route::Sync { .. } => String::new(),
        },
        Ok(
            R::SessionSetup(_)
            | R::Logoff(_)
            | R::TreeDisconnect(_)
            | R::Echo(_)
            | R::OplockBreak(_),
        ) => String::new(),
    };
    let ids = match header.route {
        Route::Sync { tree_id, .. } => format!(" s{:x}/t{:x}", header.session_id.0, tree_id.0),
        Route::Async(_) => format!(" s{:x}", header.session_id.0),
    };
    format!("{}{ids} {rest}", begin(header))
        .trim_end()
        .to_owned()
}

fn status(header: &Header) -> String {
    match (header.status, header.route) {
        (NtStatus::PENDING, Route::Async(id)) => format!("interim, async {id}"),
        (status, _) => status.to_string(),
    }
}

/// A response.
pub(super) fn response(header: &Header, body: &msg::Response) -> String {
    use msg::Response as R;
    let rest = match body {
        R::Create(r) => format!(
            "{} action {} size {}",
            r.file_id, r.create_action.0, r.end_of_file
        ),
        R::Write(r) => format!("{} bytes", r.count),
        R::QueryDirectory(r) => format!("{} bytes", r.output.len()),
        R::QueryInfo(r) => format!("{} bytes", r.output.len()),
        R::ChangeNotify(r) => format!("{} bytes", r.output.len()),
        R::Ioctl(r) => format!("{} bytes", r.output.len()),
        R::Negotiate(r) => format!("dialect {:x}", r.dialect_revision),
        R::SessionSetup(_) => format!("s{:x}", header.session_id.0),
        R::TreeConnect(_) => format!("t{:x}", header.tree_id().0),
        R::Read(r) => format!("{} bytes", r.data.len()),
        R::Logoff(_)
        | R::TreeDisconnect(_)
        | R::Close(_)
        | R::Flush(_)
        | R::Lock(_)
        | R::Echo(_)
        | R::SetInfo(_)
        | R::OplockBreak(_)
        | R::Error(_) => String::new(),
    };
    format!("{} {} {rest}", begin(header), status(header))
        .trim_end()
        .to_owned()
}

/// A response to READ.
pub(super) fn data(header: &Header, len: usize) -> String {
    format!("{} {} {len} bytes", begin(header), status(header))
}
