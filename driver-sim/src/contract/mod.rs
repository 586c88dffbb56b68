//! What any backend must do, as named checks: the doc comments of [`smb_engine::vfs`], executable.
//!
//! A check panics where the backend breaks the contract. Each makes a directory of its own name in
//! the backend's root, so that all can run on one backend, in any order, also at the same time. A
//! check of something that the backend cannot do (see [`Backend::capabilities`]) does nothing.
//!
//! ```
//! use driver_sim::{contract, memory::MemoryFs};
//!
//! let fs = MemoryFs::new(1, smb_proto::FileTime(1));
//! for check in contract::checks() {
//!     check.run(&fs);
//! }
//! ```

mod corners;
mod data;
mod listing;
mod metadata;
mod names;
mod namespace;
mod open;
mod probe;
mod ranges;
mod reparse;
mod snapshots;
mod streams;

use smb_engine::vfs::{Backend, Capabilities};

use probe::Probe;

/// One rule of the contract.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    needs: Capabilities,
    body: fn(&Probe<'_>),
}

impl Check {
    /// Whether a backend with these capabilities has to pass it.
    #[must_use]
    pub fn applies_to(&self, capabilities: Capabilities) -> bool {
        capabilities.contains(self.needs)
    }

    /// Tries it on a backend, unless it does not apply.
    ///
    /// # Panics
    /// The backend breaks the rule.
    pub fn run(&self, backend: &dyn Backend) {
        if self.applies_to(backend.capabilities()) {
            (self.body)(&Probe::new(backend, self.name));
        }
    }
}

macro_rules! checks {
    ($($needs:expr => $module:ident { $($name:ident)* })*) => {
        /// All rules.
        #[must_use]
        pub fn checks() -> Vec<Check> {
            vec![$($(Check {
                name: concat!(stringify!($module), " ", stringify!($name)),
                needs: $needs,
                body: $module::$name,
            },)*)*]
        }
    };
}

checks! {
    Capabilities::empty() => open {
        root existing missing nothing_on_the_way create_in_missing create_again two_handles
        stale_handles identity
    }
    Capabilities::OPEN_BY_ID => open { by_id }
    Capabilities::CASE_PRESERVING => names { case_is_kept case_is_ignored unusual long }
    Capabilities::empty() => data {
        written_is_read holes appended sizes allocation overwritten directories_have_none
        unlinked_content copied beyond_everything flushed
    }
    Capabilities::empty() => metadata { times attributes volume security }
    Capabilities::EAS => metadata { eas eas_all_or_none overwrite_replaces_eas }
    Capabilities::SECURITY => metadata { security_parts }
    Capabilities::empty() => namespace {
        renamed rename_replaces rename_changes_case rename_of_directory rename_into_itself
        rename_nowhere rename_of_another removed removed_and_made_again remove_of_another
        directories_must_be_empty
    }
    Capabilities::HARD_LINKS => namespace { linked link_replaces link_of_directory }
    Capabilities::empty() => listing { complete patterns restarted independent changing items }
    Capabilities::STREAMS => streams {
        apart listed removed renamed overwritten on_directories created_with_file follow_the_file large
    }
    Capabilities::SPARSE => ranges { zeroed sparse allocated limited }
    Capabilities::TRIM => ranges { trimmed }
    Capabilities::SNAPSHOTS => snapshots { listed unchangeable }
    Capabilities::COMPRESSION => ranges { compressed }
    Capabilities::QUOTAS => metadata { quotas }
    Capabilities::OBJECT_IDS => metadata { object_ids }
    Capabilities::empty() => corners {
        links_of_directories names_before_places refused_rename_leaves_the_target
        directory_replaces_file
    }
    Capabilities::HARD_LINKS => corners { no_link_to_the_removed renamed_to_its_own_link }
    Capabilities::SPARSE => corners { zeroing_nothing overwriting_a_sparse_file }
    Capabilities::SECURITY => corners { descriptors_are_no_attributes }
    Capabilities::EAS => corners { names_of_eas }
    Capabilities::STREAMS => corners {
        streams_that_lose_their_names renaming_streams streams_modify_the_file
        streams_of_directories streams_that_make_their_file
    }
    Capabilities::REPARSE => reparse {
        stored mismatched on_directories links_stop_a_walk links_are_no_place_for_names
        links_are_renamed_and_removed_themselves links_become_files_again
    }
}
