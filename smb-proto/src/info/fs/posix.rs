//! What `statvfs` says.

use crate::info::layout::fixed;

fixed! {
    /// FileFsPosixInformation (100), [POSIX-FSCC] 2.3.2.1. Query, where POSIX extensions were
    /// negotiated. All ones in a field means that the server does not know.
    FileFsPosixInformation("FileFsPosixInformation", 56) {
        /// Best size of a transfer in bytes.
        optimal_transfer_size: u32,
        /// Bytes in a block.
        block_size: u32,
        /// Blocks.
        total_blocks: u64,
        /// Blocks that are free.
        blocks_available: u64,
        /// Blocks that are free for the user.
        user_blocks_available: u64,
        /// Inodes.
        total_file_nodes: u64,
        /// Inodes that are free.
        free_file_nodes: u64,
        /// Identity of the file system.
        fs_identifier: u64,
    }
}
