//! Server-sent events, as they come in chunks.

/// One event.
#[derive(PartialEq, Debug)]
pub(crate) struct SentEvent {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Puts chunks together to events. A chunk may end anywhere, within a character too.
#[derive(Default)]
pub(crate) struct EventReader {
    /// A line that has not ended yet.
    line: Vec<u8>,
    /// The event whose lines are coming.
    name: String,
    data: String,
}

impl EventReader {
    /// The events that end in this chunk.
    pub(crate) fn read(&mut self, chunk: &[u8]) -> Vec<SentEvent> {
        let mut events = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                events.extend(self.take_line(String::from_utf8_lossy(&line).trim_end()));
            }
        }
        events
    }

    fn take_line(&mut self, line: &str) -> Option<SentEvent> {
        if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut self.name);
        } else if let Some(data) = line.strip_prefix("data: ") {
            data.clone_into(&mut self.data);
        }
        // An empty line ends an event; a comment, which keeps the connection alive, has no data.
        let ends = line.is_empty() && !self.data.is_empty();
        ends.then(|| SentEvent { name: std::mem::take(&mut self.name), data: std::mem::take(&mut self.data) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text =
            "event: one\ndata: {\"name\":\"ü 日本 😀\"}\n\n: still here\n\nevent: two\r\ndata: {}\r\n\r\n";
        let event = |name: &str, data: &str| SentEvent { name: name.into(), data: data.into() };
        let expected = [event("one", "{\"name\":\"ü 日本 😀\"}"), event("two", "{}")];
        for size in 1..=text.len() {
            let mut reader = EventReader::default();
            let read: Vec<_> = text.as_bytes().chunks(size).flat_map(|chunk| reader.read(chunk)).collect();
            assert_eq!(read, expected, "in chunks of {size}");
        }
    }
}
