//! A whole capture in memory.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{Capture, CaptureError, Event, Gap, Message, Options, Other, Reader};

impl Capture {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`CaptureError`]
    pub fn open(path: &Path, options: &Options) -> Result<Self, CaptureError> {
        let file = File::open(path).map_err(CaptureError::Io)?;
        Self::read(file, options, |_| ())
    }

    /// Reads a whole capture; `progress` is told how many bytes were read, again and again.
    ///
    /// # Errors
    /// [`CaptureError`]
    pub fn read<R: Read>(
        source: R,
        options: &Options,
        mut progress: impl FnMut(u64),
    ) -> Result<Self, CaptureError> {
        let mut reader = Reader::new(source, options)?;
        let mut found: Vec<(Vec<Message>, Vec<Other>, Vec<Gap>)> = Vec::new();
        let mut kept = 0;
        let mut events = 0u32;
        while let Some(event) = reader.next_event() {
            events = events.wrapping_add(1);
            if events.is_multiple_of(1024) {
                progress(reader.bytes_read());
            }
            let (Event::Message(number, _) | Event::Other(number, _) | Event::Gap(number, _)) =
                event;
            if found.len() <= number {
                found.resize_with(number + 1, Default::default);
            }
            let Some((messages, others, gaps)) = found.get_mut(number) else {
                continue;
            };
            match event {
                Event::Message(_, message) => {
                    kept += size_of::<Message>() + message.raw.len();
                    link(messages, &message);
                    messages.push(*message);
                }
                Event::Other(_, other) => {
                    kept += size_of::<Other>() + other.raw.len();
                    others.push(*other);
                }
                Event::Gap(_, gap) => {
                    kept += size_of::<Gap>();
                    gaps.push(gap);
                }
            }
            if kept > options.kept_max {
                return Err(CaptureError::TooLarge(options.kept_max >> 20));
            }
        }
        progress(reader.bytes_read());
        reader.check()?;
        let (notes, packets) = (reader.notes(), reader.packets());
        let mut conversations = reader.into_conversations();
        for (conversation, (messages, others, gaps)) in conversations.iter_mut().zip(found) {
            conversation.messages = messages;
            conversation.others = others;
            conversation.gaps = gaps;
        }
        Ok(Self {
            conversations,
            notes,
            packets,
        })
    }
}

/// Enters an answer into its request.
fn link(messages: &mut [Message], answer: &Message) {
    let request = answer.request.and_then(|index| messages.get_mut(index));
    let Some(request) = request else { return };
    if answer.is_interim() {
        request.interim = Some(answer.number);
        return;
    }
    request.answer = Some(answer.number);
    if request.resolved.file.is_none() {
        request.resolved.file = answer.resolved.file;
    }
}
