//! One type for the body of any request, and one for that of any response.

use bytes::Bytes;

use super::{
    cancel, change_notify, close, create, echo, error, flush, ioctl, lock, logoff, negotiate,
    oplock_break, query_directory, query_info, read, session_setup, set_info, tree_connect,
    tree_disconnect, write,
};
use crate::header::HEADER_LEN;
use crate::wire::{Fields, Writer};
use crate::{Command, Header, NtStatus, ParseError};

/// A body that can follow a header.
pub trait Body {
    /// Appends the body. The writer's base is the start of the SMB2 header, which has been written.
    fn encode(&self, w: &mut Writer);
}

/// Appends one message: moves the writer's base to its present end, then writes header and body.
/// The header is written as it is: its command and flags are the caller's to set.
pub fn encode_message(header: &Header, body: &impl Body, w: &mut Writer) {
    w.rebase();
    header.encode(w);
    body.encode(w);
}

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident($module:ident);)*) => {
        /// The body of a request.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub enum Request { $($(#[$doc])* $name($module::Request),)* }

        impl Request {
            /// Reads the body of a request of this command. `element` begins at its SMB2 header.
            ///
            /// # Errors
            /// What the parser of the command answers.
            pub fn parse(command: Command, element: &Bytes) -> Result<Self, ParseError> {
                match command {
                    $(Command::$name => $module::Request::parse(element).map(Self::$name),)*
                }
            }

            /// The command that the body belongs to.
            #[must_use]
            pub fn command(&self) -> Command {
                match self { $(Self::$name(_) => Command::$name,)* }
            }

            /// Appends the body; see [`Body::encode`].
            pub fn encode(&self, w: &mut Writer) {
                match self { $(Self::$name(body) => body.encode(w),)* }
            }
        }

        $(
            impl From<$module::Request> for Request {
                fn from(body: $module::Request) -> Self {
                    Self::$name(body)
                }
            }
        )*
    };
}

requests! {
    /// [MS-SMB2] 2.2.3
    Negotiate(negotiate);
    /// [MS-SMB2] 2.2.5
    SessionSetup(session_setup);
    /// [MS-SMB2] 2.2.7
    Logoff(logoff);
    /// [MS-SMB2] 2.2.9
    TreeConnect(tree_connect);
    /// [MS-SMB2] 2.2.11
    TreeDisconnect(tree_disconnect);
    /// [MS-SMB2] 2.2.13
    Create(create);
    /// [MS-SMB2] 2.2.15
    Close(close);
    /// [MS-SMB2] 2.2.17
    Flush(flush);
    /// [MS-SMB2] 2.2.19
    Read(read);
    /// [MS-SMB2] 2.2.21
    Write(write);
    /// [MS-SMB2] 2.2.26
    Lock(lock);
    /// [MS-SMB2] 2.2.31
    Ioctl(ioctl);
    /// [MS-SMB2] 2.2.30
    Cancel(cancel);
    /// [MS-SMB2] 2.2.28
    Echo(echo);
    /// [MS-SMB2] 2.2.33
    QueryDirectory(query_directory);
    /// [MS-SMB2] 2.2.35
    ChangeNotify(change_notify);
    /// [MS-SMB2] 2.2.37
    QueryInfo(query_info);
    /// [MS-SMB2] 2.2.39
    SetInfo(set_info);
    /// [MS-SMB2] 2.2.24: the acknowledgement of a break
    OplockBreak(oplock_break);
}

impl Body for Request {
    fn encode(&self, w: &mut Writer) {
        Self::encode(self, w);
    }
}

