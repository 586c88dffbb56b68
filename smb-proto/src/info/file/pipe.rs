//! Named pipes.

use crate::info::layout::fixed;

fixed! {
    /// FilePipeInformation, [MS-FSCC] 2.4.36. Query and set.
    FilePipeInformation("FILE_PIPE_INFORMATION", 8) {
        /// How the end reads: 0 as a stream of bytes, 1 message by message.
        read_mode: u32,
        /// 0 reads and writes wait, 1 they answer at once.
        completion_mode: u32,
    }
}

fixed! {
    /// FilePipeLocalInformation, [MS-FSCC] 2.4.37. Query.
    FilePipeLocalInformation("FILE_PIPE_LOCAL_INFORMATION", 40) {
        /// 0 byte stream, 1 messages.
        named_pipe_type: u32,
        /// 0 client to server, 1 server to client, 2 both ways.
        named_pipe_configuration: u32,
        /// Instances that may exist; all ones for any number.
        maximum_instances: u32,
        /// Instances that exist.
        current_instances: u32,
        /// Bytes that the inbound buffer holds.
        inbound_quota: u32,
        /// Bytes that can be read now.
        read_data_available: u32,
        /// Bytes that the outbound buffer holds.
        outbound_quota: u32,
        /// Bytes that can be written now.
        write_quota_available: u32,
        /// 1 disconnected, 2 listening, 3 connected, 4 closing.
        named_pipe_state: u32,
        /// 0 the client's end, 1 the server's end.
        named_pipe_end: u32,
    }
}

impl FilePipeLocalInformation {
    /// NamedPipeType of a message pipe.
    pub const TYPE_MESSAGE: u32 = 1;
    /// NamedPipeConfiguration of a pipe that carries both ways.
    pub const FULL_DUPLEX: u32 = 2;
    /// NamedPipeState of a connected pipe.
    pub const CONNECTED: u32 = 3;
    /// NamedPipeEnd of the client.
    pub const CLIENT_END: u32 = 0;
}

fixed! {
    /// FilePipeRemoteInformation, [MS-FSCC] 2.4.38. Query.
    FilePipeRemoteInformation("FILE_PIPE_REMOTE_INFORMATION", 12) {
        /// How long the client collects data before it sends them, in units of 100 ns.
        collect_data_time: u64,
        /// Bytes that the client collects before it sends them.
        maximum_collection_count: u32,
    }
}
