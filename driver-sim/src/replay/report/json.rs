//! The report as JSON.

use super::Report;

impl Report {
    /// The whole report as JSON; the form is that of the fields of [`Report`].
    ///
    /// # Errors
    /// Never: everything in it can be JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}