macro_rules! responses {
    ($($(#[$doc:meta])* $name:ident($module:ident);)*) => {
        /// The body of a response.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub enum Response {
            $($(#[$doc])* $name($module::Response),)*
            /// [MS-SMB2] 2.2.2: the body of a failure, and of an interim response.
            Error(error::Response),
        }

        impl Response {
            fn parse_success(command: Command, element: &Bytes) -> Result<Self, ParseError> {
                match command {
                    $(Command::$name => $module::Response::parse(element).map(Self::$name),)*
                    Command::Cancel => Err(ParseError::BadValue("response to CANCEL")),
                }
            }

            /// The command that the body belongs to; `None` for [`Self::Error`], which can answer
            /// any.
            #[must_use]
            pub fn command(&self) -> Option<Command> {
                match self {
                    $(Self::$name(_) => Some(Command::$name),)*
                    Self::Error(_) => None,
                }
            }

            /// Appends the body; see [`Body::encode`].
            pub fn encode(&self, w: &mut Writer) {
                match self {
                    $(Self::$name(body) => body.encode(w),)*
                    Self::Error(body) => body.encode(w),
                }
            }
        }

        $(
            impl From<$module::Response> for Response {
                fn from(body: $module::Response) -> Self {
                    Self::$name(body)
                }
            }
        )*
    };
}

responses! {
    /// [MS-SMB2] 2.2.4
    Negotiate(negotiate);
    /// [MS-SMB2] 2.2.6
    SessionSetup(session_setup);
    /// [MS-SMB2] 2.2.8
    Logoff(logoff);
    /// [MS-SMB2] 2.2.10
    TreeConnect(tree_connect);
    /// [MS-SMB2] 2.2.12
    TreeDisconnect(tree_disconnect);
    /// [MS-SMB2] 2.2.14
    Create(create);
    /// [MS-SMB2] 2.2.16
    Close(close);
    /// [MS-SMB2] 2.2.18
    Flush(flush);
    /// [MS-SMB2] 2.2.20
    Read(read);
    /// [MS-SMB2] 2.2.22
    Write(write);
    /// [MS-SMB2] 2.2.27
    Lock(lock);
    /// [MS-SMB2] 2.2.32
    Ioctl(ioctl);
    /// [MS-SMB2] 2.2.29
    Echo(echo);
    /// [MS-SMB2] 2.2.34
    QueryDirectory(query_directory);
    /// [MS-SMB2] 2.2.36
    ChangeNotify(change_notify);
    /// [MS-SMB2] 2.2.38
    QueryInfo(query_info);
    /// [MS-SMB2] 2.2.40
    SetInfo(set_info);
    /// [MS-SMB2] 2.2.23 and 2.2.25: the notification of a break, and the response to its
    /// acknowledgement
    OplockBreak(oplock_break);
}

impl From<error::Response> for Response {
    fn from(body: error::Response) -> Self {
        Self::Error(body)
    }
}

impl Body for Response {
    fn encode(&self, w: &mut Writer) {
        Self::encode(self, w);
    }
}

impl Response {
    /// Reads the body of a response. `element` begins at its SMB2 header, which has been parsed as
    /// `header`.
    ///
    /// Whether it is an ERROR response follows from command and status: [MS-SMB2] 3.3.4.4 lists
    /// the statuses other than success with which the command's own body is sent. Interim responses
    /// (STATUS_PENDING) are ERROR responses, 3.3.4.2.
    ///
    /// # Errors
    /// [`ParseError::BadValue`] for an unknown command and for CANCEL, which has no success
    /// response; else what the parser of the body answers.
    pub fn parse(header: &Header, element: &Bytes) -> Result<Self, ParseError> {
        let command = header
            .command()
            .ok_or(ParseError::BadValue("SMB2 command"))?;
        if has_own_body(command, header.status, element) {
            Self::parse_success(command, element)
        } else {
            error::Response::parse(element).map(Self::Error)
        }
    }
}

/// Whether a response with this status has the body of its command, [MS-SMB2] 3.3.4.4.
fn has_own_body(command: Command, status: NtStatus, element: &Bytes) -> bool {
    match (command, status) {
        (_, NtStatus::SUCCESS)
        | (Command::SessionSetup, NtStatus::MORE_PROCESSING_REQUIRED)
        | (Command::QueryInfo, NtStatus::BUFFER_OVERFLOW)
        | (Command::ChangeNotify, NtStatus::NOTIFY_ENUM_DIR) => true,
        // Servers differ in what they send with these, and a copy that came to a halt is reported with
        // any status (3.3.5.15.6.1), but StructureSize tells: 9 is an error.
        (Command::Read, NtStatus::BUFFER_OVERFLOW) | (Command::Ioctl, _) => {
            Fields::at(element, HEADER_LEN, "SMB2 response").and_then(|mut f| f.u16()) != Ok(9)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_util::{element, element_of};
    use super::*;
    use crate::id::{FileId, MessageId};

    fn response(command: Command, status: NtStatus, body: &Response) -> (Header, Bytes) {
        let mut header = Header::request(command, MessageId(7));
        header.status = status;
        let mut w = Writer::new();
        encode_message(&header, body, &mut w);
        (header, w.into_inner().freeze())
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(
            size in prop::sample::select(vec![2u8, 4, 9, 17, 24, 25, 32, 33, 36, 41, 48, 49, 57, 60, 65, 89]),
            small in prop::collection::vec(prop::sample::select(vec![0u8, 1, 8, 64, 72, 112, 120, 255]), 0..160),
            status in prop::sample::select(vec![NtStatus::SUCCESS, NtStatus::BUFFER_OVERFLOW, NtStatus::ACCESS_DENIED]),
        ) {
            let mut body = vec![size, 0];
            body.extend_from_slice(&small);
            let element = element_of(&body);
            for &command in Command::ALL {
                // Only that they return is asked of them.
                let _ = Request::parse(command, &element);
                let mut header = Header::request(command, MessageId(0));
                header.status = status;
                let _ = Response::parse(&header, &element);
            }
        }
    }

    #[test]
    fn every_command_parses_its_own_requests() {
        for &command in Command::ALL {
            let result = Request::parse(command, &element(|_| {}));
            assert!(matches!(result, Err(ParseError::Truncated(_))), "{command}");
        }
        let flush = Request::from(flush::Request {
            reserved1: 0,
            file_id: FileId::RELATED,
        });
        let bytes = element(|w| flush.encode(w));
        assert_eq!(flush.command(), Command::Flush);
        assert_eq!(Request::parse(Command::Flush, &bytes), Ok(flush));
        assert!(Request::parse(Command::Read, &bytes).is_err());
    }

    #[test]
    fn status_chooses_between_the_body_of_the_command_and_an_error() {
        let error = || Response::Error(error::Response::empty());
        let read = || {
            Response::from(read::Response {
                data: Bytes::from_static(b"ab"),
                data_remaining: 0,
                flags: read::ResponseFlags::empty(),
            })
        };
        let info = || {
            Response::from(query_info::Response {
                output: Bytes::from_static(b"ab"),
            })
        };
        let notify = || {
            Response::from(change_notify::Response {
                output: Bytes::new(),
            })
        };
        let ioctl = || {
            Response::from(ioctl::Response {
                ctl_code: crate::fsctl::FsctlCode::SRV_COPYCHUNK,
                file_id: FileId::RELATED,
                input: Bytes::new(),
                output: Bytes::from_static(&[1; 12]),
            })
        };
        for (command, status, body) in [
            (Command::Read, NtStatus::SUCCESS, read()),
            (Command::Read, NtStatus::BUFFER_OVERFLOW, read()),
            (Command::Read, NtStatus::BUFFER_OVERFLOW, error()),
            (Command::Read, NtStatus::PENDING, error()),
            (Command::Read, NtStatus::END_OF_FILE, error()),
            (Command::QueryInfo, NtStatus::BUFFER_OVERFLOW, info()),
            (Command::QueryInfo, NtStatus::BUFFER_TOO_SMALL, error()),
            (Command::ChangeNotify, NtStatus::NOTIFY_ENUM_DIR, notify()),
            (Command::ChangeNotify, NtStatus::NOTIFY_CLEANUP, error()),
            (Command::Ioctl, NtStatus::INVALID_PARAMETER, ioctl()),
            (Command::Ioctl, NtStatus::INVALID_PARAMETER, error()),
            (Command::Ioctl, NtStatus::FILE_LOCK_CONFLICT, ioctl()),
            (Command::Ioctl, NtStatus::FILE_LOCK_CONFLICT, error()),
            (Command::Cancel, NtStatus::CANCELLED, error()),
        ] {
            let (header, bytes) = response(command, status, &body);
            assert_eq!(
                Response::parse(&header, &bytes),
                Ok(body),
                "{command} {status}"
            );
        }
    }

    #[test]
    fn refuses_commands_that_have_no_response() {
        let (mut header, bytes) =
            response(Command::Cancel, NtStatus::SUCCESS, &echo::Response.into());
        assert!(Response::parse(&header, &bytes).is_err());
        header.command_code = 0x13;
        assert!(Response::parse(&header, &bytes).is_err());
    }
}
